"""Verdicts on lines: skill, z against the champion's line, calibration and place, of rows alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.losses import ece, log_loss
from ml_pipeline.skill import judge
from models.common.slot import Slot
from orchestration.judge.lines import Lines, lines_of
from orchestration.judge.verdicts import Standing, level_on, standings
from orchestration.store.records import ModelRecord
from tests.deciding.ledgers import DIRECTION, MINUTE, START, START_MS

SYMBOLS = ("A", "B")


def model(version: str, recipe: str, **facts: Any) -> ModelRecord:
    known = {"recipe": recipe, "baseline": recipe == "baseline", **facts}
    return ModelRecord("s", version, version, "superseded", known, START, START)


def rows(version: str, raw: np.ndarray, outcome: np.ndarray, first: int = 0) -> pd.DataFrame:
    """Ledger rows of one version: raw and outcome [bars, symbols, K]."""
    bars = len(raw)
    frame = {
        "symbol": np.tile(np.array(SYMBOLS, dtype=object), bars),
        "ts_ms": START_MS + MINUTE * np.repeat(np.arange(first, first + bars), len(SYMBOLS)),
        "version": version,
        "role": "shadow",
        "made_ms": START_MS,
        "resolved": True,
    }
    for name, values in (("raw", raw), ("outcome", outcome)):
        flat = values.reshape(bars * len(SYMBOLS), -1)
        frame |= {f"{name}_{k}": flat[:, k] for k in range(flat.shape[1])}
    return pd.DataFrame(frame)


def market(bars: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What is likely and what came, [bars, symbols]."""
    rng = np.random.default_rng(seed)
    p = 0.5 + 0.1 * rng.choice([-1, 1], size=(bars, len(SYMBOLS)))
    return p, (rng.uniform(size=p.shape) < p).astype(float)


def direction(bars: int, **said: np.ndarray) -> Lines:
    """Lines of probabilities [bars, symbols] by recipe."""
    _, up = market(bars)
    models = {f"d_{name}": model(f"d_{name}", name) for name in said}
    parts = [rows(f"d_{name}", p, up) for name, p in said.items()]
    return lines_of(DIRECTION, pd.concat(parts), models)


def coin(bars: int) -> np.ndarray:
    return np.full((bars, len(SYMBOLS)), 0.5)


def test_figures_are_those_of_the_judge_on_the_same_rows() -> None:
    bars = 4000
    p, up = market(bars)
    found = standings(direction(bars, a=p, baseline=coin(bars)), None, seed=5)
    ts, symbol = np.repeat(np.arange(bars), 2), np.tile([0, 1], bars)
    mine, coins = log_loss(up, p).ravel(), log_loss(up, coin(bars)).ravel()
    told = judge(ts, symbol, mine, coins, 5, seed=5)
    a = found["a"]
    names = ("skill", "lower", "upper", "z", "n", "effective_n", "loss", "base_loss")
    assert [getattr(a, k) for k in names] == pytest.approx([getattr(told, k) for k in names])
    assert a.z_champion == a.z  # the baseline's line is the one to beat
    assert a.days == a.days_champion == round(bars / 1440, 3)
    assert a.metrics["ece"] == pytest.approx(ece(up.ravel(), p.ravel()))
    assert (found["baseline"].z, found["baseline"].z_champion) == (0.0, None)


def test_lines_meet_only_on_the_bars_that_both_answered() -> None:
    bars = 4000
    p, _ = market(bars)
    late = p.copy()
    late[:3000] = np.nan
    lines = direction(bars, a=p, baseline=coin(bars))
    whole, up = rows("d_a", p, market(bars)[1]), market(bars)[1]
    parts = [whole, rows("d_baseline", coin(bars), up), rows("d_b", p[3000:], up[3000:], 3000)]
    models = {f"d_{k}": model(f"d_{k}", k) for k in ("a", "b", "baseline")}
    found = standings(lines_of(DIRECTION, pd.concat(parts), models), "a", seed=0)
    assert (found["b"].n_champion, found["b"].days_champion) == (2000, round(1000 / 1440, 3))
    assert found["b"].z_champion == 0.0  # there they say the same
    assert found["a"].z_champion is None
    shorter = standings(lines_of(DIRECTION, pd.concat(parts), models), "b", seed=0)
    assert (shorter["a"].n_champion, shorter["a"].z_champion) == (2000, 0.0)
    assert found["baseline"].z_champion < -3
    assert found["a"].z == standings(lines, None, seed=0)["a"].z


def test_each_version_is_read_by_its_own_head() -> None:
    slot, bars = Slot("majors", "price", "1m"), 500
    rng = np.random.default_rng(0)
    came = rng.standard_normal((bars, 2, 1)) * 1e-3
    raw = np.stack([np.zeros((bars, 2)), np.full((bars, 2), 1e-3)], axis=2)
    half = bars // 2
    models = {
        "d1_a": model("d1_a", "a", head={"interval_q": 1.645}),
        "d2_a": model("d2_a", "a", head={"interval_q": 1e-6}),
        "d1_baseline": model("d1_baseline", "baseline", head={"interval_q": 1.0}),
    }
    parts = [
        rows("d1_a", raw[:half], came[:half]),
        rows("d2_a", raw[half:], came[half:], half),
        rows("d1_baseline", raw, came),
    ]
    found = standings(lines_of(slot, pd.concat(parts), models), None, seed=0)
    inside = np.abs(came[:half]) <= 1.645e-3
    assert found["a"].metrics["coverage"] == pytest.approx(inside.sum() / (2 * bars))
    assert found["a"].versions == 2


