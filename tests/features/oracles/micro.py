"""Oracles of the group micro."""

from __future__ import annotations

import numpy as np

from tests.features.oracles.common import (
    Exempt,
    Floats,
    Market,
    Table,
    covariance,
    lag,
    last,
    ratio,
)


def _signed_volume(m: Market) -> Floats:
    return np.sign(m.C - lag(m.C, 1)) * m.V


def _kyle(m: Market) -> Floats:
    signed = _signed_volume(m)
    impact = ratio(covariance(m.returns, signed, 20), covariance(signed, signed, 20))
    return impact * last(m.V, 20).mean(axis=1)


TALIB: Table = {}
CLASSIC: Table = {}
PLAIN: Table = {
    "kyle_lambda_rel_20": _kyle,
    "zero_volume_share_60": lambda m: last(m.V == 0, 60).mean(axis=1),
}
EXCEPTIONS: dict[tuple[str, str], Exempt] = {}
RARE: dict[str, str] = {}
