"""Units are checked like types when an expression is written."""

from __future__ import annotations

import pytest

from features.errors import ExpressionError, FeatureError, UnitError
from features.foreign.column import Unknown
from features.inputs import DAY, c, h, l, ts, v
from features.language import (
    correlation,
    ema,
    floordiv,
    lag,
    larger,
    log,
    mean,
    mod,
    ratio,
    root,
    slope,
    supertrend,
    variance,
    where,
)
from features.units import PRICE, SCALE_FREE, TIME, VOLUME, Unit


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: c + v,
        lambda: c - 1,
        lambda: 1 - c,
        lambda: c > v,
        lambda: c >= 100,
        lambda: larger(c, v),
        lambda: where(c > h, c, v),
        lambda: where(c, h, l),
        lambda: log(c),
        lambda: root(c),
        lambda: ratio(c, v, otherwise=1),
        lambda: ratio(c, h, otherwise=c),
        lambda: mod(ts, 60_000),
        lambda: floordiv(ts, c),
        lambda: supertrend(c, h, v, 10),
        lambda: c & h,
    ],
)
def test_units_that_do_not_fit_are_refused(mistake) -> None:
    with pytest.raises(UnitError):
        mistake()


def test_the_error_names_units_expression_and_remedy() -> None:
    with pytest.raises(UnitError, match=r"add of \[price\] and \[volume\]: c, v; divide one by"):
        _ = c + v


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        (c + h, PRICE),
        (c - 0, PRICE),
        (larger(c, 0), PRICE),
        (c * v, Unit(price=1, volume=1)),
        (c * 2, PRICE),
        (2 * c, PRICE),
        (c / lag(c, 1), SCALE_FREE),
        (1 - c / h, SCALE_FREE),
        (ratio(c, v), Unit(price=1, volume=-1)),
        (ratio(c, h, 0.5), SCALE_FREE),
        (variance(c, 5), Unit(price=2)),
        (root(variance(c * v, 5)), Unit(price=1, volume=1)),
        (correlation(c, v, 5), SCALE_FREE),
        (slope(v, 5), VOLUME),
        (ema(c, 5), PRICE),
        (c > h, SCALE_FREE),
        (mod(ts, DAY), TIME),
        (floordiv(ts, DAY), SCALE_FREE),
    ],
)
def test_units_follow_from_the_expression(expression, unit) -> None:
    assert expression.unit == unit


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (SCALE_FREE, "–"),
        (PRICE, "price"),
        (Unit(price=2), "price²"),
        (Unit(price=1, volume=1), "price·volume"),
        (Unit(volume=-1), "1/volume"),
        (Unit(price=1, volume=-2), "price/volume²"),
    ],
)
def test_units_read_as_people_write_them(unit, text) -> None:
    assert str(unit) == text


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: mean(c, 0),
        lambda: lag(c, 0),
        lambda: lag(c, -1),
        lambda: variance(c, 1),
        lambda: ema(c, 1),
    ],
)
def test_windows_that_cannot_be_are_refused(mistake) -> None:
    with pytest.raises(ExpressionError, match="needs at least"):
        mistake()


def test_errors_form_one_tree() -> None:
    assert issubclass(UnitError, FeatureError)
    assert issubclass(ExpressionError, FeatureError)


def test_what_is_made_of_an_unknown_unit_is_unknown() -> None:
    unknown = Unknown()
    made = [
        unknown * PRICE, PRICE * unknown, unknown / PRICE, PRICE / unknown, SCALE_FREE / unknown,
        SCALE_FREE * unknown, unknown / unknown, unknown.root(),
    ]  # fmt: skip
    assert {str(unit) for unit in made} == {"unknown"}
    assert not any(unit.scale_free for unit in made)
