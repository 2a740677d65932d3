"""What walks of two days cannot show: leap years, and patterns drawn bar by bar."""

from __future__ import annotations

import pandas as pd
import pytest

from features.program import FeatureProgram


@pytest.mark.parametrize("when", ["2024-02-29T23:59Z", "2000-03-01T00:00Z", "2100-12-31T12:00Z"])
def test_the_calendar_knows_leap_years(when) -> None:
    stamp = pd.Timestamp(when)
    bar = {"timestamp": stamp, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 0}
    row = FeatureProgram(["day_of_month", "month", "quarter"]).push(bar)
    assert row.tolist() == [stamp.day, stamp.month, stamp.quarter]


def test_patterns_are_found_where_they_were_drawn() -> None:
    """Twelve quiet bars, then the pattern."""
    quiet = [(100, 101, 99, 100.5), (100.5, 101, 99, 100)] * 6
    drawn = {
        "cdl_doji": [(100, 101, 99, 100.01)],
        "cdl_hammer": [(100, 100.21, 97, 100.2)],
        "cdl_shooting_star": [(100.2, 103, 99.99, 100)],
        "cdl_marubozu": [(100, 102, 100, 102)],
        "cdl_engulfing": [(100, 100, 99, 99.2), (99, 101, 99, 100.5)],
        "cdl_harami": [(102, 102, 98, 98), (99, 99.6, 99, 99.5)],
        "cdl_morning_star": [(102, 102, 98, 98), (98, 98.3, 97.8, 98.1), (98.2, 101, 98.2, 101)],
        "cdl_evening_star": [(98, 102, 98, 102), (102, 102.3, 101.8, 102.1), (102, 102, 99, 99)],
        "cdl_three_white_soldiers": [(9, 10, 9, 10), (10, 11, 10, 11), (11, 13, 11, 13)],
        "cdl_three_black_crows": [(104, 104, 102, 102), (102, 102, 101, 101), (101, 101, 99, 99)],
        "cdl_outside_bar": [(100, 103, 97, 101)],
        "cdl_piercing": [(101, 101, 99, 99), (98.5, 100.6, 98.5, 100.5)],
        "cdl_dark_cloud": [(99, 101, 99, 101), (101.5, 101.5, 99.4, 99.5)],
    }  # fmt: skip
    program = FeatureProgram(drawn)
    for name, bars in drawn.items():
        program.reset()
        for t, bar in enumerate([*quiet, *bars]):
            row = program.push((1_700_006_400_000 + 60_000 * t, *bar, 1.0))
            last = dict(zip(program.names, row, strict=True))
        assert last[name] == 1.0, name
