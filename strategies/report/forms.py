"""Forms: how numbers are written: a real minus sign, a dash for what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Form = Callable[[Any], str]

UNKNOWN = "–"
MINUS = "\N{MINUS SIGN}"


def number(value: Any, form: str, unit: str = "") -> str:
    """Return a number in a format of Python's, with its unit."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:{form}}".replace("-", MINUS) + unit


def percent(value: Any) -> str:
    """Return a fraction with its sign, in per cent."""
    return number(None if value is None else 100 * value, "+,.2f", " %")


def share(value: Any) -> str:
    """Return a fraction that has no sign, in per cent."""
    return number(None if value is None else 100 * value, ",.1f", " %")


def ratio(value: Any) -> str:
    """Return a plain number with two decimals."""
    return number(value, ",.2f")


def chance(value: Any) -> str:
    """Return a probability; never one that is certain."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return "> 0.999" if value > 0.999 else "< 0.001" if value < 0.001 else f"{value:.3f}"


def bps(value: Any) -> str:
    """Return basis points with their sign."""
    return number(value, "+,.2f", " bp")


def cost_bps(value: Any) -> str:
    """Return basis points that have no sign."""
    return number(value, ",.2f", " bp")


def count(value: Any) -> str:
    """Return a whole number."""
    return number(value, ",.0f")


def money(value: Any) -> str:
    """Return an amount of quote currency."""
    return number(value, ",.2f")


def days(value: Any) -> str:
    """Return a length in days."""
    return number(value, ",.1f", " d")


def between(form: Form) -> Form:
    """Return a form for the two ends of an interval."""
    return lambda ends: f"{form(ends[0])} … {form(ends[1])}"
