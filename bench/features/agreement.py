"""Before times are compared: contestants give the same numbers, or there is nothing to compare."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.features.contestants import Contestant
from features.program import FeatureProgram

TOLERANCE = 1e-6  # of a column's mean size; libraries sum in different ways


def differences(contestant: Contestant, candles: pd.DataFrame) -> list[str]:
    """Return a line for each column that is not ours from the bar on where it has settled."""
    program = FeatureProgram(contestant.columns)
    values = program.run(candles, dtype=np.float64)[program.settle :]
    theirs = contestant.compute(contestant.prepare(candles))
    lines = []
    for j, name in enumerate(contestant.columns):
        # What begins some bars late is compared from its end.
        column = np.asarray(theirs[name], dtype=np.float64)[-len(values) :]
        limit = TOLERANCE * np.abs(values[:, j]).mean()
        apart = ~(np.abs(column - values[:, j]) <= limit)
        if len(column) < len(values) or apart.any():
            lines.append(f"{contestant.name}: {name} differs in {apart.sum()} of {len(values)}")
    return lines


def check(contestants: Sequence[Contestant], candles: pd.DataFrame) -> str:
    """Return a sentence; leave with the differences if there are any."""
    lines = [line for c in contestants for line in differences(c, candles)]
    if lines:
        sys.exit("contestants compute something else:\n" + "\n".join(lines))
    columns = len(contestants[0].columns)
    return f"{columns} columns of {', '.join(c.name for c in contestants)} agree"
