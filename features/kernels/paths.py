"""Stop-and-reverse indicators, started afresh at the oldest bar of a trailing window.

Their usual recursion can remember its first bar for as long as a trend lasts. Started n bars back,
the value depends on n bars and on nothing else.
"""

from __future__ import annotations

from numba import njit

from features.kernels.arrays import Column

_STEP, _LIMIT = 0.02, 0.2  # Wilder's acceleration and its maximum


@njit(error_model="numpy")
def supertrend(close: Column, middle: Column, band: Column, n: int, out: Column) -> None:
    """Write 1 while the close holds above the ratcheted lower band, -1 below the upper one."""
    for i in range(len(out)):
        upper, lower = middle[i] + band[i], middle[i] - band[i]
        direction = 1.0
        for t in range(i + 1, i + n):
            high, low = middle[t] + band[t], middle[t] - band[t]
            upper = high if high < upper or close[t - 1] > upper else upper
            lower = low if low > lower or close[t - 1] < lower else lower
            if direction > 0.0 and close[t] < lower:
                direction = -1.0
            elif direction < 0.0 and close[t] > upper:
                direction = 1.0
        out[i] = direction


@njit(error_model="numpy")
def psar(high: Column, low: Column, n: int, out: Column) -> None:
    """Write Wilder's parabolic stop for the window's last bar, as TA-Lib's SAR starts it."""
    for i in range(len(out)):
        up = not (low[i] - low[i + 1] > 0.0 and low[i] - low[i + 1] > high[i + 1] - high[i])
        stop = low[i] if up else high[i]
        peak = high[i + 1] if up else low[i + 1]
        step = _STEP
        shown = stop
        for t in range(i + 1, i + n):
            # The two bars before this one, the first of them repeated at the start.
            a = t - 1 if t > i + 1 else t
            floor, ceiling = min(low[a], low[t]), max(high[a], high[t])
            crossed = low[t] <= stop if up else high[t] >= stop
            if crossed:
                up = not up
                shown = max(peak, ceiling) if not up else min(peak, floor)
                step = _STEP
                peak = low[t] if not up else high[t]
                stop = shown + step * (peak - shown)
            else:
                shown = stop
                further = high[t] > peak if up else low[t] < peak
                if further:
                    peak = high[t] if up else low[t]
                    step = min(step + _STEP, _LIMIT)
                stop = shown + step * (peak - shown)
            stop = min(stop, floor) if up else max(stop, ceiling)
        out[i] = shown
