"""No strategy can see a bar that has not closed, whatever it does with what it is given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from features.compute_once import FeatureCache
from market.candles import open_ms
from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy, Signal
from strategies.errors import StrategyFailed
from strategies.sizing import VolatilityTarget
from tests.features.walks import walk
from tests.strategies.played import BTC, ETH, MINUTE_MS, Scripted

BARS, AT = 400, 300
MARK = 1e7
"""Every price after bar `AT` is at least this; nothing that is seen before may be."""
NAMES = ["close", "high"]


def marked(seed: int = 0) -> pd.DataFrame:
    """Return candles whose later bars cannot be mistaken for earlier ones."""
    frame = walk(BARS, seed)
    frame.iloc[AT + 1 :, :4] += MARK
    frame["beside"] = frame["close"]
    return frame


def arrays(frame: pd.DataFrame) -> Iterator[np.ndarray]:
    """Yield all memory that a frame leads to by its public attributes."""
    found = [
        frame.values,
        frame.to_numpy(),
        np.asarray(frame),
        frame.index.values,
        frame.index.asi8,
    ]
    for name in frame.columns:
        column = frame[name]
        found += [column.values, column.to_numpy(), np.asarray(column), column.index.values]
    found += [frame.T.values, frame.iloc[-1].values, frame.copy(deep=False).values]
    for each in found:
        while isinstance(each, np.ndarray):
            yield each
            each = each.base


def latest(frame: pd.DataFrame) -> float:
    """Return the largest number that is found anywhere behind a frame, times as prices."""
    first = int(open_ms(marked())[0])
    worst = -np.inf
    for each in arrays(frame):
        if each.dtype.kind in "Mi":
            minutes = (each.astype("M8[ms]").astype(np.int64) - first) / MINUTE_MS
            worst = max(worst, MARK if minutes.max() > AT else 0.0)
        else:
            known = each.ravel()[np.isfinite(each.ravel())]
            worst = max(worst, known.max(initial=-np.inf))
    return worst


class Peeker(BaseStrategy):
    """Tries everything up to the marked bar and writes down the largest number it found."""

    name = "peeker"

    def __init__(self) -> None:
        self.found = -np.inf
        self.bars = 0
        self.kept: list[pd.DataFrame] = []

    def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
        self.bars += 1
        if self.bars > AT + 1:
            return None
        self.kept.append(df)
        later = ts_ms + 60 * MINUTE_MS
        self._note(price, volume)
        if self.bars % 50 == 1:
            self._look(symbol, df, fm, later)
        return None

    def _look(self, symbol, df, fm, later) -> None:
        frames = [df, self.kept[0]]
        for who in (fm, self.sees(fm, later)):
            for end in (None, later):
                frames.append(who.get_features(symbol, "1m", NAMES, 500, end))
                if self.bars > 10:
                    frames.append(who.get_features(symbol, "5m", NAMES, 500, end))
        self._note(*(latest(frame) for frame in frames))
        for value in [*df.attrs.values(), *frames[-1].attrs.values()]:
            assert isinstance(value, str | bool | int | dict), value
        for frame in frames:
            frame.loc[:, "close"] = -1.0

    def _note(self, *values: float) -> None:
        self.found = max(self.found, *values)


@pytest.mark.parametrize("how", ["push", "once", "cache"])
def test_nothing_given_leads_to_a_later_bar(how) -> None:
    strategy, frame = Peeker(), marked()
    if how == "cache":
        strategy.enable_feature_cache(frame, BTC)
    engine = BacktestEngine(strategy, features="once" if how == "once" else "push")
    engine.account(frame, BTC)
    assert strategy.bars == BARS
    assert strategy.found < MARK
    # What was kept shows what it showed, and the test would have noticed.
    assert len(strategy.kept[AT]) == AT + 1
    assert latest(frame) > MARK


def test_a_moment_of_a_cache_cannot_be_moved() -> None:
    frame = marked()
    seen = FeatureCache(frame, BTC).at(int(open_ms(frame)[AT]))
    with pytest.raises(AttributeError):
        seen.moment += 60 * MINUTE_MS
    assert seen.moment == int(open_ms(frame)[AT])


def test_a_cache_enabled_before_is_there_again_afterwards() -> None:
    def fails(i, **_):
        if i == 5:
            raise OSError("by hand")

    frame, strategy = walk(50), Scripted({})
    cache = strategy.enable_feature_cache(frame, BTC)
    BacktestEngine(strategy).account(frame, BTC)
    strategy.look, strategy.seen = fails, {}
    with pytest.raises(StrategyFailed, match="by hand"):
        BacktestEngine(strategy).account(frame, BTC)
    seen = strategy.sees(None, int(open_ms(frame)[-1]) + MINUTE_MS)
    assert len(seen.get_features(BTC, "1m", NAMES)) == 50
    assert cache.end == frame.index[-1] + pd.Timedelta("1min")


def test_what_comes_later_changes_nothing_before() -> None:
    """Two histories with the same beginning give the same decisions and account up to there."""

    class Momentum(BaseStrategy):
        name = "momentum"
        sizing = VolatilityTarget(0.5, lookback=20)

        def detect(self, symbol, price, volume, ts_ms, df, fm):
            slow = fm.get_features(symbol, "5m", ["return_5"])["return_5"].iloc[-1]
            fast = df["close"].iloc[-20:].mean()
            return Signal(
                symbol, "LONG" if (price > fast) == (slow > 0) else "SHORT", self.name, 0.6
            )

    one = {s: walk(450, seed) for seed, s in enumerate([BTC, ETH])}
    cut = 380
    other = {s: pd.concat([f.iloc[:cut], f.iloc[cut:] * 3.0]) for s, f in one.items()}
    runs = [
        BacktestEngine(Momentum(), features=how).account(f)
        for f in (one, other)
        for how in ("push", "once")
    ]
    same = [run.equity.iloc[:cut].tolist() for run in runs]
    assert same[0] == same[1] == same[2] == same[3]
    assert len(set(same[0])) > 300
    assert runs[0].equity.tolist() == runs[1].equity.tolist()
    assert runs[0].equity.iloc[-1] != runs[2].equity.iloc[-1]
    assert runs[0].unsettled > 40


def test_a_strategy_that_writes_into_what_it_is_given_changes_nothing() -> None:
    def writes(df, fm, symbol, i, **_):
        rows = fm.get_features(symbol, "1m", ["close"])
        for frame in (df, rows):
            frame["close"] = 0.0
            frame.attrs["source"] = "mine"
            values = frame.values
            if values.flags.writeable:
                values[:] = 0.0

    def reads(df, fm, symbol, price, **_):
        seen.append(
            (
                df["close"].iloc[-2:].tolist(),
                fm.get_features(symbol, "1m", ["close"]).iloc[-2:, 0].tolist(),
                dict(df.attrs),
            )
        )

    seen: list = []
    frame = walk(30)
    strategy = Scripted({}, look=lambda **k: (reads(**k), writes(**k)))
    BacktestEngine(strategy).account(frame, BTC)
    closes = frame["close"].tolist()
    assert [s[0] for s in seen] == [s[1] for s in seen]
    assert [s[0] for s in seen] == [closes[max(0, i - 1) : i + 1] for i in range(30)]
    assert all("source" not in s[2] for s in seen)
