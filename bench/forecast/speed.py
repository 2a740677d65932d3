"""Time of 300 steps from a live program, beside the loops that others would write."""

from __future__ import annotations

import time
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from bench.forecast import naive
from features.program import FeatureProgram
from market.source import open_source
from ml_pipeline.forecasters.autoregressive_predictor import AutoregressivePricePredictor
from ml_pipeline.forecasters.multi_ohlc_predictor import MultiOHLCPredictor
from ml_pipeline.forecasters.predictor import ForecasterPredictor
from models.forecasters.cone import unit_of
from tests.forecasting.plain import plain_rollout

STEPS, TREES = 300, 500
KINDS: tuple[type[ForecasterPredictor], ...] = (AutoregressivePricePredictor, MultiOHLCPredictor)
# What lets trees grow to their full 31 leaves, so that none is cheaper than it looks.
_FULL = {"min_data_in_leaf": 20, "lambda_l2": 0.0}


def simulated(days: int) -> pd.DataFrame:
    """Return so many days of 1m candles of a simulated market."""
    end = pd.Timestamp("2025-05-28T00:00Z")
    source = open_source("simulated:seed=5")
    return source.fetch("BTC-USDT", "1m", end - pd.Timedelta(days=days), end)


def grown(kind: type[ForecasterPredictor], candles: pd.DataFrame) -> ForecasterPredictor:
    """Return a forecaster of `TREES` full trees a booster."""
    predictor = kind(n_steps_ahead=STEPS, model_params=_FULL)
    predictor.train(candles, num_boost_round=TREES, early_stopping_rounds=None)
    return predictor


def rollouts(repeats: int) -> dict[str, Any]:
    """Return the times of a rollout by type of forecaster, in milliseconds, and the differences."""
    candles = simulated(7)
    found: dict[str, Any] = {}
    for kind in KINDS:
        predictor = grown(kind, candles)
        live = predictor.live(candles)
        told = {
            "roll": _milliseconds(live.roll, repeats),
            "forecast": _milliseconds(live.forecast, repeats),
            "trees": {n: lgb.Booster(model_str=t).num_trees() for n, t in _texts(predictor)},
            "leaves": _leaves(predictor),
            "columns": len(predictor.feature_names),
        }
        told |= _beside(predictor, candles, live.roll())
        told |= _many(predictor, candles)
        found[predictor.type] = told
    return found


def _texts(predictor: ForecasterPredictor) -> list[tuple[str, str]]:
    return list(predictor.forecaster.texts.items())


def _leaves(predictor: ForecasterPredictor) -> float:
    """Return the mean number of leaves of a tree."""
    lines = [line for _, text in _texts(predictor) for line in text.splitlines()]
    return float(np.mean([int(x.split("=")[1]) for x in lines if x.startswith("num_leaves=")]))


def _milliseconds(call: Any, repeats: int) -> dict[str, float]:
    call()
    laps, used = [], []
    for _ in range(repeats):
        began, busy = time.perf_counter(), time.thread_time()
        call()
        used.append(time.thread_time() - busy)
        laps.append(time.perf_counter() - began)
    p50, p99 = np.percentile(laps, [50, 99]) * 1e3
    return {"p50": float(p50), "p99": float(p99), "cpu": float(np.median(used)) * 1e3}


def _beside(predictor: ForecasterPredictor, candles: pd.DataFrame, ours: Any) -> dict[str, Any]:
    """Return the times of the plain loops, and how far theirs and our answers differ."""
    one = predictor.forecaster
    boosters = [lgb.Booster(model_str=text) for _, text in _texts(predictor)]
    unit = float(unit_of(one.context.fork().run(candles, dtype=np.float64)[-1:])[0])
    began = time.perf_counter()
    plain = plain_rollout(boosters, candles, one.columns, unit=unit, steps=STEPS, wick=one.wick)
    seconds = time.perf_counter() - began
    program = FeatureProgram(one.columns)
    began = time.perf_counter()
    program.run(candles)
    warm = time.perf_counter() - began  # the loop's own warm-up is no part of it
    told = {"plain": (seconds - warm) * 1e3, "difference": float(np.abs(plain - ours).max())}
    if len(boosters) == 1:
        began = time.perf_counter()
        other = naive.rollout(boosters[0], candles, one.columns, unit, STEPS)
        told["naive"] = (time.perf_counter() - began) * 1e3
        told["naive_first"] = float(abs(other[0] - ours[0, 0]))
    return told


def _many(
    predictor: ForecasterPredictor, candles: pd.DataFrame, count: int = 1000
) -> dict[str, Any]:
    """Return the seconds of a thousand starts."""
    one = predictor.forecaster
    starts = np.linspace(one.settle, len(candles) - 1, count).astype(np.int64)
    one.roll(candles, starts[:10])
    began = time.perf_counter()
    one.roll(candles, starts)
    return {"thousand_s": time.perf_counter() - began}


def trainings() -> dict[tuple[str, int], dict[str, float]]:
    """Return seconds of training, whole, by type and days: as called, and with all 500 rounds."""
    found = {}
    for days in (7, 30):
        candles = simulated(days)
        for kind in KINDS:
            told = {}
            for name, patience in (("stopping", 50), ("whole", None)):
                predictor = kind(n_steps_ahead=STEPS)
                began = time.perf_counter()
                train, _ = predictor.prepare_data(candles)
                predictor.train(train, early_stopping_rounds=patience)
                told[name] = time.perf_counter() - began
            found[predictor.type, days] = told
    return found
