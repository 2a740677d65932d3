"""Definitions can be read, and read back they are the same expressions."""

from __future__ import annotations

from typing import Any

import pytest

from features import inputs, language
from features.catalogue import FEATURES
from features.definition import PARTS, Definitions
from features.expression import Expr

# Built-ins are replaced by words of the language: nothing else may be called.
WORDS: dict[str, Any] = {
    "__builtins__": {},
    **{n: getattr(language, n) for n in dir(language) if not n.startswith("_")},
    **{n: getattr(inputs, n) for n in ("ts", "sent", "DAY", "HOUR", "QUARTER_HOUR")},
    **PARTS,
    "benchmark": inputs.btc,
}
LISTED = {name: feature.expression for name, feature in FEATURES.items()}
EXACT = Definitions.of(FEATURES, digits=17)
SHORT = Definitions.of(FEATURES)


@pytest.mark.parametrize("name", [*FEATURES, "sma_37", "rsi_9", "momentum_7_atr"])
def test_a_definition_read_back_is_the_same_expression(name: str) -> None:
    expression = FEATURES[name].expression
    # Raw inputs are listed too; all other names must not be written as themselves.
    others = {n: node for n, node in LISTED.items() if n != name or not expression.args}
    read: Expr = eval(EXACT.text(expression), {**WORDS, **others})
    assert read.digest == expression.digest


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("close", "close"),
        ("sma_5", "mean(close, 5)"),
        ("return_5", "close / lag(close, 5) - 1"),
        ("momentum_5_atr", "ratio(momentum_5, atr_14)"),
        ("hl_range_pct", "hl_range / close"),
        ("bb_percent_20", "ratio(close - bb_lower_20, root("),
        ("macd", "ema(close, 12) - ema(close, 26)"),
        ("rsi_14", "ratio(rma(gain, 14), rma(gain, 14) + rma(loss, 14), 0.5) * 100"),
        ("session_us", "(hour >= 13) & (hour < 21)"),
        ("volatility_20", "deviation(log_return_1, 20)"),
        ("parkinson_20", "root(mean(log_range_squared, 20) / 2.77259)"),
        ("typical_price_dev", "typical / close - 1"),
        ("atr_14", "rma(true_range, 14)"),
        ("cdl_hammer", "(lower_wick >= size * 2) & no_upper & (size > 0)"),
        ("volume_dry_up", "volume < volume_sma_20 * 0.5"),
        ("tod_sin", "sine(time_of_day / (HOUR * 24) * 6.28319)"),
    ],
)
def test_definitions_are_written_as_people_write_them(name: str, text: str) -> None:
    assert SHORT.text(FEATURES[name].expression).startswith(text)


def test_of_equal_definitions_the_first_listed_gives_its_name() -> None:
    assert SHORT.same_as("bb_middle_20", LISTED["bb_middle_20"]) == "sma_20"
    assert SHORT.same_as("sma_20", LISTED["sma_20"]) is None


def test_the_parts_that_a_definition_mentions_are_told_with_it() -> None:
    assert SHORT.parts_of(LISTED["cdl_hammer"]) == {
        "no_upper": "upper_wick <= usual_range * 0.1",
        "lower_wick": "bottom - low",
        "size": "magnitude(oc_range)",
        "upper_wick": "high - top",
        "usual_range": "lag(mean(hl_range, 10), 1)",
        "bottom": "smaller(open, close)",
        "top": "larger(open, close)",
    }
    assert SHORT.parts_of(LISTED["macd_pct"]) == {}
