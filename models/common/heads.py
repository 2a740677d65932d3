"""Heads: how the graph's raw output becomes an answer, one small class a kind.

The graph holds everything that was learnt, calibration included; a head only names things. Raw
output, float32 ``[N, K]``:

========== = ============================================= =====================================
kind       K columns                                       head parameters
========== = ============================================= =====================================
direction  1 P(up)                                         none
risk       1 P(event)                                      ``probability_quantiles``
price      2 expected log return, its standard deviation   ``interval_q``, ``sign_slope``
momentum   1 P(accelerating)                               none
volatility 2 ln RV² over 1 h, over 4 h                     ``confidence_edges``,
                                                           ``confidence_values``
========== = ============================================= =====================================

One row is answered in scalars, many rows in arrays of N.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.common.errors import HeadError, PredictionError
from models.common.risk_score import RiskScore

Floats: TypeAlias = NDArray[np.float64]
Answer: TypeAlias = Any  # dict of scalars or arrays by name; RiskScore for one row of risk


class Head(Protocol):
    """Turns raw output into an answer."""

    width: ClassVar[int]
    """Columns of the raw output."""

    def check(self, raw: Floats) -> None:
        """Raise PredictionError when `raw`, [N, width], cannot be this kind's output."""

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return the answers to the rows of `raw`; `close` are their closing prices, if known."""


class _TwoWayHead:
    """P(yes) → the likelier answer, ``confidence`` = max(p, 1 − p), and ``probability`` = p."""

    width: ClassVar[int] = 1
    name: ClassVar[str]
    yes: ClassVar[str]
    no: ClassVar[str]

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless `raw` holds probabilities."""
        _check_probabilities(raw, f"P({self.yes})")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return the likelier answer, its confidence and the probability of the first."""
        p = raw[:, 0]
        if len(p) != 1:
            answers = np.where(p >= 0.5, self.yes, self.no)
            return {self.name: answers, "confidence": np.maximum(p, 1 - p), "probability": p}
        one = float(p[0])
        answer = self.yes if one >= 0.5 else self.no
        return {self.name: answer, "confidence": max(one, 1 - one), "probability": one}


@dataclass(frozen=True)
class DirectionHead(_TwoWayHead):
    """P(up) → ``direction``, ``confidence`` and ``probability`` (of UP)."""

    name, yes, no = "direction", "UP", "DOWN"


@dataclass(frozen=True)
class MomentumHead(_TwoWayHead):
    """P(accelerating) → ``state``, ``confidence`` and ``probability`` (of accelerating)."""

    name, yes, no = "state", "accelerating", "decelerating"


@dataclass(frozen=True)
class RiskHead:
    """P(event) → its rank among training probabilities, 0–100.

    Parameters
    ----------
    probability_quantiles : float array [M], M >= 2
        Evenly spaced quantiles (0 to 100 %) of the probabilities on the training rows, ascending.
        Where many training rows share one probability, its rank is the middle of theirs.
    """

    probability_quantiles: Floats
    width: ClassVar[int] = 1

    def __post_init__(self) -> None:
        q = self.probability_quantiles
        if q.size < 2 or np.any(np.diff(q) < 0) or q[0] < 0 or q[-1] > 1:
            raise HeadError("probability_quantiles must be two or more ascending probabilities")

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless `raw` holds probabilities."""
        _check_probabilities(raw, "P(event)")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return a RiskScore, or ``risk`` and ``event_probability`` as arrays."""
        p = raw[:, 0]
        risk = self._rank(p)
        if len(p) == 1:
            return RiskScore(float(risk[0]), float(p[0]))
        return {"risk": risk, "event_probability": p}

    def _rank(self, p: Floats) -> Floats:
        q = self.probability_quantiles
        between = np.interp(p, q, np.linspace(0.0, 100.0, q.size))
        first, last = np.searchsorted(q, p, "left"), np.searchsorted(q, p, "right")
        tied = 100.0 * (first + last - 1) / 2 / (q.size - 1)
        return np.where(last - first > 1, tied, between)


@dataclass(frozen=True)
class PriceHead:
    """Expected log return μ and its σ → price, interval and confidence.

    ``expected_return`` is μ, a log return over the horizon, and ``return_interval`` is
    μ ± `interval_q`·σ. With the closing price P, ``predicted_price`` is P·exp(μ) and ``interval``
    the same interval as prices; without it both are None. ``confidence`` is P(sign of μ is right),
    1 / (1 + exp(−`sign_slope`·|μ|/σ)). Intervals of many rows are arrays [N, 2].

    Parameters
    ----------
    interval_q : float
        Conformal quantile of |y − μ|/σ, > 0.
    sign_slope : float
        Slope fitted on the calibration slice, >= 0. 0 says: the sign is a coin.
    """

    interval_q: float
    sign_slope: float
    width: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if self.interval_q <= 0 or self.sign_slope < 0:
            raise HeadError(
                f"price needs interval_q > 0 and sign_slope >= 0, not {self.interval_q} and "
                f"{self.sign_slope}"
            )

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless returns are finite and standard deviations positive."""
        _check_finite(raw)
        if not (raw[:, 1] > 0).all():
            raise PredictionError(f"standard deviation {raw[:, 1].min():.3g} is not positive")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return expected return, confidence, intervals and, where `close` is known, the price."""
        mu, sigma = raw[:, 0], raw[:, 1]
        half = self.interval_q * sigma
        bounds = np.stack([mu - half, mu + half], axis=1)
        answer: dict[str, Any] = {
            "predicted_price": None if close is None else close * np.exp(mu),
            "expected_return": mu,
            "confidence": 1.0 / (1.0 + np.exp(-self.sign_slope * np.abs(mu) / sigma)),
            "interval": None if close is None else close[:, None] * np.exp(bounds),
            "return_interval": bounds,
        }
        return _scalars(answer) if len(raw) == 1 else answer


@dataclass(frozen=True)
class VolatilityHead:
    """Forecasts of ln RV² over one and four hours → volatilities, not annualised.

    ``predicted_volatility`` (1 h), ``predicted_volatility_1h``, ``predicted_volatility_4h`` are
    standard deviations of the log return over the horizon. ``confidence`` is looked up by the 1 h
    forecast: the share of calibration rows at a like level where the forecast was close.

    Parameters
    ----------
    confidence_edges : float array [M]
        Ascending levels of the ln RV² forecast over 1 h that divide the table; M = 2 for terciles.
    confidence_values : float array [M + 1]
        Confidence in each part, 0 to 1.
    """

    confidence_edges: Floats
    confidence_values: Floats
    width: ClassVar[int] = 2

    def __post_init__(self) -> None:
        edges, values = self.confidence_edges, self.confidence_values
        if values.size != edges.size + 1 or np.any(np.diff(edges) < 0):
            raise HeadError(
                f"{edges.size} ascending confidence_edges need {edges.size + 1} confidence_values,"
                f" not {values.size}"
            )
        if values.min() < 0 or values.max() > 1:
            raise HeadError("confidence_values must lie between 0 and 1")

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless each forecast is a possible log variance."""
        _check_finite(raw)
        if np.abs(raw).max() > 100:
            raise PredictionError(f"ln RV² of {raw.flat[np.abs(raw).argmax()]:.3g} is impossible")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return both volatilities and the confidence."""
        volatility = np.exp(raw / 2)
        part = np.searchsorted(self.confidence_edges, raw[:, 0], "right")
        answer = {
            "predicted_volatility": volatility[:, 0],
            "predicted_volatility_1h": volatility[:, 0],
            "predicted_volatility_4h": volatility[:, 1],
            "confidence": self.confidence_values[part],
        }
        return _scalars(answer) if len(raw) == 1 else answer


HEADS: Mapping[str, type[Head]] = {
    "direction": DirectionHead,
    "risk": RiskHead,
    "price": PriceHead,
    "momentum": MomentumHead,
    "volatility": VolatilityHead,
}


def make_head(kind: str, params: Mapping[str, Any]) -> Head:
    """Return the head of `kind` with the parameters stored in the bundle's metadata.

    Parameters
    ----------
    kind : str
        One of `HEADS`.
    params : mapping
        The head's parameters (table at the top of the module) as JSON gives them: numbers and
        lists of numbers. Others are ignored: a fit may keep its event threshold here.

    Raises
    ------
    HeadError
        Unknown kind, or a parameter that is missing, not finite or out of its range.
    """
    if kind not in HEADS:
        raise HeadError(f"no head for kind {kind!r}; there are heads for {', '.join(HEADS)}")
    head = HEADS[kind]
    wanted = {field.name: field.type for field in fields(head)}  # type: ignore[arg-type]
    missing = [name for name in wanted if name not in params]
    if missing:
        raise HeadError(f"head of {kind} lacks {', '.join(missing)}")
    return head(
        **{
            name: _number(name, params[name]) if form == "float" else _table(name, params[name])
            for name, form in wanted.items()
        }
    )


def _number(name: str, value: object) -> float:
    return float(_finite(name, value, 0, "one finite number"))


def _table(name: str, value: object) -> Floats:
    return _finite(name, value, 1, "a list of finite numbers")


def _finite(name: str, value: object, dimensions: int, form: str) -> Floats:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise HeadError(f"{name} must be {form}") from None
    if numbers.ndim != dimensions or not np.isfinite(numbers).all():
        raise HeadError(f"{name} must be {form}")
    return numbers


def _check_finite(raw: Floats) -> None:
    bad = int(np.count_nonzero(~np.isfinite(raw).all(axis=1)))
    if bad:
        raise PredictionError(f"{bad} of {len(raw)} rows were answered with NaN or infinity")


def _check_probabilities(raw: Floats, what: str) -> None:
    _check_finite(raw)
    if raw.size and (raw.min() < 0 or raw.max() > 1):
        raise PredictionError(f"{what} lies in [{raw.min():.3g}, {raw.max():.3g}], not in [0, 1]")


def _scalars(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value is None else _scalar(value[0]) for name, value in answer.items()}


def _scalar(value: Any) -> float | tuple[float, ...]:
    return tuple(map(float, value)) if np.ndim(value) else float(value)
