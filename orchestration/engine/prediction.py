"""Prediction: one answer of the engine, with who gave it and how far it may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from models.common.heads import Answer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Prediction:
    """What a model says about the bar after the last closed one of some candles.

    Attributes
    ----------
    price, interval
        Expected price at the horizon, and its 90 % interval (lower, upper), of price models and of
        forecasters, whose horizon is the next bar; None of other kinds.
    confidence
        Calibrated probability that the direction is right (direction, price), of the state
        (momentum), or that the forecast is close (volatility); by regime where that was learnt.
        None of a risk, which is a score: see `values`.
    direction
        ``"UP"`` or ``"DOWN"``; of a price model the sign of what it expects. None of other kinds.
    model_name, version
        Slot and version that answered, ``majors/price/1h`` and ``2025-05-28T0000Z_1h_ridge``; of an
        ensemble its name, and its name with a digest of who its members were.
    kind, timeframe, symbol
        Kind of model, bars that it reads, and whose: None where nobody said so.
    ts
        When the bar opened, UTC. Bars after it were not known.
    regime
        Name of the bar's regime, ``"calm/up"``; None where regimes were not asked or are not known.
    novelty
        Distance from the training rows: above 1 is out of distribution. None if unknown.
    simulated
        Whether candles or model are of a simulated market.
    cached
        Whether it was answered before and not computed again.
    values
        Everything that the kind answers (`models.common.heads`).
    """

    price: float | None
    confidence: float | None
    direction: str | None
    model_name: str
    version: str
    interval: tuple[float, float] | None
    regime: str | None
    timeframe: str
    symbol: str | None
    ts: datetime
    kind: str
    novelty: float | None
    simulated: bool
    cached: bool = False
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def again(self) -> Prediction:
        """Return the same answer as one that was not computed again."""
        return replace(self, cached=True)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON keeps it: the time as ISO text, everything else plain."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {"ts": self.ts.isoformat(), "values": dict(self.values)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Prediction:
        """Return what `as_dict` gave, also after a journey through JSON.

        Raises
        ------
        TypeError, ValueError, KeyError
            It is none.
        """
        values = {name: _tuple(value) for name, value in kept["values"].items()}
        read = {
            **kept,
            "ts": datetime.fromisoformat(kept["ts"]),
            "interval": _tuple(kept["interval"]),
            "values": MappingProxyType(values),
        }
        return cls(**read)


def made_of(
    answer: Answer,
    *,
    kind: str,
    model_name: str,
    version: str,
    timeframe: str,
    symbol: str | None,
    ts_ms: int,
    simulated: bool,
) -> Prediction:
    """Return a kind's answer to one row as a prediction."""
    values: Mapping[str, Any] = answer if isinstance(answer, dict) else answer.as_dict()
    return Prediction(
        price=values.get("predicted_price", values.get("predicted_close")),
        confidence=values.get("confidence"),
        direction=_direction(values),
        model_name=model_name,
        version=version,
        interval=values.get("interval"),
        regime=values.get("regime"),
        timeframe=timeframe,
        symbol=symbol,
        ts=_EPOCH + ts_ms * _MS,
        kind=kind,
        novelty=values.get("novelty"),
        simulated=simulated,
        values=MappingProxyType(dict(values)),
    )


def _direction(values: Mapping[str, Any]) -> str | None:
    expected = values.get("expected_return")
    if expected is None:
        return values.get("direction")
    return "UP" if expected >= 0 else "DOWN"


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