def test_a_head_that_is_not_known_costs_the_metrics_and_nothing_else() -> None:
    slot, bars = Slot("majors", "price", "1m"), 600
    came = np.random.default_rng(0).standard_normal((bars, 2, 1)) * 1e-3
    raw = np.stack([np.zeros((bars, 2)), np.full((bars, 2), 1e-3)], axis=2)
    models = {"d_a": model("d_a", "a"), "d_baseline": model("d_baseline", "baseline")}
    parts = [rows(version, raw, came) for version in models]
    a = standings(lines_of(slot, pd.concat(parts), models), None, seed=0)["a"]
    assert (a.metrics, a.skill, a.silent) == ({}, 0.0, True)


@pytest.mark.parametrize("bars", [1, 20])
def test_too_few_bars_are_no_verdict_but_a_reason(bars: int) -> None:
    p, _ = market(bars)
    a = standings(direction(bars, a=p, baseline=coin(bars)), None, seed=0)["a"]
    assert (a.skill, a.z_champion) == (None, None)
    assert f"{bars} times with known outcomes are too few" in a.reason
    assert "no verdict on 0.0 days of ledger" in a.words()


def test_without_a_baseline_there_is_no_skill() -> None:
    p, _ = market(4000)
    a = standings(direction(4000, a=p), "a", seed=0)["a"]
    assert a.skill is None
    assert "no baseline" in a.reason


def test_what_is_provably_worse_is_outside_and_the_young_are_not_compared() -> None:
    bars = 60 * 60
    p, up = market(bars)
    wrong = 1 - p
    told = {"a": p, "b": wrong, "baseline": coin(bars)}
    parts = [rows(f"d_{name}", raw, up) for name, raw in told.items()]
    parts.append(rows("d_young", wrong[-600:], up[-600:], bars - 600))
    models = {f"d_{k}": model(f"d_{k}", k) for k in (*told, "young")}
    found = standings(lines_of(DIRECTION, pd.concat(parts), models), None, seed=0)
    assert {name: one.inside for name, one in found.items()} == {
        "a": True, "b": False, "baseline": False, "young": True,
    }  # fmt: skip
    assert found["young"].p_value is None


def test_an_ensemble_puts_none_of_its_members_out_but_can_be_put_out() -> None:
    bars = 60 * 60
    p, _ = market(bars)
    rng = np.random.default_rng(1)
    some = {name: np.where(rng.random(p.shape) < 0.2, 1 - p, p) for name in "ab"}
    told = {**some, "baseline": coin(bars)}
    alone = standings(direction(bars, **told), None, seed=0, full_days=2)
    better = standings(direction(bars, ensemble=p, **told), None, seed=0, full_days=2)
    assert alone["a"].inside
    assert {name: one.p_value for name, one in better.items() if name != "ensemble"} == {
        name: one.p_value for name, one in alone.items()
    }
    assert better["ensemble"].inside
    worse = standings(direction(bars, ensemble=1 - p, **told), None, seed=0, full_days=2)
    assert not worse["ensemble"].inside


def test_a_line_that_says_nothing_any_more_takes_no_part_in_the_confidence_set() -> None:
    """Else the set of those that go on ends with the bars of the one that is gone."""
    bars, gone = 80 * 60, 60 * 60
    p, up = market(bars)
    broke = np.where(np.arange(bars)[:, None] < gone, p, 1 - p)
    told = {"a": p, "b": broke, "baseline": coin(bars), "dead": p[:gone]}
    parts = [rows(f"d_{name}", raw, up[: len(raw)]) for name, raw in told.items()]
    lines = lines_of(DIRECTION, pd.concat(parts), {f"d_{k}": model(f"d_{k}", k) for k in told})
    assert standings(lines, None, seed=0, full_days=2)["b"].inside
    found = standings(lines, None, seed=0, full_days=2, speaking={"a", "b", "baseline"})
    assert not found["b"].inside
    assert (found["dead"].p_value, found["dead"].inside) == (None, True)


def test_a_young_ledger_sets_aside_only_what_is_clearly_worse() -> None:
    assert level_on(14, 0.1, 14) == level_on(30, 0.1, 14) == 0.1
    assert level_on(0, 0.1, 14) == 0.0
    levels = [level_on(days, 0.1, 14) for days in (1, 2, 7, 13.9)]
    assert levels == sorted(levels)
    bars = 60 * 60
    p, _ = market(bars)
    shaky = np.where(np.arange(bars)[:, None] % 40 == 0, 1 - p, p)
    lines = direction(bars, a=p, b=shaky, baseline=coin(bars))
    young, old = (standings(lines, None, seed=0, full_days=days)["b"] for days in (500, 2))
    assert young.p_value == old.p_value
    assert 0 < (old.p_value or 0) < 0.1
    assert (young.inside, old.inside) == (True, False)


def test_an_empty_ledger_gives_nobody_a_standing() -> None:
    empty = rows("d_a", coin(1), coin(1))[:0]
    assert standings(lines_of(DIRECTION, empty, {}), "a", seed=0) == {}
    assert Standing("a", baseline=False).words() == "no verdict on 0.0 days of ledger"
