"""What can go wrong while learning and judging, as one small tree.

::

    PipelineError
    ├── PanelError        rows, columns or a saved panel do not fit together
    ├── SplitError        the history is too short, or its bounds make no sense
    └── JudgingError      losses that cannot be judged
        └── TooFewOutcomes    fewer times than an honest verdict needs
"""
# ruff: noqa: N818 - a name says what happened, as httpx's do.

from __future__ import annotations


class PipelineError(Exception):
    """Root of everything that `ml_pipeline` raises on purpose."""


class PanelError(PipelineError):
    """Rows, columns or a saved panel do not fit together."""


class SplitError(PipelineError):
    """The history is too short for the slices, or its bounds make no sense."""


class JudgingError(PipelineError):
    """Losses that cannot be judged: unequal lengths, non-finite values, a baseline without loss."""


class TooFewOutcomes(JudgingError):
    """Fewer times with known outcomes than an honest verdict needs."""
