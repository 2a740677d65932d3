"""Oracles of the group regime."""

from __future__ import annotations

import numpy as np

from tests.features.oracles.common import Exempt, Floats, Market, Table, deviation, lag, last, ratio


def _efficiency(m: Market, n: int) -> Floats:
    steps = np.abs(m.C - lag(m.C, 1))
    return ratio(np.abs(m.C - lag(m.C, n)), last(steps, n).sum(axis=1))


def _hurst(m: Market) -> Floats:
    far = np.log(m.C / lag(m.C, 16))
    return np.log(deviation(far, 100) / deviation(m.returns, 100)) / np.log(16)


TALIB: Table = {}
CLASSIC: Table = {}
PLAIN: Table = {
    "efficiency_ratio_50": lambda m: _efficiency(m, 50),
    "hurst_100": _hurst,
}
EXCEPTIONS: dict[tuple[str, str], Exempt] = {}
RARE: dict[str, str] = {}
