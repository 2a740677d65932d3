"""Operations on single bars.

Arithmetic vectorises and is exact in any order. Logarithms and the like are scalar calls of the C
library, one a bar, so that their last bit does not depend on how many bars come at once; Intel's
vector library (icc-rt), which numba would pick up, breaks that: ``NUMBA_DISABLE_INTEL_SVML=1``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from features.engine.kernels.arrays import Column

(
    ADD, SUBTRACT, MULTIPLY, DIVIDE, RATIO, LARGER, SMALLER, GREATER, GREATER_EQUAL, EQUAL, BOTH,
    WHERE, FLOOR_DIVIDE, MODULO, NEGATE, MAGNITUDE, SIGN, ROOT, LOG, EXP, SINE, COSINE, NORMAL_CDF,
    DAY_OF_MONTH, MONTH, MISSING,
) = range(26)  # fmt: skip
LAST = MISSING

_DAY_MS = 86_400_000.0
_ROOT_HALF = math.sqrt(0.5)


@njit(error_model="numpy")
def apply(code: int, x: Column, y: Column, z: Column, out: Column) -> None:
    """Write the operation `code` of the columns x, y, z (all [m]) to out [m]."""
    if code <= SMALLER:
        _arithmetic(code, x, y, z, out)
    elif code <= MODULO:
        _choices(code, x, y, z, out)
    else:
        _functions(code, x, out)


@njit(error_model="numpy")
def _arithmetic(code: int, x: Column, y: Column, z: Column, out: Column) -> None:  # noqa: C901 - a switch
    if code == ADD:
        for i in range(len(out)):
            out[i] = x[i] + y[i]
    elif code == SUBTRACT:
        for i in range(len(out)):
            out[i] = x[i] - y[i]
    elif code == MULTIPLY:
        for i in range(len(out)):
            out[i] = x[i] * y[i]
    elif code == DIVIDE:
        for i in range(len(out)):
            out[i] = x[i] / y[i]
    elif code == RATIO:
        for i in range(len(out)):
            out[i] = x[i] / y[i] if y[i] != 0.0 else z[i]
    elif code == LARGER:
        for i in range(len(out)):
            out[i] = x[i] if x[i] > y[i] else y[i]
    elif code == SMALLER:
        for i in range(len(out)):
            out[i] = x[i] if x[i] < y[i] else y[i]


@njit(error_model="numpy")
def _choices(code: int, x: Column, y: Column, z: Column, out: Column) -> None:  # noqa: C901 - a switch
    if code == GREATER:
        for i in range(len(out)):
            out[i] = 1.0 if x[i] > y[i] else 0.0
    elif code == GREATER_EQUAL:
        for i in range(len(out)):
            out[i] = 1.0 if x[i] >= y[i] else 0.0
    elif code == EQUAL:
        for i in range(len(out)):
            out[i] = 1.0 if x[i] == y[i] else 0.0
    elif code == BOTH:
        for i in range(len(out)):
            out[i] = 1.0 if (x[i] != 0.0) & (y[i] != 0.0) else 0.0
    elif code == WHERE:
        for i in range(len(out)):
            out[i] = y[i] if x[i] != 0.0 else z[i]
    elif code == FLOOR_DIVIDE:
        for i in range(len(out)):
            out[i] = np.floor(x[i] / y[i])
    elif code == MODULO:
        for i in range(len(out)):
            out[i] = x[i] - np.floor(x[i] / y[i]) * y[i]


@njit(error_model="numpy")
def _functions(code: int, x: Column, out: Column) -> None:  # noqa: C901 - a switch
    if code == NEGATE:
        for i in range(len(out)):
            out[i] = -x[i]
    elif code == MAGNITUDE:
        for i in range(len(out)):
            out[i] = abs(x[i])
    elif code == SIGN:
        for i in range(len(out)):
            out[i] = (1.0 if x[i] > 0.0 else 0.0) - (1.0 if x[i] < 0.0 else 0.0)
    elif code == ROOT:
        for i in range(len(out)):
            out[i] = math.sqrt(x[i])
    elif code == LOG:
        for i in range(len(out)):
            out[i] = math.log(x[i])
    elif code == EXP:
        for i in range(len(out)):
            out[i] = math.exp(x[i])
    elif code == SINE:
        for i in range(len(out)):
            out[i] = math.sin(x[i])
    elif code == COSINE:
        for i in range(len(out)):
            out[i] = math.cos(x[i])
    elif code == NORMAL_CDF:
        for i in range(len(out)):
            out[i] = normal_cdf(x[i])
    elif code in (DAY_OF_MONTH, MONTH):
        for i in range(len(out)):
            out[i] = calendar(x[i], code == MONTH)
    elif code == MISSING:
        for i in range(len(out)):
            out[i] = 1.0 if math.isnan(x[i]) else 0.0


@njit(error_model="numpy")
def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x * _ROOT_HALF)


@njit(error_model="numpy")
def calendar(milliseconds: float, month: bool) -> float:
    """Return day of the month, or month, of epoch milliseconds (Hinnant's civil_from_days)."""
    days = int(np.floor(milliseconds / _DAY_MS)) + 719_468  # days since 0000-03-01
    day_of_era = days % 146_097
    leap_days = day_of_era // 1_460 - day_of_era // 36_524 + day_of_era // 146_096
    year_of_era = (day_of_era - leap_days) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153  # month, March is 0
    if month:
        return float(shifted + 3 if shifted < 10 else shifted - 9)
    return float(day_of_year - (153 * shifted + 2) // 5 + 1)
