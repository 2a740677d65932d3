"""Walk forward: at the start of each fold fit on what was known then, and forecast the fold.

A fold is a turn without a holdout: what follows its start was unknown to the fit and is forecast,
so nothing need be held back::

    [ train | purge | calibration | purge | selection | purge ] fold

Moved by the length of the holdout, these are the slices of a turn: a fold that starts where a
turn's holdout opens makes the very model of that turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.export import score
from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.panel import Panel
from ml_pipeline.recipe import Recipe
from ml_pipeline.splits import Block, TurnSplit, refuse_short

Floats = NDArray[np.float64]

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Fold:
    """Bars opened in ``[start_ms, end_ms)``, predicted by models that knew all until `start_ms`."""

    start_ms: int
    end_ms: int

    def rows(self, panel: Panel) -> Panel:
        """Return the rows of the fold; a panel is sorted by time, so nothing is copied."""
        first, last = np.searchsorted(panel.ts, [self.start_ms, self.end_ms])
        return panel.rows(slice(int(first), int(last)))

    def known(self, panel: Panel) -> Panel:
        """Return the rows of bars that had opened before the fold."""
        return panel.rows(slice(0, int(np.searchsorted(panel.ts, self.start_ms))))


@dataclass(frozen=True)
class Forecast:
    """What one recipe said of one fold.

    Attributes
    ----------
    fitted
        The model, which knew nothing of the fold.
    split
        The slices it was fitted on; the fold stands where a turn has its holdout.
    ts, symbol
        Opening times (epoch ms) and symbols of the rows, int64 [n] and int16 [n].
    raw
        Output of the exported graph on them, float64 [n, K].
    """

    fitted: Fitted
    split: TurnSplit
    ts: NDArray[np.int64]
    symbol: NDArray[np.int16]
    raw: Floats


def folds(end_ms: int, days: float, hours: float) -> Iterator[Fold]:
    """Yield the folds of `hours` hours that fill the `days` days before `end_ms`, oldest first."""
    length = int(hours * HOUR_MS)
    count = int(days * DAY_MS) // length
    for i in range(count):
        start = end_ms - (count - i) * length
        yield Fold(start, start + length)


def clock_folds(since_ms: int, until_ms: int, hours: float) -> Iterator[Fold]:
    """Yield the folds that start on multiples of `hours` hours, oldest first.

    Whoever asks, and whenever, finds the same folds: for 12 hours those of midnight and noon, UTC.
    The first starts at `since_ms` or later, the last is cut at `until_ms`.

    Examples
    --------
    >>> [fold.end_ms // HOUR_MS for fold in clock_folds(5 * HOUR_MS, 30 * HOUR_MS, 12)]
    [24, 30]
    """
    length = int(hours * HOUR_MS)
    for start in range(-(-since_ms // length) * length, until_ms, length):
        yield Fold(start, min(start + length, until_ms))


def fold_split(
    fold: Fold,
    first_ms: int,
    timeframe: str,
    horizon_bars: int,
    days: tuple[float, float, float],
) -> TurnSplit:
    """Return the slices of a fold: every label that a fit reads was known when it started.

    Parameters
    ----------
    fold
        Takes the holdout's place.
    first_ms
        Opening time of the first usable row, epoch ms.
    timeframe
        Length of a bar.
    horizon_bars
        Bars until a label is known; they and the bar itself are purged after each slice.
    days
        Of training, calibration and selection. Where the history is shorter, all three shrink by
        one factor, which the split tells as `shrunk`.

    Raises
    ------
    SplitError
        The history cannot hold slices of `splits.MIN_BARS` bars and of four horizons each.
    """
    step = timeframe_ms(timeframe)
    first, start = -(-first_ms // step), fold.start_ms // step
    wanted = np.array(days) * (DAY_MS / step)
    room = start - first - 3 * (horizon_bars + 1)
    shrunk = min(1.0, room / float(wanted.sum()))
    lengths = [int(bars) for bars in np.floor(wanted * shrunk + 1e-9)]
    refuse_short(lengths, horizon_bars, timeframe, start - first)
    blocks: list[Block] = []
    stop = start - horizon_bars - 1
    for length in reversed(lengths):
        blocks.insert(0, Block((stop - length) * step, stop * step))
        stop -= length + horizon_bars + 1
    train, calibration, selection = blocks
    holdout = Block(fold.start_ms, fold.end_ms)
    return TurnSplit(train, calibration, selection, holdout, timeframe, horizon_bars, shrunk)


def fit_fold(
    recipe: Recipe | str,
    panel: Panel,
    fold: Fold,
    split: TurnSplit,
    seed: int,
    *,
    novelty: bool = True,
) -> Fitted:
    """Fit a recipe, or the baseline of the kind of that name, on what was known before the fold.

    What the fit is given ends with the fold's start: it cannot read further if it wanted to.

    Raises
    ------
    FitError, ParityError
        As `ml_pipeline.fit.fit`.
    """
    past = fold.known(panel)
    if isinstance(recipe, str):
        return fit_baseline(recipe, past, split, novelty=novelty)
    return fit(recipe, past, split, seed, novelty=novelty)


def forecast(
    recipe: Recipe | str, panel: Panel, fold: Fold, split: TurnSplit, seed: int
) -> Forecast:
    """Fit as `fit_fold` does, and say what the exported graph makes of the fold's bars.

    Bars whose outcome is not known, or never will be, are forecast too: a ledger settles them. The
    model goes nowhere, so it is not taught to tell what is novel to it.
    """
    fitted = fit_fold(recipe, panel, fold, split, seed, novelty=False)
    rows = fold.rows(panel)
    raw = score(fitted.onnx, rows)
    return Forecast(fitted, split, np.array(rows.ts), np.array(rows.symbol), raw)


def forecast_saved(
    recipe: Recipe | str, folder: str | Path, fold: Fold, split: TurnSplit, seed: int
) -> Forecast:
    """Return `forecast` on the panel saved in `folder`: what a child process is asked to do."""
    return forecast(recipe, Panel.load(folder), fold, split, seed)
