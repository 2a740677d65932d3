"""Costs: what is paid, what may be opened, and terms that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.costs import Costs
from strategies.errors import BadTerms, StrategyError


def test_the_price_is_worse_on_both_sides() -> None:
    costs = Costs(slippage_bps=50)
    assert costs.price(200.0, 1.0) == pytest.approx(201.0)
    assert costs.price(200.0, -1.0) == 199.0
    assert Costs(fee_bps=5, slippage_bps=1).round_trip_bps == 12.0


@given(
    cash=st.floats(1.0, 1e6),
    held=st.floats(0.0, 0.99),
    price=st.floats(1e-4, 1e6),
    fee=st.floats(0.0, 500.0),
    leverage=st.floats(0.1, 10.0),
)
def test_room_is_the_most_that_keeps_leverage_after_the_fee(
    cash, held, price, fee, leverage
) -> None:
    costs = Costs(fee_bps=fee, max_leverage=leverage)
    gross = cash * held * leverage
    opened = costs.room(cash, gross, price) * price
    left = cash - costs.fee_rate * opened
    assert gross + opened == pytest.approx(leverage * left, rel=1e-9)


def test_there_is_no_room_where_nothing_is_left() -> None:
    assert Costs().room(-5.0, 0.0, 10.0) == 0.0
    assert Costs().room(100.0, 150.0, 10.0) == 0.0


@pytest.mark.parametrize(
    "terms",
    [
        {"fee_bps": -1.0},
        {"fee_bps": float("nan")},
        {"slippage_bps": 10_000.0},
        {"slippage_bps": float("inf")},
        {"latency_bars": 0},
        {"latency_bars": 1.5},
        {"latency_bars": True},
        {"min_notional": -0.1},
        {"max_leverage": 0.0},
        {"max_leverage": float("nan")},
        {"maker_fee_bps": -6.0},
        {"maker_fee_bps": float("nan")},
    ],
    ids=str,
)
def test_terms_that_cannot_be_are_refused(terms) -> None:
    with pytest.raises(BadTerms, match=next(iter(terms)).split("_")[0]) as told:
        Costs(**terms)
    assert isinstance(told.value, StrategyError | ValueError)


def test_terms_are_plain_values() -> None:
    assert Costs(**Costs(maker_fee_bps=-1).to_dict()) == Costs(maker_fee_bps=-1)  # type: ignore[arg-type]
    assert Costs.none(latency_bars=2) == Costs(0.0, 0.0, 2, 0.0)
