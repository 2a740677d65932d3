"""The head of forecast candles: the next bar, as the graph says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.common.errors import HeadError, PredictionError
from models.common.head_base import Answer, Floats, check_finite

_SIDES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class CandleHead:
    """Logs of open, high, low and close by the last close, and σ → the next candle.

    ``expected_return`` is the log return to the next close, ``return_interval`` that ±
    `interval_q`·σ. With the last close, ``predicted_open`` … ``predicted_close`` are prices, and
    ``interval`` is one; without it they are None. ``confidence`` as of `PriceHead`. Float32 may
    round a high below a close: highs and lows are made to enclose the others.

    Parameters
    ----------
    interval_q : float
        Conformal quantile of |y|/σ, > 0.
    sign_slope : float
        Of the confidence, >= 0.
    """

    interval_q: float
    sign_slope: float
    width: ClassVar[int] = 5
    reads_close: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.interval_q <= 0 or self.sign_slope < 0:
            raise HeadError(
                f"a candle needs interval_q > 0 and sign_slope >= 0, not {self.interval_q} and "
                f"{self.sign_slope}"
            )

    def check(self, raw: Floats) -> None:
        """Raise PredictionError unless logs are finite and standard deviations positive."""
        check_finite(raw)
        if not (raw[:, 4] > 0).all():
            raise PredictionError(f"standard deviation {raw[:, 4].min():.3g} is not positive")

    def decode(self, raw: Floats, close: Floats | None) -> Answer:
        """Return the candle, the expected return and its interval, and the confidence."""
        if len(raw) == 1:
            return self.decode_one(raw[0].tolist(), None if close is None else float(close[0]))
        return self._told(raw, close)

    def decode_one(self, raw: Sequence[float], close: float | None) -> Answer:
        """Return the answer to one row, checked."""
        row = np.array([raw], dtype=np.float64)
        self.check(row)
        told = self._told(row, None if close is None else np.array([close]))
        return {name: None if value is None else _first(value) for name, value in told.items()}

    def _told(self, raw: Floats, close: Floats | None) -> dict[str, Floats | None]:
        opened, high, low, mu, sigma = raw.T
        logs = [opened, np.maximum.reduce([opened, high, mu]), np.minimum.reduce([opened, low, mu])]
        prices: dict[str, Floats | None] = {f"predicted_{side}": None for side in _SIDES}
        half = self.interval_q * sigma
        bounds = np.stack([mu - half, mu + half], axis=1)
        if close is not None:
            pairs = zip(prices, [*logs, mu], strict=True)
            prices = {name: np.asarray(close * np.exp(log)) for name, log in pairs}
        return {
            **prices,
            "expected_return": mu,
            "confidence": 1.0 / (1.0 + np.exp(-self.sign_slope * np.abs(mu) / sigma)),
            "interval": None if close is None else close[:, None] * np.exp(bounds),
            "return_interval": bounds,
        }


def _first(values: Floats) -> float | tuple[float, ...]:
    return float(values[0]) if values.ndim == 1 else tuple(values[0].tolist())
