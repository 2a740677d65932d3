"""Labels say what JUDGING.md defines, look no farther than their window, and stop at gaps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from market.timeframes import timeframe_ms
from ml_pipeline.targets import LABELS, horizon_bars, known_ms, labels, labels_of, open_times

Maker = Callable[..., pd.DataFrame]


def plain(name: str, c: pd.DataFrame, t: int, h: int) -> float:
    """Return a label by its definition, one row at a time."""
    close, high, low = (c[k].to_numpy() for k in ("close", "high", "low"))
    if t + h >= len(c):
        return math.nan
    move = math.log(close[t + h] / close[t])
    if name == "price":
        return move
    if name == "direction":
        return math.nan if close[t + h] == close[t] else float(move > 0)
    if name == "risk_excursion":
        reach = [abs(math.log(x[t + k] / close[t])) for x in (high, low) for k in range(1, h + 1)]
        return max(reach)
    if name == "momentum":
        if t < h:
            return math.nan
        past = math.log(close[t] / close[t - h])
        return float(np.sign(past) * (move - past) > 0)
    return sum(math.log(close[t + k] / close[t + k - 1]) ** 2 for k in range(1, h + 1))


@pytest.mark.parametrize("name", LABELS)
def test_labels_equal_their_definition(candles: Maker, name: str) -> None:
    c = candles(400)
    h = LABELS[name].horizon("1m")
    expected = [plain(name, c, t, h) for t in range(len(c))]
    np.testing.assert_allclose(labels(c, "1m")[name], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("s", [300, 301, 555])
def test_garbage_after_s_changes_no_label_known_before_s(candles: Maker, name: str, s: int) -> None:
    c, spoilt = candles(900), candles(900)
    rng = np.random.default_rng(1)
    spoilt.iloc[s:] *= rng.uniform(0.01, 100, (len(c) - s, 5))
    spoilt.iloc[s + 3 : s + 5] = np.nan
    known = known_ms(open_times(c), LABELS[name].horizon("1m"), "1m") <= open_times(c)[s]
    assert known.sum() == max(s - LABELS[name].horizon("1m"), 0)
    before, after = labels(c, "1m")[name], labels(spoilt, "1m")[name]
    np.testing.assert_array_equal(before[known], after[known])
    assert not np.array_equal(before[~known], after[~known], equal_nan=True)


@pytest.mark.parametrize("name", LABELS)
def test_a_prefix_and_a_later_start_give_the_same_labels(candles: Maker, name: str) -> None:
    c = candles(900)
    h = LABELS[name].horizon("1m")
    whole = labels(c, "1m")[name]
    np.testing.assert_array_equal(labels(c.iloc[:700], "1m")[name][: 700 - h], whole[: 700 - h])
    np.testing.assert_array_equal(labels(c.iloc[100:], "1m")[name][h:], whole[100 + h :])


@pytest.mark.parametrize("name", LABELS)
def test_a_missing_bar_voids_exactly_the_windows_it_lies_in(candles: Maker, name: str) -> None:
    c = candles(900).assign(close=lambda f: f["close"] + np.arange(900) * 1e-7)
    hole = 500
    gapped = labels(c.drop(c.index[hole]), "1m")[name]
    whole = np.delete(labels(c, "1m")[name], hole)
    h = LABELS[name].horizon("1m")
    lost = np.flatnonzero(np.isnan(gapped) & ~np.isnan(whole))
    # Momentum also looks back over the same number of bars.
    last = hole + h if name == "momentum" else hole
    np.testing.assert_array_equal(lost, np.arange(hole - h, last))
    kept = ~np.isnan(gapped)
    np.testing.assert_array_equal(gapped[kept], whole[kept])


def test_a_flat_market_has_no_direction_no_variance_and_no_acceleration(candles: Maker) -> None:
    c = candles(400)
    c[["open", "high", "low", "close"]] = 100.0
    made = labels(c, "1m")
    assert np.isnan(made["direction"]).all()
    for name in ("price", "risk_excursion", "momentum", "rv_1h", "rv_4h"):
        known = made[name][~np.isnan(made[name])]
        assert len(known) > 100
        assert (known == 0).all()


@pytest.mark.parametrize("n", [0, 1, 5, 6, 12, 60, 240, 241])
def test_short_histories_are_unknown_rather_than_wrong(candles: Maker, n: int) -> None:
    made = labels(candles(n), "1m")
    for name, label in LABELS.items():
        assert len(made[name]) == n
        known = (~np.isnan(made[name])).sum()
        assert known <= max(n - label.horizon("1m"), 0)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("direction", (5, 5)), ("momentum", (12, 12)), ("risk", (60, 12)), ("volatility", (240, 48))],
)
def test_horizons(kind: str, expected: tuple[int, int]) -> None:
    assert (horizon_bars(kind, "1m"), horizon_bars(kind, "5m")) == expected


def test_an_unknown_kind_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(KeyError, match="direction, risk, price, momentum, volatility"):
        labels_of("drection")


def test_labels_of_sixty_thousand_bars_take_under_a_third_of_a_second(candles: Maker) -> None:
    c = candles(60_000)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        labels(c, "1m")
        took.append(time.perf_counter() - began)
    assert min(took) < 0.3


def test_known_at_is_the_close_of_the_last_bar_of_the_window() -> None:
    minute = timeframe_ms("1m")
    np.testing.assert_array_equal(known_ms(np.array([0]), 5, "1m"), [6 * minute])
