"""vectorbt and backtesting.py on the same orders; run by an interpreter that has them.

Nothing of Tidewheel is imported here. ``others_child.py FOLDER WHO``: reads ``FOLDER/WHO.npz``.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

FEE = 5e-4
CASH = 10_000_000.0
ROUNDS = 3


def by_vectorbt(candles: pd.DataFrame, quantity: np.ndarray) -> tuple[float, str]:
    import vectorbt as vbt

    # Ordered at a close, filled at the next open.
    size = np.concatenate([[0.0], quantity[:-1]])
    folio = vbt.Portfolio.from_orders(
        candles["close"], size=size, price=candles["open"], fees=FEE, init_cash=CASH, freq="1min"
    )
    return float(folio.value().iloc[-1]), vbt.__version__


def by_backtesting(candles: pd.DataFrame, quantity: np.ndarray) -> tuple[float, str]:
    import backtesting

    class Orders(backtesting.Strategy):
        def init(self) -> None:
            self.side = 0

        def next(self) -> None:
            change = quantity[len(self.data) - 1]
            if change > 0:
                self.buy(size=int(change))
            elif change < 0:
                self.sell(size=int(-change))

    frame = candles.rename(columns=str.capitalize)
    test = backtesting.Backtest(frame, Orders, cash=CASH, commission=FEE, exclusive_orders=False)
    return float(test.run()["Equity Final [$]"]), backtesting.__version__


def main() -> None:
    folder, who = Path(sys.argv[1]), sys.argv[2]
    kept = np.load(folder / f"{who}.npz")
    index = pd.DatetimeIndex(kept["at"].astype("M8[ms]"))
    names = ["open", "high", "low", "close", "volume"]
    candles = pd.DataFrame({name: kept[name] for name in names}, index)
    call = {"vectorbt": by_vectorbt, "backtesting.py": by_backtesting}[who]
    least = float("inf")
    warnings.simplefilter("ignore")
    for _ in range(ROUNDS + 1):  # the first compiles
        begun = time.process_time()
        equity, version = call(candles, kept["quantity"])
        least = min(least, time.process_time() - begun)
    print(json.dumps({"seconds": least, "equity": equity, "version": version}))


if __name__ == "__main__":
    main()
