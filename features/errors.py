"""What can go wrong with features, as one small tree.

::

    FeatureError
    ├── UnitError           an expression mixes units: a price plus a volume
    ├── ExpressionError     an expression that cannot be: a window of 0 bars
    ├── UnknownFeature      a name that no catalogue entry and no family answers to
    ├── NotEnoughHistory    the source has fewer bars than the features need
    ├── BadBar              a bar pushed into a program that cannot follow the ones before
    └── BadState            bytes that are not a program's state, or one of other definitions
"""

# ruff: noqa: N818 - the names say what happened.
from __future__ import annotations


class FeatureError(Exception):
    """Root of every error of this package."""


class UnitError(FeatureError):
    """Units that do not fit together, found when the expression is written."""


class ExpressionError(FeatureError):
    """An expression with impossible parameters."""


class UnknownFeature(FeatureError, KeyError):
    """A feature nobody defined."""

    def __str__(self) -> str:
        """Return the message itself: KeyError would show it in quotes."""
        return str(self.args[0]) if self.args else ""


class NotEnoughHistory(FeatureError):
    """Too few bars for a settled value."""


class BadBar(FeatureError, ValueError):
    """A bar that cannot be processed."""


class BadState(FeatureError, ValueError):
    """Stored state that cannot be continued."""
