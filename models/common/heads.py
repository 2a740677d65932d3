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
from dataclasses import fields
from typing import Any

import numpy as np

from models.common.errors import HeadError
from models.common.head_base import Answer as Answer
from models.common.head_base import Floats as Floats
from models.common.head_base import Head as Head
from models.common.head_candle import CandleHead
from models.common.head_kinds import (
    DirectionHead,
    MomentumHead,
    PriceHead,
    RiskHead,
    VolatilityHead,
)

HEADS: Mapping[str, type[Head]] = {
    "direction": DirectionHead,
    "risk": RiskHead,
    "price": PriceHead,
    "momentum": MomentumHead,
    "volatility": VolatilityHead,
    "autoregressive": PriceHead,
    "multi_ohlc": CandleHead,
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
    except (TypeError, ValueError, OverflowError):
        raise HeadError(f"{name} must be {form}") from None
    if numbers.ndim != dimensions or not np.isfinite(numbers).all():
        raise HeadError(f"{name} must be {form}")
    return numbers
