"""The verdict on a model: whether it beats its baseline, by how much, and how sure that is.

JUDGING.md, section 4. The skill is ``S = 1 - L_model / L_baseline``. Everything rests on the paired
differences of loss, averaged over symbols at each time, because symbols move together and are not
independent witnesses.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_pipeline.bootstrap import DRAWS, stationary_bootstrap_interval
from ml_pipeline.errors import JudgingError, TooFewOutcomes
from ml_pipeline.hac import MeanEstimate, hac_mean, hac_z, long_run_variance

__all__ = [
    "MeanEstimate",
    "Verdict",
    "hac_mean",
    "hac_z",
    "judge",
    "judging_lag",
    "long_run_variance",
    "paired_mean",
    "paired_series",
    "stationary_bootstrap_interval",
    "verdict_of",
]

Floats = NDArray[np.float64]

LEVEL = 0.95
LAG_SHARE = 24
"""The lag is at least this part of the sample, whatever the horizon."""
SAME = 1e-5
"""Losses that differ by less than this part are those of one forecast, rounded in two ways."""


@dataclass(frozen=True)
class Verdict:
    """What a comparison of a model with its baseline came to.

    Attributes
    ----------
    skill : float
        ``1 - loss / base_loss``; above nought is better than the baseline.
    lower, upper : float
        95 % confidence interval of the skill (two-sided): without an effect `lower` is above nought
        in at most 2.5 % of verdicts, and never unless z >= 1.96.
    z : float
        Of the mean paired loss difference, corrected so that it can be read as standard normal.
    n, times : int
        Rows, and different times among them.
    effective_n : float
        Independent times that would tell as much.
    loss, base_loss : float
        Mean loss of the model and of the baseline: means over times of means over symbols.
    """

    skill: float
    lower: float
    upper: float
    z: float
    n: int
    times: int
    effective_n: float
    loss: float
    base_loss: float

    def as_dict(self) -> dict[str, float | int]:
        """Return the figures by name."""
        return asdict(self)


def _per_time(ts: NDArray[np.int64], *columns: Floats) -> list[Floats]:
    """Return the mean of each column at each different time, in order of time."""
    _, where, count = np.unique(ts, return_inverse=True, return_counts=True)
    return [np.bincount(where, weights=column) / count for column in columns]


def paired_series(ts: ArrayLike, loss_base: ArrayLike, loss_model: ArrayLike) -> Floats:
    """Return the loss difference ``baseline - model``, averaged over symbols at each time.

    Parameters
    ----------
    ts : int64[n]
        Opening times, in any order.
    loss_base, loss_model : float[n]
        Losses of the same rows. Rows where either is NaN (no outcome) are left out.

    Returns
    -------
    float64[T]
        In order of time; positive where the model was better.
    """
    base = np.asarray(loss_base, dtype=np.float64)
    difference = base - np.asarray(loss_model, dtype=np.float64)
    known = ~np.isnan(difference)
    return _per_time(np.asarray(ts)[known], difference[known])[0]


def judging_lag(horizon_bars: int, times: int) -> int:
    """Return the lag a verdict uses: twice the horizon, or 1/24 of the sample if that is more.

    The second bound is for losses that stay dependent beyond the overlap, as those of volatility
    do. It costs a long sample little, as the t that judges it has about 35 degrees of freedom.
    """
    return max(2 * horizon_bars, times // LAG_SHARE)


def judge(
    ts: ArrayLike,
    symbol: ArrayLike,
    loss_model: ArrayLike,
    loss_base: ArrayLike,
    horizon_bars: int,
    seed: int,
    draws: int = DRAWS,
) -> Verdict:
    """Return the verdict on a model against a baseline on the same rows.

    Parameters
    ----------
    ts : int64[n]
        Opening times of the rows, epoch milliseconds.
    symbol : int[n] or str[n]
        Symbols of the rows.
    loss_model, loss_base : float[n]
        Losses, row by row; a row where either is NaN has no outcome and is left out.
    horizon_bars : int
        Bars until a label is known. Lag of the HAC: `judging_lag`; expected block of the bootstrap:
        ``max(60, 4 horizons)``.
    seed : int
        Of the bootstrap. The same arguments give the same verdict.
    draws : int
        Of the bootstrap.

    Raises
    ------
    TooFewOutcomes
        Fewer times than `MIN_TIMES`, or than four horizons.
    JudgingError
        Columns of different lengths, a bar that comes twice, an infinite loss, or a baseline whose
        mean loss is not above nought.

    Notes
    -----
    The published interval is the wider, on each side, of two: the percentiles of the stationary
    bootstrap, which know the shape of the losses, and the t interval of `hac_mean`, which knows how
    few independent times there are. The standard error of the latter is the larger of that of the
    ratio (delta method) and that of the difference alone, so bound and z cannot disagree.
    """
    rows, base, difference = _known_rows(ts, symbol, loss_model, loss_base)
    return verdict_of(rows, base, difference, horizon_bars, seed, draws)


def paired_mean(difference: Floats, base: Floats, horizon_bars: int) -> MeanEstimate:
    """Return the mean of paired loss differences over time, with what it takes to judge it.

    Parameters
    ----------
    difference, base : float[T]
        Loss of the other minus loss of the model, and loss of the other, at each time in order.

    Raises
    ------
    TooFewOutcomes
        As `hac_mean` does.
    """
    if len(base) and np.sqrt(np.mean(np.square(difference))) <= SAME * base.mean():
        difference = np.zeros_like(difference)
    return hac_mean(difference, judging_lag(horizon_bars, len(difference)), horizon_bars)


def verdict_of(
    rows: int,
    base: Floats,
    difference: Floats,
    horizon_bars: int,
    seed: int,
    draws: int = DRAWS,
) -> Verdict:
    """Return the verdict that `judge` does, of losses that are averaged over symbols already.

    Parameters
    ----------
    rows
        How many rows the averages are made of.
    base, difference : float[T]
        Loss of the baseline, and that loss minus the model's, at each time in order.
    """
    if len(base) and np.sqrt(np.mean(np.square(difference))) <= SAME * base.mean():
        difference = np.zeros_like(difference)
    lag = judging_lag(horizon_bars, len(difference))
    mean = paired_mean(difference, base, horizon_bars)
    base_loss = float(base.mean())
    if base_loss <= 0:
        raise JudgingError(
            f"the baseline's mean loss over {rows} rows is {base_loss:g}: there is nothing to "
            "beat, as on a market that does not move"
        )
    skill = mean.mean / base_loss
    ratio = hac_mean((difference - skill * base) / base_loss, lag, horizon_bars)
    wider = max(ratio.se, mean.se / base_loss)
    t_low, t_high = MeanEstimate(skill, wider, mean.dof, mean.times, mean.effective_n).bounds(LEVEL)
    low, high = stationary_bootstrap_interval(
        difference,
        base,
        min(max(60, 4 * horizon_bars), len(base)),
        np.random.default_rng(seed),
        draws,
        LEVEL,
    )
    return Verdict(
        skill=skill,
        lower=min(low, t_low),
        upper=max(high, t_high),
        z=mean.z,
        n=rows,
        times=mean.times,
        effective_n=mean.effective_n,
        loss=base_loss - mean.mean,
        base_loss=base_loss,
    )


def _known_rows(
    ts: ArrayLike, symbol: ArrayLike, loss_model: ArrayLike, loss_base: ArrayLike
) -> tuple[int, Floats, Floats]:
    """Return the rows with an outcome; the baseline's loss and the difference at each time."""
    times, owner = np.asarray(ts), np.asarray(symbol)
    model = np.asarray(loss_model, dtype=np.float64)
    base = np.asarray(loss_base, dtype=np.float64)
    shapes = {a.shape for a in (times, owner, model, base)}
    if len(shapes) != 1:
        raise JudgingError(f"times, symbols and losses have shapes {shapes}; one row each, please")
    known = ~(np.isnan(model) | np.isnan(base))
    rows = int(known.sum())
    if rows == 0:
        raise TooFewOutcomes(f"none of {len(model)} rows has an outcome; judge on a longer span")
    _, code = np.unique(owner[known], return_inverse=True)
    pairs = np.unique(np.asarray(times[known], dtype=np.int64) * (int(code.max()) + 1) + code)
    if len(pairs) < rows:
        raise JudgingError(
            f"{rows - len(pairs)} of {rows} rows repeat a bar of a symbol; "
            "each prediction may count once"
        )
    base_at, difference = _per_time(times[known], base[known], base[known] - model[known])
    return rows, base_at, difference
