"""Confidence by regime: how much a confidence is worth in each, learnt from what came.

The log-odds of a confidence are scaled by a slope of the regime, and shifted where it is no choice
between two sides. Slopes are estimated together: one for all bars, drawn towards 1, and one for
each regime, drawn towards that one, so that a regime that was seldom seen says what all say. They
are walked along the ledger as weights are, and used only where they beat the confidence as it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.errors import JudgingError
from ml_pipeline.losses import log_loss
from ml_pipeline.skill import paired_mean
from orchestration.ensembles.slopes import Cells
from orchestration.ensembles.steps import HOURS, Means, known_by, steps, z_asked

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EDGE = 1e-6


@dataclass(frozen=True)
class Told:
    """What one line was confident of, and whether it came.

    Attributes
    ----------
    timeframe, horizon
        Bar length, and bars after which an outcome is known.
    ts
        Opening time of each row, int64 [n] in milliseconds, never falling.
    chance
        The probability that was told, float64 [n].
    came
        1 where it came, else 0, float64 [n].
    regime
        Of each row, int64 [n]; below 0 where it is not known.
    count
        Number of regimes.
    shifted
        Whether a shift is learnt beside the slope: not of a choice between two sides, which would
        take a side for good.
    """

    timeframe: str
    horizon: int
    ts: Ints
    chance: Floats
    came: Floats
    regime: Ints
    count: int
    shifted: bool


@dataclass(frozen=True)
class Learnt:
    """Slopes and shifts by regime, and whether they are worth using.

    Attributes
    ----------
    slopes, shifts
        By regime, learnt from all rows.
    used
        Whether they beat the confidence as it is.
    gain, z
        Log-loss saved a row, mean over times, and its paired z; None where too few.
    z_pooled
        Paired z of slopes by regime against the one slope of all bars.
    rows, rows_by_regime
        That were judged, and that were learnt from in each regime.
    why
        In words.
    """

    slopes: tuple[float, ...]
    shifts: tuple[float, ...]
    used: bool
    why: str
    gain: float | None = None
    z: float | None = None
    z_pooled: float | None = None
    rows: int = 0
    rows_by_regime: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class Walk:
    """What adjusted confidences would have been worth, row by row, after the warm-up.

    Attributes
    ----------
    plain
        Log-loss of the confidence as it is, float64 [n].
    saved, saved_pooled
        Log-loss saved by slopes of each regime, and by one slope for all bars, float64 [n].
    each
        Slope and shift by regime, learnt from all rows, float64 [R, 2].
    ts
        Opening time of the rows, int64 [n].
    """

    plain: Floats
    saved: Floats
    saved_pooled: Floats
    each: Floats
    ts: Ints


def learn(
    told: Told,
    z_learnt: float,
    warm_days: float,
    hours: float = HOURS,
    full_days: float = 0.0,
) -> Learnt:
    """Learn slopes by regime, and judge them on rows that they were not learnt from.

    Parameters
    ----------
    z_learnt
        Paired z against the confidence as it is that is asked for.
    warm_days
        Days at the beginning that are learnt from and not judged.
    hours
        Length of a step, on the clock's own grid.
    full_days
        Days of ledger on which `z_learnt` is enough; on fewer more is asked, see `z_asked`.
    """
    known = told.regime >= 0
    if not known.all():
        told = _some(told, known)
    if not len(told.ts):
        return _none(told, "no bar of its ledger has a known regime")
    found = walk(told, warm_days, hours)
    mean = Means(found.ts)
    plain = mean(found.plain)
    try:
        gain = paired_mean(mean(found.saved), plain, told.horizon)
        over = paired_mean(mean(found.saved - found.saved_pooled), plain, told.horizon).z
    except JudgingError as error:
        return _none(told, f"not judged: {error}")
    asked = z_asked(z_learnt, len(plain) * timeframe_ms(told.timeframe) / DAY_MS, full_days)
    used = gain.z >= asked
    word = f"used, on {len(found.ts):,} rows" if used else f"not used, {asked:.3g} is needed"
    return Learnt(
        slopes=tuple(found.each[:, 0].tolist()),
        shifts=tuple(found.each[:, 1].tolist()),
        used=used,
        why=f"confidence by regime saves {gain.mean:+.2g} of log-loss, z {gain.z:.2f}: {word}",
        gain=gain.mean,
        z=gain.z,
        z_pooled=over,
        rows=len(found.ts),
        rows_by_regime=tuple(np.bincount(told.regime, minlength=told.count).tolist()),
    )


def walk(told: Told, warm_days: float, hours: float = HOURS) -> Walk:
    """Walk along rows that all have a regime; see `learn`."""
    odds = _logit(told.chance)
    starts, edges = steps(told.ts, warm_days, hours)
    known = [known_by(told.ts, told.horizon, told.timeframe, int(at)) for at in starts]
    place = told.regime, told.count
    moments = np.array([*known, len(told.ts)], dtype=np.int64)
    rows = Cells(odds, told.came, place, _worth(told), moments)
    each, pooled = rows.slopes(shifted=told.shifted)
    judged = slice(int(edges[0]), int(edges[-1]))
    step = np.repeat(np.arange(len(starts)), np.diff(edges))
    came, ahead = told.came[judged], odds[judged]
    plain = log_loss(came, told.chance[judged])
    return Walk(
        plain=plain,
        saved=plain - log_loss(came, _moved(ahead, each[step, told.regime[judged]])),
        saved_pooled=plain - log_loss(came, _moved(ahead, pooled[step, 0])),
        each=each[-1],
        ts=told.ts[judged],
    )


def _none(told: Told, why: str) -> Learnt:
    return Learnt((1.0,) * told.count, (0.0,) * told.count, used=False, why=why)


def _some(told: Told, keep: NDArray[np.bool_]) -> Told:
    return Told(
        told.timeframe,
        told.horizon,
        told.ts[keep],
        told.chance[keep],
        told.came[keep],
        told.regime[keep],
        told.count,
        told.shifted,
    )


def _logit(p: Floats) -> Floats:
    inside = np.clip(p, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def _moved(odds: Floats, slope_and_shift: Floats) -> Floats:
    moved = slope_and_shift[:, 0] * odds + slope_and_shift[:, 1]
    return np.asarray(1 / (1 + np.exp(-moved)))


def _worth(told: Told) -> Floats:
    """Return what each row counts for: neighbours share their outcome, symbols move together."""
    return np.asarray(1.0 / (told.horizon * Means(told.ts).rows))
