"""The same orders make the same account as with vectorbt: each close, to 1e-12.

`make oracles` runs these tests. Vectorbt is given quantities and opens, one row later than they are
decided on; nothing of our own fills.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from strategies.costs import Costs
from strategies.run import Run
from tests.oracles.orders import ABSENT, CANDLES, CASH, SYMBOLS, Case, case, real_case

vectorbt = pytest.importorskip("vectorbt", reason=f"vectorbt {ABSENT}")

EQUAL = 1e-12
TERMS = {
    "free": Costs.none(),
    "usual": Costs(),
    "dear": Costs(fee_bps=25, slippage_bps=10),
    "fees": Costs.none(fee_bps=7.5),
    "slippage": Costs.none(slippage_bps=4.0),
}


def portfolio(given: Case, costs: Costs):  # type: ignore[no-untyped-def]
    table = {
        name: pd.DataFrame({s: frame[name] for s, frame in given.candles.items()})
        for name in ("open", "close")
    }
    return vectorbt.Portfolio.from_orders(
        table["close"],
        size=given.orders.shift(costs.latency_bars).fillna(0.0).replace(0.0, np.nan),
        size_type="amount",
        direction="both",
        price=table["open"],
        fees=costs.fee_rate,
        slippage=costs.slippage_rate,
        init_cash=CASH,
        cash_sharing=True,
        group_by=True,
        freq="5min",
    )


def assert_same_account(run: Run, theirs) -> None:  # type: ignore[no-untyped-def]
    value = theirs.value().to_numpy()
    np.testing.assert_allclose(run.equity.to_numpy(), value, rtol=EQUAL)
    assert run.fills["fee"].sum() == pytest.approx(theirs.orders.records["fees"].sum(), rel=EQUAL)
    held = theirs.assets().to_numpy()
    ours = run.exposure.mul(run.equity, axis=0).div(run.close)[list(SYMBOLS[: held.shape[1]])]
    np.testing.assert_allclose(ours, held, rtol=1e-9, atol=1e-6)
    pnl = theirs.trades.records
    assert len(pnl) == len(run.trades)
    np.testing.assert_allclose(
        np.sort(run.closed_trades["pnl"]), np.sort(pnl["pnl"][pnl["status"] == 1]), atol=1e-6
    )


@pytest.mark.parametrize("path", ["by_engine", "by_columns"])
@pytest.mark.parametrize("terms", TERMS)
def test_three_symbols_that_share_cash(terms: str, path: str) -> None:
    given = case(seed=1)
    run: Run = getattr(given, path)(TERMS[terms])
    assert len(run.trades) > 60
    assert not run.refused
    assert_same_account(run, portfolio(given, TERMS[terms]))


@pytest.mark.parametrize("path", ["by_engine", "by_columns"])
@pytest.mark.parametrize("latency", [1, 2, 4])
def test_one_symbol_and_late_fills(latency: int, path: str) -> None:
    given = case(SYMBOLS[:1], seed=2)
    costs = Costs(latency_bars=latency)
    assert_same_account(getattr(given, path)(costs), portfolio(given, costs))


@pytest.mark.parametrize("path", ["by_engine", "by_columns"])
@pytest.mark.skipif(
    not (CANDLES / "XRP-USDT_5m.parquet").exists(),
    reason=f"no real candles in {CANDLES}; set TIDEWHEEL_REAL_CANDLES",
)
def test_real_candles(path: str) -> None:
    given = real_case()
    run: Run = getattr(given, path)(Costs())
    assert len(run.trades) > 300
    assert_same_account(run, portfolio(given, Costs()))


def test_the_comparison_sees_a_fill_one_bar_off() -> None:
    given = case(SYMBOLS[:1], seed=2)
    run = given.by_columns(Costs())
    other = portfolio(given, Costs(latency_bars=2)).value().to_numpy()
    assert np.abs(run.equity.to_numpy() / other - 1).max() > 1e-5
