"""Oracles of the group sentiment: what is missing counts as 0."""

from __future__ import annotations

import talib

from tests.features.oracles.common import Exempt, Floats, Market, Table, family
from tests.features.walks import beside, walk

MARKETS = tuple(Market(name, beside(walk(2600, seed), seed))
                for name, seed in (("walk", 71), ("cheap", 72), ("outage", 73)))  # fmt: skip


def known(m: Market) -> Floats:
    return m.candles["sentiment"].fillna(0.0).to_numpy()


TALIB: Table = {
    **family("sentiment_ema", (12, 7), lambda m, n: talib.EMA(known(m), n)),
    **family("sentiment_change", (12, 7), lambda m, n: talib.MOM(known(m), n)),
}
CLASSIC: Table = {}
PLAIN: Table = {
    "sentiment": known,
    "sentiment_missing": lambda m: m.candles["sentiment"].isna(),
}
FORGOTTEN = Exempt(
    "after many zeros in a row ours is zero, TA-Lib's 1e-9 of what was", tolerance=1e-8
)
EXCEPTIONS = {("TALIB", "sentiment_ema_12"): FORGOTTEN, ("TALIB", "sentiment_ema_7"): FORGOTTEN}
RARE: dict[str, str] = {}
