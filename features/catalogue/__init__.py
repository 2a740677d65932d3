"""The catalogue: every named feature, one line each, in a file for each group."""

from __future__ import annotations

from features.catalogue.cross import cross
from features.catalogue.feature import Catalogue
from features.catalogue.levels import levels
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
