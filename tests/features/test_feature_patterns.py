"""Where our candlestick patterns are simpler than TA-Lib's, they differ in what is listed only."""

from __future__ import annotations

import numpy as np
import pytest

from features.catalogue import FEATURES
from tests.features.oracles import pattern
from tests.features.oracles.common import Market
from tests.features.oracles.pattern import jumpy
from tests.features.oracles.simpler import SIMPLER, Shapes

MARKET = Market("jumpy", jumpy(100_000, seed=53))
KNOWN = slice(13, None)  # TA-Lib looks back 13 bars at most
LEAST = 10


@pytest.mark.parametrize("name", SIMPLER)
def test_a_pattern_is_talibs_but_for_what_each_asks_alone(name) -> None:
    simpler, shapes = SIMPLER[name], Shapes(MARKET)
    ours, theirs = MARKET.own(name)[KNOWN], simpler.talib(MARKET)[KNOWN] / 100
    asked, alone = simpler.asked(shapes)[KNOWN], simpler.ours(shapes)[KNOWN]
    np.testing.assert_array_equal(ours * asked, theirs * alone)
    assert (ours * asked != 0).sum() >= LEAST, "both see it"
    assert simpler.reason
    assert (ours != theirs).sum() >= LEAST, "the two are the same: say so in the tables"
    if not alone.all():
        assert (theirs * ~alone != 0).sum() >= LEAST, "what only ours asks for never decides"


def test_every_pattern_occurs_and_is_compared_with_talib() -> None:
    names = {name for name in FEATURES if name.startswith("cdl_")}
    # Nobody's library has the outside bar.
    assert names - {*SIMPLER, *pattern.TALIB, *pattern.CLASSIC} == {"cdl_outside_bar"}
    signed = {"cdl_engulfing", "cdl_harami"}
    for name in names:
        found = MARKET.own(name)[KNOWN]
        assert {*found} == ({-1.0, 0.0, 1.0} if name in signed else {0.0, 1.0}), name
        assert min((found == value).sum() for value in {*found}) >= 100, name
