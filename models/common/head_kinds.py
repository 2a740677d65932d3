"""The heads of the five kinds; their table is in `models.common.heads`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import ClassVar

import numpy as np

from models.common.errors import HeadError, PredictionError
from models.common.head_base import Answer, Floats, check_finite, check_probabilities
from models.common.risk_score import RiskScore


class _TwoWayHead:
    """P(yes) → the likelier answer, ``confidence`` = max(p, 1 − p), and ``probability`` = p."""

    width: ClassVar[int] = 1
    reads_close: ClassVar[bool] = False
    name: ClassVar[str]
    yes: ClassVar[str]
    no: ClassVar[str]

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless `raw` holds probabilities."""
        check_probabilities(raw, f"P({self.yes})")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return the likelier answer, its confidence and the probability of the first."""
        if len(raw) == 1:
            return self.decode_one(raw[0].tolist(), None)
        p = raw[:, 0]
        answers = np.where(p >= 0.5, self.yes, self.no)
        return {self.name: answers, "confidence": np.maximum(p, 1 - p), "probability": p}

    def decode_one(self, raw: Sequence[float], close: float | None) -> Answer:
        """Return the answer to one row, checked."""
        (p,) = raw
        if not 0.0 <= p <= 1.0:
            self.check(np.array([raw]))
        answer = self.yes if p >= 0.5 else self.no
        return {self.name: answer, "confidence": max(p, 1 - p), "probability": p}


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
    reads_close: ClassVar[bool] = False

    def __post_init__(self) -> None:
        q = self.probability_quantiles
        if q.size < 2 or np.any(np.diff(q) < 0) or q[0] < 0 or q[-1] > 1:
            raise HeadError("probability_quantiles must be two or more ascending probabilities")

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless `raw` holds probabilities."""
        check_probabilities(raw, "P(event)")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return a RiskScore, or ``risk`` and ``event_probability`` as arrays."""
        if len(raw) == 1:
            return self.decode_one(raw[0].tolist(), None)
        p = raw[:, 0]
        return {"risk": self._ranks(p), "event_probability": p}

    def decode_one(self, raw: Sequence[float], close: float | None) -> Answer:
        """Return a RiskScore, checked."""
        (p,) = raw
        if not 0.0 <= p <= 1.0:
            self.check(np.array([raw]))
        return RiskScore(self._rank(p), p)

    @cached_property
    def _table(self) -> tuple[list[float], list[float]]:
        q = self.probability_quantiles
        return q.tolist(), np.linspace(0.0, 100.0, q.size).tolist()

    def _rank(self, p: float) -> float:
        q, rank = self._table
        first, last = bisect_left(q, p), bisect_right(q, p)
        if last - first > 1:
            return 100.0 * (first + last - 1) / 2 / (len(q) - 1)
        if last == 0 or last == len(q):
            return 100.0 if last else 0.0
        slope = (rank[last] - rank[last - 1]) / (q[last] - q[last - 1])
        return slope * (p - q[last - 1]) + rank[last - 1]

    def _ranks(self, p: Floats) -> Floats:
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
    reads_close: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.interval_q <= 0 or self.sign_slope < 0:
            raise HeadError(
                f"price needs interval_q > 0 and sign_slope >= 0, not {self.interval_q} and "
                f"{self.sign_slope}"
            )

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless returns are finite and standard deviations positive."""
        check_finite(raw)
        if not (raw[:, 1] > 0).all():
            raise PredictionError(f"standard deviation {raw[:, 1].min():.3g} is not positive")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return expected return, confidence, intervals and, where `close` is known, the price."""
        if len(raw) == 1:
            return self.decode_one(raw[0].tolist(), None if close is None else float(close[0]))
        mu, sigma = raw[:, 0], raw[:, 1]
        half = self.interval_q * sigma
        bounds = np.stack([mu - half, mu + half], axis=1)
        return {
            "predicted_price": None if close is None else close * np.exp(mu),
            "expected_return": mu,
            "confidence": 1.0 / (1.0 + np.exp(-self.sign_slope * np.abs(mu) / sigma)),
            "interval": None if close is None else close[:, None] * np.exp(bounds),
            "return_interval": bounds,
        }

    def decode_one(self, raw: Sequence[float], close: float | None) -> Answer:
        """Return the answer to one row, checked."""
        mu, sigma = raw
        if not (-inf < mu < inf and 0 < sigma < inf):
            self.check(np.array([raw]))
        half = self.interval_q * sigma
        low, high = mu - half, mu + half
        powers = np.exp([mu, low, high, -self.sign_slope * abs(mu) / sigma])
        up, lowest, highest, doubt = powers.tolist()
        return {
            "predicted_price": None if close is None else close * up,
            "expected_return": mu,
            "confidence": 1.0 / (1.0 + doubt),
            "interval": None if close is None else (close * lowest, close * highest),
            "return_interval": (low, high),
        }


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
    reads_close: ClassVar[bool] = False

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
        check_finite(raw)
        if np.abs(raw).max() > 100:
            raise PredictionError(f"ln RV² of {raw.flat[np.abs(raw).argmax()]:.3g} is impossible")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return both volatilities and the confidence."""
        if len(raw) == 1:
            return self.decode_one(raw[0].tolist(), None)
        volatility = np.exp(raw / 2)
        part = np.searchsorted(self.confidence_edges, raw[:, 0], "right")
        return {
            "predicted_volatility": volatility[:, 0],
            "predicted_volatility_1h": volatility[:, 0],
            "predicted_volatility_4h": volatility[:, 1],
            "confidence": self.confidence_values[part],
        }

    def decode_one(self, raw: Sequence[float], close: float | None) -> Answer:
        """Return the answer to one row, checked."""
        if not (-100.0 <= raw[0] <= 100.0 and -100.0 <= raw[1] <= 100.0):
            self.check(np.array([raw]))
        hour, four = np.exp([raw[0] / 2, raw[1] / 2]).tolist()
        edges, values = self._table
        return {
            "predicted_volatility": hour,
            "predicted_volatility_1h": hour,
            "predicted_volatility_4h": four,
            "confidence": values[bisect_right(edges, raw[0])],
        }

    @cached_property
    def _table(self) -> tuple[list[float], list[float]]:
        return self.confidence_edges.tolist(), self.confidence_values.tolist()
