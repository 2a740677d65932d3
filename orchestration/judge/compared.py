"""Lines compared with each other: the model confidence set of those that are old enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ml_pipeline.confidence_set import confidence_p_values
from ml_pipeline.tasks import TASKS
from orchestration.ensembles.naming import ENSEMBLE
from orchestration.judge.lines import Lines

_BLOCK, _HORIZONS = 60, 4
_GROWN = 0.5
"""A line is compared once it is at least this part as long as the longest."""


def p_values(lines: Lines, seed: int, speaking: Collection[str]) -> tuple[dict[str, float], int]:
    """Return the p-values of the lines that are compared, and at how many times they were.

    The ensemble is compared with the lines that it may be composed of, but puts none of them out:
    it lives of them. Whoever is better than each of its members would else archive them all, and
    could not be composed again.

    Parameters
    ----------
    lines
        Of the last days of the ledger that count.
    seed
        Of the bootstrap.
    speaking
        Names of the lines that go on.
    """
    length = {
        name: int(line.known.any(axis=1).sum())
        for name, line in lines.lines.items()
        if name in speaking
    }
    longest = max(length.values(), default=0)
    names = [name for name in sorted(length) if length[name] >= max(1, _GROWN * longest)]
    others = [name for name in names if name != ENSEMBLE]
    found, times = _among(lines, others, seed)
    if ENSEMBLE not in names:
        return found, times
    whole, shared = _among(lines, names, seed)
    own = {name: p for name, p in whole.items() if name == ENSEMBLE}
    return found | own, times or shared


def _among(lines: Lines, names: Sequence[str], seed: int) -> tuple[dict[str, float], int]:
    """Return p-values of `names` on the bars that all know, and how many times these are."""
    if len(names) < 2:
        return {}, 0
    known = np.all([lines.lines[name].known for name in names], axis=0)
    at = known.any(axis=1)
    count = known[at].sum(axis=1)
    table = np.column_stack(
        [np.where(known[at], lines.lines[k].loss[at], 0.0).sum(axis=1) / count for k in names]
    )
    horizon = TASKS[lines.slot.kind].horizon_bars(lines.slot.timeframe)
    found = confidence_p_values(table, max(_BLOCK, _HORIZONS * horizon), seed)
    return dict(zip(names, found.tolist(), strict=True)), len(table)
