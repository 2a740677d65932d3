"""What can go wrong with strategies and their accounts, as one small tree.

::

    StrategyError
    ├── BadTerms          costs, sizes, exits or cash that cannot be
    ├── BadSignal         a strategy's answer that is no signal about the symbol it was asked about
    ├── StrategyFailed    a strategy raised; says which, at which bar, of which symbol
    └── NotAnswered       who was asked has no answer for this bar; nothing is traded at it
"""
# ruff: noqa: N818 - the names say what happened.

from __future__ import annotations


class StrategyError(Exception):
    """Root of every error of this package."""


class BadTerms(StrategyError, ValueError):
    """Costs, sizes, exits or cash that cannot be."""


class BadSignal(StrategyError, TypeError):
    """An answer that is neither None nor a signal about the symbol that was asked about."""


class StrategyFailed(StrategyError):
    """A strategy raised; the error itself is the cause."""


class NotAnswered(StrategyError, LookupError):
    """Who was asked has no answer for this bar, as a model that did not serve it.

    Raised while a strategy looks at a bar, it makes the bar count as unanswered, and the strategy
    has no wish at it; exits go on.
    """
