"""What can go wrong while learning and judging, as one small tree.

::

    PipelineError
    ├── PanelError        rows, columns or a saved panel do not fit together
    ├── SplitError        the history is too short, or its bounds make no sense
    ├── JudgingError      losses that cannot be judged
    │   └── TooFewOutcomes    fewer times than an honest verdict needs
    └── LearningError     a model that cannot be made
        ├── RecipeError       a type, kind or hyper-parameter that no recipe knows
        ├── FitError          too few labels, or labels that are all alike
        ├── FitTimeout        a fit that ran past its limit and was killed
        ├── FitCrashed        a fit whose process died
        ├── ExportError       graphs or heads that cannot become one
        │   └── ParityError       an exported graph that differs from the fitted model
        ├── NotTrained        a predictor asked before it was trained
        ├── ValidationError   a model that cannot be validated as asked
        └── NotReproducible   a version whose making is not known, or not possible here
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


class LearningError(PipelineError):
    """A model that cannot be made."""


class RecipeError(LearningError, ValueError):
    """A type, kind or hyper-parameter that no recipe knows."""


class FitError(LearningError):
    """Too few labels, or labels that are all alike."""


class FitTimeout(LearningError, TimeoutError):
    """A fit that ran past its limit and was killed."""


class FitCrashed(LearningError):
    """A fit whose process died."""


class ExportError(LearningError):
    """Graphs or heads that cannot become one."""


class ParityError(ExportError):
    """An exported graph that differs from the fitted model."""


class NotTrained(LearningError):
    """A predictor that was asked before it was trained."""


class ValidationError(LearningError):
    """A model that cannot be validated as asked: no unseen bar, no ledger."""


class NotReproducible(LearningError):
    """A version whose making is not known, or not possible here."""
