"""The arrays that kernels work on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
"""One value a bar, float64 [m]; a window kernel of n bars gets [n - 1 + m], oldest first."""

Scratch = NDArray[np.float64]
"""Room for sums that a kernel needs besides its result, float64 [WORK_ROWS, at least m]."""

WORK_ROWS = 5
