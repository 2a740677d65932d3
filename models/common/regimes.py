"""Regimes: how volatile and how directed the market is at a bar, in nine parts.

Three thirds of volatility (over 20 bars, relative to that over 288) times three of trend (the
spread of the averages over 50 and 200 bars, in units of the volatility of one bar). Both are
scale-free, and the edges are numbers that were learnt before and are only compared here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.common.errors import EnsembleError
from models.common.head_base import Answer, Floats
from models.common.risk_score import with_items
from models.common.rows import to_matrix
from models.common.slot import Slot

COLUMNS = ("vol_regime_20_288", "ema_50_200_spread", "har_rv_288")
"""Features that tell the regime: relative volatility, spread of the averages, volatility a bar."""

NAMES = tuple(
    f"{level}/{way}" for level in ("calm", "usual", "wild") for way in ("down", "flat", "up")
)
"""Names of the regimes; a bar's number is its place here."""

UNKNOWN = -1
_LEAST_ROWS = 300
_EDGE = 1e-6


@dataclass(frozen=True)
class Regimes:
    """The edges between the parts.

    Parameters
    ----------
    volatility : (float, float)
        Ascending edges of ``vol_regime_20_288``: calm below, wild above.
    trend : (float, float)
        Ascending edges of ``ema_50_200_spread / har_rv_288``: down below, up above.

    Raises
    ------
    EnsembleError
        When edges do not ascend or are not finite.
    """

    volatility: tuple[float, float]
    trend: tuple[float, float]
    names: ClassVar[tuple[str, ...]] = NAMES
    columns: ClassVar[tuple[str, ...]] = COLUMNS

    def __post_init__(self) -> None:
        for what, edges in (("volatility", self.volatility), ("trend", self.trend)):
            if np.shape(edges) != (2,) or not np.isfinite(edges).all() or edges[0] > edges[1]:
                raise EnsembleError(f"{what} needs two ascending edges, got {list(edges)}")

    @classmethod
    def fit(cls, rows: Any) -> Regimes:
        """Return edges that part `rows` in thirds; a trend's are as far up as they are down.

        Parameters
        ----------
        rows : DataFrame, mapping or array [N, 3]
            Rows with `COLUMNS`, known before anything that the regimes are used on.

        Raises
        ------
        EnsembleError
            Of fewer than 300 complete rows.
        """
        level, spread, bar = _columns(rows)
        known = np.isfinite(level) & np.isfinite(spread) & (bar > 0)
        if known.sum() < _LEAST_ROWS:
            raise EnsembleError(
                f"{known.sum()} complete rows cannot say what is calm and what is wild; "
                f"{_LEAST_ROWS} are needed"
            )
        low, high = np.quantile(level[known], [1 / 3, 2 / 3]).tolist()
        flat = float(np.quantile(np.abs(spread[known] / bar[known]), 1 / 3))
        return cls((low, high), (-flat, flat))

    def of(self, rows: Any) -> NDArray[np.int64]:
        """Return each row's regime [N], a place in `NAMES`; -1 where a column is not finite.

        Raises
        ------
        FeatureError
            When `rows` lack one of `COLUMNS`.
        """
        level, spread, bar = _columns(rows)
        part = 3 * _above(level, self.volatility) + (
            (spread > self.trend[0] * bar).astype(np.int64) + (spread > self.trend[1] * bar)
        )
        known = np.isfinite(level) & np.isfinite(spread) & np.isfinite(bar)
        return np.where(known, part, UNKNOWN)

    def as_dict(self) -> dict[str, Any]:
        """Return the edges as JSON keeps them."""
        return {"volatility": list(self.volatility), "trend": list(self.trend)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Regimes:
        """Return the regimes stored as `stored`, the inverse of `as_dict`.

        Raises
        ------
        EnsembleError
            When an edge is missing or no number.
        """
        try:
            edges = [tuple(float(edge) for edge in stored[key]) for key in ("volatility", "trend")]
        except (KeyError, TypeError, ValueError) as error:
            raise EnsembleError(f"these are no edges of regimes: {error!r}") from error
        return cls(*edges)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RegimeConfidence:
    """What a confidence is worth in each regime: its log-odds, scaled and shifted.

    A model that is right 53 times of a hundred on calm days and 50 on wild ones says .52 on both;
    the slopes, learnt from its own resolved predictions, set that right. One and no shift change
    nothing.

    Parameters
    ----------
    regimes : Regimes
        The edges.
    slopes : sequence of float
        By regime, >= 0: what multiplies the log-odds. Never below 0, so that no answer turns round.
    shifts : sequence of float, optional
        By regime, what is added to them, for confidences that are no choice between two sides:
        a volatility's confidence and the probability of a risk's event.
    about : mapping, optional
        What they were learnt from: rows, z, until when. For people.

    Raises
    ------
    EnsembleError
        When there are more or fewer than regimes, or a slope is negative.
    """

    regimes: Regimes
    slopes: tuple[float, ...]
    shifts: tuple[float, ...] = (0.0,) * len(NAMES)
    about: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for what, values in (("slopes", self.slopes), ("shifts", self.shifts)):
            if len(values) != len(NAMES) or not np.isfinite(values).all():
                raise EnsembleError(f"{len(NAMES)} regimes need as many {what}, got {list(values)}")
        if min(self.slopes) < 0:
            raise EnsembleError(f"slopes must be >= 0, got {min(self.slopes)}")

    def adjust(self, answer: Answer, rows: Any) -> Answer:
        """Return `answer` with its ``confidence`` as of the regime, and ``regime``, its name.

        Where an answer has a ``probability`` that goes with its confidence, that moves too, and a
        risk's ``event_probability``. Rows without a known regime are left as they are, and their
        regime is None.

        Parameters
        ----------
        answer : dict or RiskScore
            A kind's answer to `rows`.
        rows : DataFrame or mapping
            Rows with `COLUMNS`.

        Raises
        ------
        FeatureError
            When `rows` lack one of `COLUMNS`.
        """
        part = self.regimes.of(rows)
        slope = np.where(part < 0, 1.0, np.take(self.slopes, part))
        shift = np.where(part < 0, 0.0, np.take(self.shifts, part))
        held = answer if isinstance(answer, dict) else answer.as_dict()
        changed = _moved(held, slope, shift)
        names = [NAMES[i] if i >= 0 else None for i in part]
        if len(names) > 1:
            return with_items(answer, **changed, regime=np.array(names))
        single = {name: np.asarray(value).item() for name, value in changed.items()}
        return with_items(answer, **single, regime=names[0])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON keeps it."""
        return {
            **self.regimes.as_dict(),
            "names": list(NAMES),
            "slopes": list(self.slopes),
            "shifts": list(self.shifts),
            "about": dict(self.about or {}),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> RegimeConfidence:
        """Return what is stored as `stored`, the inverse of `as_dict`.

        Raises
        ------
        EnsembleError
            When a part is missing or impossible, or the regimes had other names.
        """
        if tuple(stored.get("names", NAMES)) != NAMES:
            raise EnsembleError(f"these regimes are others than {', '.join(NAMES)}")
        try:
            slopes = tuple(float(one) for one in stored["slopes"])
            shifts = tuple(float(one) for one in stored.get("shifts", (0.0,) * len(NAMES)))
        except (KeyError, TypeError, ValueError) as error:
            raise EnsembleError(f"these are no confidences by regime: {error!r}") from error
        return cls(Regimes.from_dict(stored), slopes, shifts, stored.get("about"))


def regimes_path(models: Path, slot: Slot) -> Path:
    """Return where the confidences by regime of a slot are kept in the folder `models`."""
    return models / slot.scope / slot.kind / f"regimes-{slot.timeframe}.json"


def read_regimes(path: Path) -> RegimeConfidence | None:
    """Return the confidences by regime kept at `path`; None where there are none.

    Raises
    ------
    EnsembleError
        When the file is damaged.
    """
    try:
        stored = json.loads(path.read_bytes())
        return RegimeConfidence.from_dict(stored)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, EnsembleError) as error:
        raise EnsembleError(f"{path} holds no confidences by regime: {error}") from error


def _columns(rows: Any) -> tuple[Floats, Floats, Floats]:
    matrix = to_matrix(rows, COLUMNS, ordered=False).astype(np.float64)
    return matrix[:, 0], matrix[:, 1], matrix[:, 2]


def _above(values: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    """Return how many edges each value is above."""
    return np.searchsorted(edges, values, side="left")


def _moved(answer: Mapping[str, Any], slope: Floats, shift: Floats) -> dict[str, Floats]:
    """Return the parts of an answer that a regime changes, as they are in it."""
    if "event_probability" in answer:
        return {"event_probability": _chance(answer["event_probability"], slope, shift)}
    none = np.zeros_like(shift)
    if "probability" in answer:
        p = _chance(answer["probability"], slope, none)
        return {"probability": p, "confidence": np.maximum(p, 1 - p)}
    one_of_two = "expected_return" in answer
    return {"confidence": _chance(answer["confidence"], slope, none if one_of_two else shift)}


def _chance(p: Any, slope: Floats, shift: Floats) -> Floats:
    """Return probabilities with their log-odds scaled and shifted; as they were for 1 and 0."""
    inside = np.clip(np.asarray(p, dtype=np.float64), _EDGE, 1 - _EDGE)
    odds = slope * np.log(inside / (1 - inside)) + shift
    return np.where((slope == 1) & (shift == 0), p, 1 / (1 + np.exp(-odds)))
