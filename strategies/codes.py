"""Codes: the numbers and arrays by which compiled code tells fills, refusals and reasons."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]

TARGETS, ENTRIES, QUANTITIES = 0, 1, 2
"""What a wish is: a share of equity to hold; 1 long and -1 short; a quantity to trade."""

ROW, SYMBOL, QUANTITY, PRICE, FEE, REASON, SLIPPAGE = range(7)
"""Columns of the fills; the refusals have the first three, `REASON`, and those below."""
KIND, ROOM, ASKED_MS, ORDERED = 3, 4, 6, 7
LOG_WIDTH = 8

TARGET, SIGNAL, ORDER, EXIT, OPPOSITE, BANKRUPT = range(6)
REASONS = ("target", "signal", "order", "exit", "opposite signal", "bankrupt")
NO_SHORTS, MONEY, LEAST, CUT, NOTHING_HELD = range(5)

Terms: TypeAlias = tuple[float, float, int, float, bool, float]
"""Fee and slippage as fractions, latency in bars, least notional, shorts allowed, leverage."""
State: TypeAlias = tuple[Floats, Floats, Floats]
"""Cash [1], quantities held [S], latest closes [S]."""
Line: TypeAlias = tuple[Floats, Whole]
"""Waiting orders of each symbol [S, places, 5], and how many [S]."""
Log: TypeAlias = tuple[Floats, Floats, Whole, bool]
"""Fills, refusals, how many of each [2], and whether they are wanted at all."""
