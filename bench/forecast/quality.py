"""What forecasts are worth on real candles: walk-forward, against the random walk, pooled."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.forecast.speed import KINDS, STEPS
from ml_pipeline.forecasters.judging import Horizon, Losses, losses, pooled

SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")


@dataclass(frozen=True)
class Plan:
    """Days of training and of judging of each fold, folds, and bars between starts."""

    timeframe: str
    train: int
    test: int
    folds: int
    every: int


PLANS = (Plan("1m", 14, 3, 5, 20), Plan("5m", 60, 15, 8, 10))


def quality(folder: Path) -> dict[tuple[str, str], list[Horizon]]:
    """Return the verdicts by type of forecaster and bar length, over all symbols and folds."""
    found = {}
    for plan in PLANS:
        for kind in KINDS:
            by_horizon: dict[int, list[Losses]] = defaultdict(list)
            symbols: list[str] = []
            for symbol in SYMBOLS:
                candles = pd.read_parquet(folder / f"{symbol}_{plan.timeframe}.parquet")
                for train, test in _folds(candles, plan):
                    predictor = kind(n_steps_ahead=STEPS)
                    predictor.train(train)
                    symbols.append(symbol)
                    for one in losses(predictor.forecaster, test, every=plan.every):
                        by_horizon[one.bars].append(one)
            found[predictor.type, plan.timeframe] = [
                pooled(told, symbols) for told in by_horizon.values()
            ]
    return found


def _folds(candles: pd.DataFrame, plan: Plan) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Return the latest folds, oldest first; what is judged on in one is trained on in the next."""
    frame = candles.set_index("timestamp") if "timestamp" in candles else candles
    end, day = frame.index[-1] + (frame.index[1] - frame.index[0]), pd.Timedelta(days=1)
    found = []
    for back in range(plan.folds, 0, -1):
        cut = end - back * plan.test * day
        train = frame[(frame.index >= cut - plan.train * day) & (frame.index < cut)]
        test = frame[(frame.index >= cut) & (frame.index < cut + plan.test * day)]
        if len(train) > plan.train * day / (frame.index[1] - frame.index[0]) * 0.95:
            found.append((train, test))
    return found
