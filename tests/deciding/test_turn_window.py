"""The history that was asked for is the history that is used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from features import own
from features.program import FeatureProgram
from market.candles import open_ms
from market.source import open_source
from market.timeframes import DAY_MS, utc
from ml_pipeline.panel import Panel
from orchestration.service import data
from orchestration.service.data import make_panel, split_of
from orchestration.service.errors import TurnFailed
from orchestration.service.refs import TurnRef
from orchestration.service.resources import candles_of
from orchestration.settings import Settings

AT = datetime(2025, 5, 28, tzinfo=UTC)


def panel_of(turn: TurnRef) -> Panel:
    start = turn.at_ms - int(turn.settings.days * DAY_MS)
    ts = np.arange(start, turn.at_ms, 60_000, dtype=np.int64)
    return Panel(
        timeframe="1m",
        symbols=("BTC-USDT",),
        names=("x",),
        ts=ts,
        symbol=np.zeros(len(ts), np.int16),
        X=np.zeros((len(ts), 1), np.float32),
        close=np.ones(len(ts)),
        labels={},
    )


@pytest.mark.parametrize("kind", ["direction", "volatility"])
def test_more_days_are_more_training(new_settings: Callable[..., Settings], kind: str) -> None:
    turn = TurnRef("t", AT, "BTC-USDT", new_settings(days=30, symbols="BTC-USDT"))
    split = split_of(turn, panel_of(turn), kind)
    assert split.shrunk == 1.0
    assert (split.calibration.days, split.selection.days, split.holdout.days) == (2.0, 3.0, 2.0)
    assert 22 < split.train.days < 23


def test_few_days_shrink_all_slices(new_settings: Callable[..., Settings]) -> None:
    turn = TurnRef("t", AT, "BTC-USDT", new_settings(days=7, symbols="BTC-USDT"))
    split = split_of(turn, panel_of(turn), "direction")
    assert 0.45 < split.shrunk < 0.5
    assert split.train.days == pytest.approx(3.5, abs=0.1)


def test_rows_that_have_not_settled_are_left_out(new_settings: Callable[..., Settings]) -> None:
    """A history that begins with the window has no warm-up; live rows always do."""
    settings = new_settings(days=5, symbols="BTC-USDT")
    turn = TurnRef("t", AT, "BTC-USDT", settings)
    source = open_source(settings.source)
    begin = utc(turn.at_ms - 5 * DAY_MS)
    short = source.fetch("BTC-USDT", "1m", begin, AT)
    candles_of(settings).append("BTC-USDT", "1m", short)
    panel = Panel.load(make_panel(turn, ("BTC-USDT",)).folder)
    whole = source.fetch("BTC-USDT", "1m", utc(turn.at_ms - 9 * DAY_MS), AT)
    program = FeatureProgram(panel.names, "1m")
    live = program.run(whole)[np.isin(open_ms(whole), panel.ts)]
    assert 0 < len(panel) < len(short)
    np.testing.assert_allclose(panel.X, live, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("benchmark", ["BTC-USDT", "XRP-USDT"])
def test_a_turn_reads_a_benchmark_beside_its_own_symbols(
    new_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, benchmark: str
) -> None:
    """It is fetched for features that compare with it, though the turn does not learn from it."""
    monkeypatch.setattr(data, "columns", lambda _: ("return_1", "btc_return_1", "ta:rsi"))
    settings = new_settings(days=1, symbols="ETH-USDT", benchmark=benchmark)
    turn = TurnRef("t", AT, "ETH-USDT", settings)
    data.fetch_candles(turn, "ETH-USDT")
    made = data.make_panel(turn, ("ETH-USDT",))
    panel = Panel.load(made.folder)
    assert panel.symbols == ("ETH-USDT",)
    other = candles_of(settings).read(benchmark, "1m")
    returns = np.log(other["close"]).diff()
    expected = returns.loc[pd.to_datetime(panel.ts, unit="ms", utc=True)].to_numpy()
    np.testing.assert_allclose(panel.X[:, 1], expected, atol=1e-7)


def test_bars_without_a_value_are_left_out_and_the_column_is_named(
    new_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = 17
    own.add("holed", lambda k: k["close"].pct_change(9).where(k.index.minute != 17), "x", window=20)
    names = ["return_1", "holed"]
    monkeypatch.setattr(data, "columns", lambda _: tuple(names))
    turn = TurnRef("t", AT, "ETH-USDT", new_settings(days=1, symbols="ETH-USDT"))
    try:
        data.fetch_candles(turn, "ETH-USDT")
        made = data.make_panel(turn, ("ETH-USDT",))
    finally:
        own.remove("holed")
    panel = Panel.load(made.folder)
    assert (panel.ts // 60_000 % 60 != minute).all()
    assert len(panel) == 24 * 60 - 24
    assert "24 rows without full features left out, for want of a settled value: holed on" in (
        made.sentence
    )


def test_a_turn_without_a_whole_row_says_which_columns_lack(
    new_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(days=1, symbols="ETH-USDT")
    turn = TurnRef("t", AT, "ETH-USDT", settings)
    monkeypatch.setattr(data, "columns", lambda _: ("return_1",))
    data.fetch_candles(turn, "ETH-USDT")
    monkeypatch.setattr(
        FeatureProgram, "run", lambda self, frame, **_: np.full((len(frame), 1), np.nan)
    )
    with pytest.raises(TurnFailed, match=r"no bar of ETH-USDT .* settled value: return_1 on 1,"):
        data.make_panel(turn, ("ETH-USDT",))
