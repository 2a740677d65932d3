"""What a bar is made of, and lengths of time: where every expression begins."""

from __future__ import annotations

from features.expression import Expr, const
from features.units import BENCHMARK, PRICE, SCALE_FREE, TIME, VOLUME

ts = Expr("ts", -1, (), TIME)
o = Expr("o", -1, (), PRICE)
h = Expr("h", -1, (), PRICE)
l = Expr("l", -1, (), PRICE)  # noqa: E741 - o h l c v are the field's own names
c = Expr("c", -1, (), PRICE)
v = Expr("v", -1, (), VOLUME)
BAR = (ts, o, h, l, c, v)

btc = Expr("benchmark", -1, (), BENCHMARK)
sent = Expr("sentiment", -1, (), SCALE_FREE)
EXTRAS = (btc, sent)
"""What a bar may bring besides: the benchmark's close, and a sentiment that may be missing."""


QUARTER_HOUR = const(900_000, TIME)
HOUR = const(3_600_000, TIME)
DAY = const(86_400_000, TIME)
