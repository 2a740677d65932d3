"""The result of a backtest: the documents' keys, words that do not flatter, a page on its own."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strategies.report.curves import curves_of, hold_of, thinned
from strategies.report.forms import bps, chance, percent
from strategies.report.scale import moment_label, moments, numbers
from strategies.report.words import verdict
from strategies.result import BacktestResult
from strategies.vectorised import run_signals
from tests.strategies.paths import walks
from tests.strategies.runs import quiet_run, small_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return BacktestResult.of(small_run(), trials=3)


class Page(HTMLParser):
    """Collects tags, and complains where they do not close."""

    VOID = ("meta", "br", "path", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))


def test_it_has_the_keys_of_the_documents(result) -> None:
    assert result["performance"]["total_return"] == pytest.approx(
        result.equity.iloc[-1] / result.run.initial_cash - 1
    )
    assert math.isfinite(result["performance"]["sharpe_ratio"])
    assert result["trading"]["total_trades"] == len(result.run.closed_trades) > 0
    assert set(result) == {"performance", "trading", "baselines"}
    assert f"{result['performance']['total_return']:.2%}".endswith("%")


def test_the_json_of_it_is_json(result) -> None:
    for one in (result, BacktestResult.of(quiet_run())):
        told = json.loads(json.dumps(one.to_dict(), allow_nan=False))
        assert told["simulated"] is True
        assert told["source"] == "made-up"
    assert told["performance"]["sharpe_ratio"] is None
    assert told["from"].startswith("2025-05-01")


def test_every_face_says_that_a_market_is_simulated(result) -> None:
    real = BacktestResult.of(small_run(200, simulated=False))
    for face, other in ((str(result), str(real)), (result.to_html(), real.to_html())):
        assert "SIMULATED" in face
        assert "SIMULATED" not in other


def test_notes_are_on_every_face(result) -> None:
    noted = BacktestResult(result.run, result.figures, ("3.5 days are left out.",))
    assert "3.5 days are left out." in str(noted)
    assert "3.5 days are left out." in noted.to_html()
    assert noted.to_dict()["notes"] == ["3.5 days are left out."]


def test_the_page_is_whole_and_needs_nothing_from_outside(result, tmp_path) -> None:
    html = result.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    page = Page(html)
    assert page.open == []
    for tag, attrs in page.tags:
        assert tag not in ("link", "img", "iframe"), tag
        assert not {"src", "href"} & set(attrs), (tag, attrs)
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_what_a_strategy_is_called_cannot_break_the_page(result) -> None:
    html = result.to_html()
    assert "<every>" not in html
    assert "&lt;every&gt; &amp; more" in html


def test_the_numbers_of_the_pointer_are_those_of_the_run(result) -> None:
    html = result.to_html()
    found = re.search(r'<script type="application/json" id="curves">(.*?)</script>', html)
    assert found is not None
    data = json.loads(found[1])
    total = result["performance"]["total_return"]
    assert data["equity"][-1] == pytest.approx(100 * total, abs=1e-3)
    assert data["at"][-1] == result.equity.index[-1].value // 1_000_000
    assert len({len(data[name]) for name in ("at", "equity", "hold", "drawdown", "long")}) == 1


def test_money_adds_up_on_the_page(result) -> None:
    """What prices gave, less fees, less slippage, is what was left."""
    html = result.to_html()
    bars = re.search(r'<div class="bars">(.*?)</div>', html, re.DOTALL)
    assert bars is not None
    words = re.findall(r'class="num">(.*?)</span>', bars[1])
    gave, fees, slip, left = (float(w.replace("−", "-").replace(",", "")) for w in words)
    assert gave + fees + slip == pytest.approx(left, abs=0.02)
    assert left == pytest.approx(result.equity.iloc[-1] - result.run.initial_cash, abs=0.01)
    assert fees < 0
    assert slip < 0


def test_a_run_without_trades_has_a_page_and_a_picture() -> None:
    quiet = BacktestResult.of(quiet_run())
    assert "It closed no trade." in str(quiet)
    assert Page(quiet.to_html()).open == []
    assert quiet.picture().startswith(b"\x89PNG")


def test_the_picture_is_a_png(result, tmp_path) -> None:
    png = result.picture(tmp_path / "equity.png")
    assert png.startswith(b"\x89PNG")
    assert (tmp_path / "equity.png").read_bytes() == png


def test_the_verdict_puts_edge_beside_cost_and_claims_no_skill_without_proof(result) -> None:
    said = verdict(result.run, result)
    assert f"paid {result['trading']['cost_bps']:.2f} bp" in said
    assert "buying and holding" in said
    assert ("proves no skill" in said) == (result["performance"]["deflated_sharpe"] < 0.95)
    assert "the best of 3 tries" in said
    assert f"{result['trading']['total_trades']} round trips made" in said
    figures = {k: dict(v) for k, v in result.items()}
    figures["performance"]["deflated_sharpe"] = 0.97
    assert "Luck alone would seldom" in verdict(result.run, figures)


def test_an_edge_of_two_trades_has_no_interval_and_says_why() -> None:
    candles = walks(bars=50)
    wish = pd.Series(np.nan, candles["BTC-USDT"].index)
    wish.iloc[[5, 10, 20, 30]] = [0.5, 0.0, 0.5, 0.0]
    said = str(BacktestResult.of(run_signals(candles, wish)))
    assert re.search(r"2 round trips made \S+ bp before costs \(too few for an interval\)", said)
    assert re.search(r"Gross edge a round trip +\S+ bp$", said, re.MULTILINE)


def test_a_ruined_account_is_said_to_be_ruined(result) -> None:
    equity = result.run.equity.copy()
    equity.iloc[300:] = 0.0
    run = replace(result.run, equity=equity)
    assert "The account was ruined at 2025-05-02 01:05 UTC" in verdict(run, result)
    assert "ruined" not in verdict(result.run, result)


def test_a_fall_of_one_bar_is_drawn_however_many_bars_there_are() -> None:
    values = np.zeros(100_000)
    values[61_234] = -1.0
    kept = thinned(values)
    assert len(kept) < 1_000
    assert 61_234 in kept
    assert {0, len(values) - 1} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_drawdown_counts_from_the_opening_cash() -> None:
    run = small_run()
    equity = run.equity.to_numpy()
    worst = min(0.0, float((equity / np.maximum.accumulate(equity) - 1).min()))
    assert curves_of(run, 10_000).drawdown.min() == pytest.approx(worst)


def test_holding_waits_for_a_late_symbol_in_cash() -> None:
    close = pd.DataFrame({"A": [1.0, 2.0, 2.0], "B": [np.nan, 10.0, 20.0]})
    assert hold_of(close).tolist() == [1.0, 1.5, 2.0]


def test_scales_are_round_and_hold_both_ends() -> None:
    for low, high in ((-8.85, 13.2), (0.0, 0.0), (0.34, 0.441), (46_700, 58_900), (-1e-7, 2e-7)):
        scale = numbers(low, high)
        assert scale.low <= low <= high <= scale.high
        assert 2 <= len(scale.ticks) <= 9
        assert scale.place(np.array([scale.low, scale.high])).tolist() == [0.0, 1.0]
    assert numbers(-8.85, 13.2).ticks == (-10.0, 0.0, 10.0, 20.0)


@pytest.mark.parametrize("days", [0.05, 1, 3, 20, 90, 400, 3000])
def test_dates_are_few_and_different(days: float) -> None:
    first = 1_746_057_600_000
    scale = moments(first, first + int(days * 86_400_000))
    labels = [moment_label(scale, tick) for tick in scale.ticks]
    assert 1 <= len(labels) <= 14
    assert len(set(labels)) == len(labels)


def test_words_for_numbers() -> None:
    assert percent(-0.0885) == "−8.85 %"
    assert percent(float("nan")) == "–"
    assert bps(None) == "–"
    assert chance(0.99999) == "> 0.999"
    assert chance(1e-9) == "< 0.001"


def test_a_strategy_that_trades_carries_no_matplotlib() -> None:
    code = (
        "import sys, strategies.result, strategies.backtest_engine;"
        "print('matplotlib' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split()[0] == "False", done.stderr
