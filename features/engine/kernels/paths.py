"""Stop-and-reverse indicators, started afresh at the oldest bar of a trailing window.

Their usual recursion can remember its first bar for as long as a trend lasts. Started n bars back,
the value depends on n bars and on nothing else. One step is written once, without a branch, and
taken by a whole piece of bars at a time or by one: the pieces vectorise.
"""

from __future__ import annotations

from numba import njit

from features.engine.kernels.arrays import Column, Scratch

_STEP, _LIMIT = 0.02, 0.2  # Wilder's acceleration and its maximum

_Trend = tuple[float, float, float]
_Stop = tuple[float, float, float, float, float]


@njit(error_model="numpy")
def _follow(
    before: float, close: float, high: float, low: float, upper: float, lower: float, side: float
) -> _Trend:
    """Return the ratcheted bands and the side after one more bar."""
    upper = high if (high < upper) | (before > upper) else upper
    lower = low if (low > lower) | (before < lower) else lower
    down = (side > 0.0) & (close < lower)
    up = (side < 0.0) & (close > upper)
    turned = 1.0 if up else side
    return upper, lower, -1.0 if down else turned


@njit(error_model="numpy")
def supertrend(
    close: Column, high: Column, low: Column, n: int, out: Column, work: Scratch
) -> None:
    """Write 1 while the close holds above the ratcheted lower band, -1 below the upper one."""
    upper, lower = work[0, : len(out)], work[1, : len(out)]
    for i in range(len(out)):
        upper[i], lower[i], out[i] = high[i], low[i], 1.0
    for j in range(1, n):
        for i in range(len(out)):
            t = i + j
            upper[i], lower[i], out[i] = _follow(
                close[t - 1], close[t], high[t], low[t], upper[i], lower[i], out[i]
            )


@njit(error_model="numpy")
def supertrend_at(mem: Column, close: int, high: int, low: int, n: int) -> float:
    """Return the same of the `n` bars that begin at these places."""
    upper, lower, side = mem[high], mem[low], 1.0
    for j in range(1, n):
        upper, lower, side = _follow(
            mem[close + j - 1], mem[close + j], mem[high + j], mem[low + j], upper, lower, side
        )
    return side


@njit(error_model="numpy")
def _first(low: float, low_next: float, high: float, high_next: float) -> _Stop:
    """Return side, stop, peak, acceleration and shown stop, as TA-Lib's SAR starts."""
    fell = low - low_next
    down = (fell > 0.0) & (fell > high_next - high)
    side = -1.0 if down else 1.0
    stop = high if down else low
    return side, stop, low_next if down else high_next, _STEP, stop


@njit(error_model="numpy")
def _trail(
    low: float, high: float, floor: float, ceiling: float,
    side: float, stop: float, peak: float, step: float,
) -> _Stop:  # fmt: skip
    """Return the same after one more bar; floor and ceiling span it and the one before."""
    up = side > 0.0
    crossed = (low <= stop) if up else (high >= stop)
    now_up = up != crossed
    ahead = high if now_up else low
    further = ((high > peak) if up else (low < peak)) & (not crossed)
    faster = step + _STEP if step + _STEP < _LIMIT else _LIMIT
    lowest = floor if floor < peak else peak
    highest = ceiling if ceiling > peak else peak
    turned = lowest if now_up else highest
    shown = turned if crossed else stop
    kept = faster if further else step
    step = _STEP if crossed else kept
    peak = ahead if crossed | further else peak
    stop = shown + step * (peak - shown)
    least = stop if stop < floor else floor
    most = stop if stop > ceiling else ceiling
    return 1.0 if now_up else -1.0, least if now_up else most, peak, step, shown


@njit(error_model="numpy")
def psar(high: Column, low: Column, n: int, out: Column, work: Scratch) -> None:
    """Write Wilder's parabolic stop for the last bar of each window."""
    m = len(out)
    side, stop, peak, step = work[0, :m], work[1, :m], work[2, :m], work[3, :m]
    for i in range(m):
        side[i], stop[i], peak[i], step[i], out[i] = _first(
            low[i], low[i + 1], high[i], high[i + 1]
        )
    for j in range(1, n):
        back = j - 1 if j > 1 else j  # at the start there is no bar before
        for i in range(m):
            lowest = low[i + back] if low[i + back] < low[i + j] else low[i + j]
            highest = high[i + back] if high[i + back] > high[i + j] else high[i + j]
            side[i], stop[i], peak[i], step[i], out[i] = _trail(
                low[i + j], high[i + j], lowest, highest, side[i], stop[i], peak[i], step[i]
            )


@njit(error_model="numpy")
def psar_at(mem: Column, high: int, low: int, n: int) -> float:
    """Return the same of the `n` bars that begin at these places."""
    side, stop, peak, step, shown = _first(mem[low], mem[low + 1], mem[high], mem[high + 1])
    for j in range(1, n):
        back = j - 1 if j > 1 else j
        lowest = min(mem[low + back], mem[low + j])
        highest = max(mem[high + back], mem[high + j])
        side, stop, peak, step, shown = _trail(
            mem[low + j], mem[high + j], lowest, highest, side, stop, peak, step
        )
    return shown
