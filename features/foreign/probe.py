"""The probe: what a function of candles does with the future, with history and with units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import RefusedFeature
from features.foreign.answers import Function, Table, columns_of
from features.foreign.findings import Change, Probe
from features.foreign.trial import DAY, OUTAGES, trial_candles
from features.units import Unit

TOLERANCE = 1e-9
"""Differences below this share of a column's typical size count as rounding."""
LENGTHS = (1_500, 9_000, 22_000)
"""Bars of the trials: a longer one only for what has not settled in half of the shorter one.

Fifteen days are two whole weeks after one day, and all of one month: a sum since Monday settles,
one since the first of the month does not.
"""

_CUTS = (0.351, 0.467, 0.573, 0.741, 0.823, 0.967)  # of all bars: where the future begins
_EARLY = (7, 31, 97)  # bars: there the look-back is cut, where a back-fill would show
_STARTS = (0.12, 0.28, 0.44)  # of all bars: where another history begins, just after an hour
_EVENTS = 12  # bars with rare values: most that are looked at
_ROOM = 0.1  # share of the bars after a start that must agree for it to count as forgotten
_FEW = 300  # bars: more than any function may need before it answers at all
_MONDAY = 5 * DAY  # bars: trials begin on a Wednesday
_POWERS = (9, -9, 5)  # of two: prices and volumes in other units
_PRICES = ["open", "high", "low", "close"]

Floats = NDArray[np.float64]


def probe(
    function: Function, name: str = "function", lengths: Iterable[int] = LENGTHS
) -> dict[str, Probe]:
    """Try a function out on made-up candles.

    Parameters
    ----------
    function : callable
        Candles in; a Series, a DataFrame or an array of the same length out.
    name : str
        What it is called in messages; a single column gets this name.
    lengths : iterable of int
        Bars of the trials, tried in turn until every column settles.

    Returns
    -------
    dict of str to Probe
        By column, in their order. Whether a column may be a feature: `Probe.check`.

    Raises
    ------
    RefusedFeature
        The function fails, changes its candles, answers differently when asked again, or returns
        something that is not a column of numbers beside the candles.
    """
    found: dict[str, Probe] | RefusedFeature = {}
    for n in lengths:
        try:
            found = _Trial(function, name, trial_candles(n)).verdicts()
        except RefusedFeature as error:  # perhaps they were too few for it
            found = error
            continue
        # What a start early in the week takes till Monday, one on Monday may take for a week.
        if all(p.leak or (p.settle is not None and 2 * p.settle <= n) for p in found.values()):
            break
    if isinstance(found, RefusedFeature):
        raise found
    return found


