"""A sentiment column of the user's own, as of its publication; what is missing counts as neutral.

A missing value that went through as NaN would stay in an average for ever, so it is 0 here and
told apart by ``sentiment_missing``.
"""

from __future__ import annotations

from features.catalogue.feature import Group
from features.inputs import sent
from features.language import change, ema, missing, where

sentiment = Group("sentiment")
add, family = sentiment.add, sentiment.family

known = add(
    "sentiment", where(missing(sent), 0, sent), "Latest published sentiment; 0 while there is none"
)
family(
    "sentiment_ema",
    (12,),
    lambda n: ema(known, n),
    "Exponential average of the sentiment over {n} bars",
)
family(
    "sentiment_change", (12,), lambda n: change(known, n), "Change of the sentiment over {n} bars"
)
add("sentiment_missing", missing(sent), "Whether there is no sentiment for this bar")
