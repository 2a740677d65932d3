"""The catalogue: every named feature, one line each, in a file for each group."""

from __future__ import annotations

from features.catalogue.cross import cross
from features.catalogue.feature import Feature
from features.catalogue.levels import levels
from features.catalogue.lookup import Catalogue
from features.catalogue.micro import micro
from features.catalogue.momentum import momentum
from features.catalogue.pattern import pattern
from features.catalogue.price import price
from features.catalogue.regime import regime
from features.catalogue.rolling import rolling
from features.catalogue.sentiment import sentiment
from features.catalogue.time import time
from features.catalogue.trend import trend
from features.catalogue.volatility import volatility
from features.catalogue.volume import volume

GROUPS = (
    price, trend, momentum, volatility, volume, rolling, pattern, levels, time, micro, regime,
    cross, sentiment,
)  # fmt: skip

FEATURES = Catalogue(GROUPS, aliases={"returns": "return_1"})
"""Every listed feature by name; families such as ``sma_<n>`` answer to other numbers as well."""


def _computed(name: str) -> Feature | None:
    """Return an indicator of pandas-ta or a function of the user's."""
    from features.foreign import functions, indicators  # which are written as features themselves

    return indicators.feature(name) or functions.feature(name)


def _hint() -> str:
    from features.foreign import functions

    return functions.hint()


FEATURES.sources.append(_computed)
FEATURES.hint = _hint
