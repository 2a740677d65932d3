"""The same orders make the same account as with backtesting.py: each close, to 1e-12.

`make oracles` runs these tests. Without slippage: its spread is charged on entries only. It trades
one symbol an account and whole units; of several symbols, our shared account has to gain what its
accounts gain together.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from strategies.costs import Costs
from strategies.run import Run
from tests.oracles.orders import ABSENT, CASH, SYMBOLS, Case, case

backtesting = pytest.importorskip("backtesting", reason=f"backtesting.py {ABSENT}")

pytestmark = pytest.mark.filterwarnings("ignore:Some trades remain open:UserWarning")
EQUAL = 1e-12
FEES = [0.0, 5.0, 25.0]


def equity(given: Case, symbol: str, costs: Costs) -> pd.Series:
    quantities = given.orders[symbol].to_numpy()

    class Orders(backtesting.Strategy):
        def init(self) -> None:
            pass

        def next(self) -> None:
            quantity = quantities[len(self.data) - 1]
            if quantity:
                (self.buy if quantity > 0 else self.sell)(size=abs(quantity))

    frame = given.candles[symbol].rename(columns=str.capitalize)
    frame.index = frame.index.tz_localize(None)
    test = backtesting.Backtest(
        frame, Orders, cash=CASH, commission=costs.fee_rate, spread=0.0, margin=1.0
    )
    return test.run()["_equity_curve"]["Equity"]


@pytest.mark.parametrize("path", ["by_engine", "by_columns"])
@pytest.mark.parametrize("fee_bps", FEES)
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_one_symbol(symbol: str, fee_bps: float, path: str) -> None:
    costs = Costs.none(fee_bps=fee_bps)
    given = case((symbol,), seed=3)
    run: Run = getattr(given, path)(costs)
    assert len(run.trades) > 20
    theirs = equity(given, symbol, costs).to_numpy()
    np.testing.assert_allclose(run.equity.to_numpy(), theirs, rtol=EQUAL)


@pytest.mark.parametrize("path", ["by_engine", "by_columns"])
@pytest.mark.parametrize("fee_bps", FEES)
def test_three_symbols_gain_what_three_accounts_gain(fee_bps: float, path: str) -> None:
    costs = Costs.none(fee_bps=fee_bps)
    given = case(seed=4)
    run: Run = getattr(given, path)(costs)
    gains = sum(equity(given, symbol, costs).to_numpy() - CASH for symbol in SYMBOLS)
    np.testing.assert_allclose(run.equity.to_numpy(), CASH + gains, rtol=EQUAL)
