"""What can go wrong with features, as one small tree.

::

    FeatureError
    ├── UnitError           an expression mixes units: a price plus a volume
    ├── ExpressionError     an expression that cannot be: a window of 0 bars
    ├── UnknownFeature      a name that no catalogue entry and no family answers to
    ├── NotEnoughHistory    the source has fewer bars than the features need
    ├── MissingInput        candles without a column that the features need besides
    ├── BadBar              a bar pushed into a program that cannot follow the ones before
    ├── RefusedFeature      a function that may not be a feature, with what the probe measured
    │   ├── LooksAhead      its values change with the bars after them
    │   └── NeverSettles    its values depend on where history starts, for ever
    └── BadState            bytes that are not a program's state, or one of other definitions
"""

# ruff: noqa: N818 - the names say what happened.
from __future__ import annotations


class FeatureError(Exception):
    """Root of every error of this package."""


class UnitError(FeatureError):
    """Units that do not fit together, found when the expression is written."""


class ExpressionError(FeatureError, ValueError):
    """An expression with impossible parameters."""


class UnknownFeature(FeatureError, KeyError, ValueError):
    """A feature nobody defined, or a group or unit that no feature has."""

    def __str__(self) -> str:
        """Return the message itself: KeyError would show it in quotes."""
        return str(self.args[0]) if self.args else ""


class NotEnoughHistory(FeatureError):
    """Too few bars for a settled value."""


class MissingInput(FeatureError, ValueError):
    """A benchmark or sentiment column that is absent, or has a hole where none is allowed."""


class BadBar(FeatureError, ValueError):
    """A bar that cannot be processed."""


class RefusedFeature(FeatureError):
    """A function that may not be a feature."""


class LooksAhead(RefusedFeature):
    """Values that change with the bars after them."""


class NeverSettles(RefusedFeature):
    """Values that depend on where history starts, however long it is."""


class BadState(FeatureError, ValueError):
    """Stored state that cannot be continued."""