class _Trial:
    """One function on candles of one length, and on the same candles changed."""

    def __init__(self, function: Function, name: str, candles: pd.DataFrame) -> None:
        self.function, self.name, self.candles = function, name, candles
        self.values = self.run(candles)
        self._prefixes: dict[int, Table] = {}
        again = self.run(candles)
        for column, values in self.values.items():
            differs = _differing(again.get(column, np.empty(0)), values, 0.0)
            if differs.any():
                raise RefusedFeature(
                    f"{name}: {column} is not the same when asked again, at {differs.sum()} of "
                    f"{len(candles)} bars; use no clock and no randomness"
                )

    def run(self, candles: pd.DataFrame) -> Table:
        given = candles.copy()
        table = columns_of(self.function, self.name, given)
        if not given.equals(candles):
            raise RefusedFeature(f"{self.name} changes the candles it is given; work on a copy")
        return table

    def verdicts(self) -> dict[str, Probe]:
        futures, pasts = [*self._futures(), *self._events()], list(self._pasts())
        scaled = self._scaled()
        return {name: self._verdict(name, futures, pasts, scaled) for name in self.values}

    def _futures(self) -> Iterator[tuple[int, Table]]:
        """Yield where the future was dropped or replaced, and the values before it."""
        n = len(self.candles)
        outages = [(begin + end) / 2 for begin, end in OUTAGES]
        cuts = [int(share * n) for share in (*_CUTS, *outages)]
        for cut in [*cuts, *_EARLY, *([DAY + 1] if n > DAY else [])]:
            with _few(2 * cut < n):
                yield cut, self.run(self.candles.iloc[:cut])
        other = trial_candles(n, seed=99)
        for cut in cuts[1 : len(_CUTS) : 2]:
            changed = self.candles.copy()
            changed.iloc[cut:] = other.iloc[cut:].to_numpy() * [2, 2, 2, 2, 3]
            yield cut, {key: column[:cut] for key, column in self.run(changed).items()}

    def _events(self) -> Iterator[tuple[int, Table]]:
        """Yield where the future was dropped just after rare values, and the values before it.

        What tells a rare bar to come is the same at almost every other cut.
        """
        bars = np.unique(np.concatenate([_rare(column) for column in self.values.values()]))
        bars = bars[(bars >= len(self.candles) // 3) & (bars < len(self.candles) - 1)]
        for i in np.unique(np.linspace(0, len(bars) - 1, _EVENTS).astype(int)) if len(bars) else ():
            cut = int(bars[i]) + 1
            yield cut, self._prefix(cut)

    def _pasts(self) -> Iterator[tuple[int, Table]]:
        """Yield where a later history starts, and the values from there on."""
        n = len(self.candles)
        starts = [int(share * n) // 60 * 60 + 1 for share in _STARTS]
        starts += [_MONDAY + 2] if n > _MONDAY + 10 * DAY else []
        # After the first bar that trades, a day's sums have longest to go until they begin anew.
        for start in [*starts, DAY + 2] if n > 3 * DAY else starts:
            yield start, self.run(self.candles.iloc[start:])

    def _scaled(self) -> list[tuple[int, Table, Table]]:
        """Return powers of two with the values at such prices, and at such volumes."""
        tables = []
        for power in _POWERS:
            dear, large = self.candles.copy(), self.candles.copy()
            dear[_PRICES] *= 2.0**power
            large["volume"] *= 2.0**power
            tables.append((power, self.run(dear), self.run(large)))
        return tables

    def _verdict(
        self,
        name: str,
        futures: list[tuple[int, Table]],
        pasts: list[tuple[int, Table]],
        scaled: list[tuple[int, Table, Table]],
    ) -> Probe:
        values = self.values[name]
        slack = TOLERANCE * _typical(values)
        leak, exact = self._leak(name, futures, slack)
        settle, drift = self._settle(name, pasts, slack)
        empty = np.flatnonzero(~np.isfinite(values))
        # What has no value before it has settled belongs to the look-back.
        first = int(np.argmax(np.isfinite(values))) if len(empty) < len(values) else len(values)
        early = empty[empty < max(first, settle or 0)]
        lookback = self._first_value(name, int(early[-1]) + 1 if len(early) else 0)
        late = empty[empty >= max(lookback, settle or 0)]
        return Probe(
            name=name,
            lookback=lookback,
            settle=None if settle is None else max(settle, lookback),
            unit=self._unit(name, scaled),
            exact=exact,
            missing=len(late) if first < len(values) else len(values),
            first_missing=int(late[0]) if len(late) else -1,
            bars=len(values),
            leak=leak,
            drift=drift,
        )

    def _first_value(self, name: str, bar: int) -> int:
        """Return the first bar from `bar` on that has a value when no later bar is there.

        Some functions refuse few candles, and give the same bars a value when there are more.
        """
        for n in range(bar + 1, min(bar + _FEW, len(self.candles))):
            with suppress(RefusedFeature):
                if np.isfinite(_column(self._prefix(n), name, n)[-1]):
                    return n - 1
        return bar

    def _prefix(self, n: int) -> Table:
        if n not in self._prefixes:
            self._prefixes[n] = self.run(self.candles.iloc[:n])
        return self._prefixes[n]

    def _leak(
        self, name: str, futures: list[tuple[int, Table]], slack: float
    ) -> tuple[Change | None, bool]:
        exact = True
        for cut, table in futures:
            if name not in table and 2 * cut < len(self.candles):
                continue  # too few bars for this column
            before, after = self.values[name][:cut], _column(table, name, cut)
            moved = np.flatnonzero(_differing(after, before, slack))
            if len(moved):
                bar = int(moved[0])
                return Change(bar, cut, float(before[bar]), float(after[bar])), False
            exact = exact and not _differing(after, before, 0.0).any()
        return None, exact

    def _settle(
        self, name: str, pasts: list[tuple[int, Table]], slack: float
    ) -> tuple[int | None, Change | None]:
        longest, n = 0, len(self.candles)
        for start, table in pasts:
            before = self.values[name][start:]
            after = _column(table, name, len(before))
            moved = np.flatnonzero(_differing(after, before, slack))
            last = int(moved[-1]) if len(moved) else -1
            # Beyond half of a trial it is chance that some starts agree.
            if last >= min((1 - _ROOM) * len(before), n / 2):
                return None, Change(start + last, start, float(before[last]), float(after[last]))
            longest = max(longest, last + 1)
        return longest, None

    def _unit(self, name: str, scaled: list[tuple[int, Table, Table]]) -> Unit | None:
        values = self.values[name]
        powers = [
            (_power(values, _column(dear, name, len(values)), power),
             _power(values, _column(large, name, len(values)), power))
            for power, dear, large in scaled
        ]  # fmt: skip
        price, volume = powers[0]
        if price is None or volume is None or any(found != powers[0] for found in powers):
            return None
        return Unit(price=price, volume=volume)


def _power(values: Floats, changed: Floats, power: int) -> int | None:
    """Return the p for which `changed` is `values` times 2 to the (p · power), if there is one."""
    sized = np.isfinite(values) & np.isfinite(changed) & (values != 0) & (changed != 0)
    if not sized.any():
        return 0 if not _differing(changed, values, 0.0).any() else None
    ratios = np.log2(np.abs(changed[sized] / values[sized])) / power
    p = round(float(np.median(ratios)))
    expected = values * 2.0 ** (p * power)
    same = not _differing(changed, expected, TOLERANCE * _typical(expected)).any()
    return p if same else None


def _few(bars: bool) -> AbstractContextManager[None]:
    """Let a function refuse few bars: that is no look-ahead."""
    return suppress(RefusedFeature) if bars else nullcontext()


def _column(table: Table, name: str, n: int) -> Floats:
    """Return a column; one that is absent, because there was too little history, has no values."""
    return table.get(name, np.full(n, np.nan))


def _rare(values: Floats) -> NDArray[np.int64]:
    """Return the bars where a column differs from the value that it has on most of them."""
    found, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if not len(found) or 2 * counts.max() < len(values):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.isfinite(values) & (values != found[np.argmax(counts)]))


def _typical(values: Floats) -> float:
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    return float(np.median(sizes)) if len(sizes) else 0.0


def _differing(a: Floats, b: Floats, slack: float) -> NDArray[np.bool_]:
    """Return where two columns differ by more than `slack` and 1e-9 of the value."""
    if len(a) != len(b):
        return np.ones(max(len(a), len(b)), dtype=bool)
    share = TOLERANCE if slack else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        apart = ~(np.abs(a - b) <= slack + share * np.abs(b))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.asarray(apart & ~same)
