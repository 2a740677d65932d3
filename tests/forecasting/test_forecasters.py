"""Forecasters: what they find when there is something, and that they stay still when not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist

import lightgbm as lgb
import numpy as np
import onnxruntime
import pandas as pd
import pytest

from features.bars import bar_table
from market.candles import candle_frame
from market.historical import HistoricalDataFetcher
from ml_pipeline.errors import FitError, JudgingError, NotTrained
from ml_pipeline.forecasters.autoregressive_predictor import AutoregressivePricePredictor
from ml_pipeline.forecasters.boosting import blocks
from ml_pipeline.forecasters.horizons import Past, believe, fit_cone
from ml_pipeline.forecasters.judging import judge_forecaster
from ml_pipeline.forecasters.multi_ohlc_predictor import MultiOHLCPredictor
from ml_pipeline.forecasters.predictor import ForecasterPredictor
from models.common.errors import BundleError, FeatureError, ModelNotFound
from models.forecasters.answer import answer
from models.forecasters.cone import Cone
from models.forecasters.folder import load_forecaster
from tests.features.walks import START_MS, walk
from tests.forecasting.plain import plain_rollout

STEPS = 60
KINDS = (AutoregressivePricePredictor, MultiOHLCPredictor)
NOW = datetime(2025, 5, 1, tzinfo=UTC)


def swinging(n: int, memory: float, seed: int = 0) -> pd.DataFrame:
    """Return candles whose returns remember the one before; every third quarter-hour is wild."""
    rng = np.random.default_rng(seed)
    wild = np.repeat(np.where(rng.random(n // 15 + 1) < 1 / 3, 2.0, 0.7), 15)[:n]
    shock, moved = 5e-4 * wild * rng.standard_normal(n), np.zeros(n)
    for i in range(1, n):
        moved[i] = memory * moved[i - 1] + shock[i]
    c = 100 * np.exp(np.cumsum(moved))
    o = np.concatenate([[100.0], c[:-1]])
    up, down = (np.exp(3e-4 * wild * np.abs(rng.standard_normal(n))) for _ in range(2))
    table = np.column_stack([o, np.maximum(o, c) * up, np.minimum(o, c) / down, c, np.ones(n)])
    return candle_frame(START_MS + 60_000 * np.arange(n), table)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.type)
def trained(request: pytest.FixtureRequest) -> tuple[ForecasterPredictor, pd.DataFrame]:
    candles = swinging(9000, memory=0.5)
    predictor = request.param(n_steps_ahead=STEPS)
    train, test = predictor.prepare_data(candles)
    predictor.train(train, symbol="BTC-USDT", now=NOW)
    return predictor, test


Trained = tuple[ForecasterPredictor, pd.DataFrame]


def test_a_planted_memory_is_found_and_its_end_too(trained: Trained) -> None:
    predictor, test = trained
    found = {h.bars: h for h in judge_forecaster(predictor.forecaster, test, every=5)}
    assert found[1].returns.skill == pytest.approx(0.25, abs=0.08)  # memory², of return variance
    assert found[1].returns.lower > 0
    # One bar's memory says next to nothing of an hour, and does no harm there.
    assert found[60].returns.skill > -0.02
    assert all(0.84 < found[k].coverage < 0.96 for k in (1, 5, 15))
    assert found[60].coverage > 0.7  # there are 26 independent stretches of 60 bars
    if predictor.type == "multi_ohlc":
        assert all(h.impossible == 0 for h in found.values())
        assert found[1].range is not None
        assert found[1].range.lower > 0


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_random_walk_nothing_is_believed(kind: type[ForecasterPredictor]) -> None:
    predictor = kind(n_steps_ahead=STEPS)
    train, test = predictor.prepare_data(swinging(6000, memory=0.0, seed=4))
    predictor.train(train)
    for horizon in judge_forecaster(predictor.forecaster, test, every=5):
        assert horizon.returns.skill == pytest.approx(0, abs=0.01)


def test_metrics_stand_beside_the_naive_ones(trained: Trained) -> None:
    predictor, _ = trained
    each = [predictor.metrics] if "train" in predictor.metrics else predictor.metrics.values()
    assert len(list(each)) in (1, 4)
    for parts in each:
        for part in ("train", "val"):
            told = parts[part]
            assert {"r2", "r2_naive", "rmse", "rmse_naive", "mae", "mae_naive"} <= set(told)
            if told["rmse_naive"] > 0:
                ratio = told["rmse"] / told["rmse_naive"]
                assert told["skill"] == pytest.approx(1 - ratio**2)
    close = predictor.metrics.get("close", predictor.metrics)
    assert close["val"]["r2"] == pytest.approx(0.25, abs=0.08)


def test_columns_of_an_answer(trained: Trained) -> None:
    predictor, test = trained
    frame = predictor.predict(test, every=100)
    assert frame.index[-1] == test.index[-1]
    assert len(frame) == (len(test) - 1 - predictor.forecaster.settle) // 100 + 1
    price = "predicted_price" if predictor.type == "autoregressive" else "predicted_close"
    last = test["close"].loc[frame.index].to_numpy()
    for k in (1, STEPS):
        back = frame[f"{price}_{k}"] / last - 1
        np.testing.assert_allclose(back, frame[f"predicted_return_{k}"], atol=1e-12)
        assert (frame[f"lower_{k}"] < frame[f"{price}_{k}"]).all()
        assert (frame[f"upper_{k}"] > frame[f"{price}_{k}"]).all()
        assert frame[f"confidence_{k}"].between(0.5, 1).all()
    assert frame["confidence"].equals(frame[f"confidence_{STEPS}"].rename("confidence"))
    if predictor.type == "multi_ohlc":
        for k in range(1, STEPS + 1):
            o, h, low, c = (frame[f"predicted_{s}_{k}"] for s in ("open", "high", "low", "close"))
            assert (h >= np.maximum(o, c)).all()
            assert (low <= np.minimum(o, c)).all()
            assert (low > 0).all()


def test_the_rollout_is_the_plain_loop(trained: Trained) -> None:
    predictor, test = trained
    one = predictor.forecaster
    boosters = [lgb.Booster(model_str=text) for text in one.texts.values()]
    live = predictor.live(test)
    unit = float(np.exp((live._scale[2] - np.log(60)) / 2))
    plain = plain_rollout(boosters, test, one.columns, unit=unit, steps=STEPS, wick=one.wick)
    np.testing.assert_allclose(live.roll(), plain, rtol=0, atol=1e-12)


def test_live_is_history(trained: Trained) -> None:
    predictor, test = trained
    live = predictor.live(test.iloc[:-3])
    for bar in bar_table(test)[-3:]:
        live.push(bar.tolist())
    frame = live.forecast().frame(test.index[-1:])
    pd.testing.assert_frame_equal(frame, predictor.predict(test), check_freq=False)


def test_saved_and_loaded_it_says_the_same(trained: Trained, tmp_path: Path) -> None:
    predictor, test = trained
    place = predictor.save(tmp_path / "one")
    again = type(predictor)().load(place)
    assert again.predict(test).equals(predictor.predict(test))
    assert again.metrics == predictor.metrics
    assert again.n_steps_ahead == STEPS
    assert not list(place.rglob("*.pkl"))
    rows = np.random.default_rng(1).standard_normal((5, len(again.feature_names)))
    graph = onnxruntime.InferenceSession(next(place.rglob("model.onnx")).read_bytes())
    assert graph.run(None, {"features": rows.astype(np.float32)})[0].shape == (5, 1)
    other = next(kind for kind in KINDS if kind is not type(predictor))
    with pytest.raises(FitError, match="of type"):
        other().load(place)


def test_what_was_changed_on_disk_is_refused(trained: Trained, tmp_path: Path) -> None:
    place = trained[0].save(tmp_path / "one")
    (text, *_) = sorted(place.rglob("autoregressive_model.txt"))
    text.write_text(text.read_text().replace("leaf_value=", "leaf_value=1", 1))
    with pytest.raises(BundleError, match="it was changed"):
        load_forecaster(place)
    with pytest.raises(ModelNotFound):
        load_forecaster(tmp_path / "none")


def test_equal_trainings_are_equal() -> None:
    candles = swinging(2500, memory=0.4)
    texts = []
    for _ in range(2):
        predictor = AutoregressivePricePredictor(n_steps_ahead=20, seed=3)
        predictor.train(candles, now=NOW)
        texts.append((predictor.forecaster.texts, predictor.forecaster.cone.as_dict()))
    assert texts[0] == texts[1]


def test_training_reads_nothing_of_the_test_part() -> None:
    candles = swinging(3000, memory=0.3)
    poisoned = candles.copy()
    poisoned.iloc[2400:, :4] *= 3.0
    answers = []
    for frame in (candles, poisoned):
        predictor = AutoregressivePricePredictor(n_steps_ahead=20)
        train, _ = predictor.prepare_data(frame)
        predictor.train(train, now=NOW)
        answers.append((predictor.forecaster.texts, predictor.forecaster.cone.as_dict()))
    assert answers[0] == answers[1]


def test_blocks_are_in_order_and_purged() -> None:
    parts = blocks(np.arange(50, 1050), 0.2)
    assert parts.fit[-1] + 1 < parts.watch[0]
    assert parts.watch[-1] + 1 < parts.later[0]
    assert parts.later.tolist() == list(range(950, 1050))


def test_all_trees_where_nothing_stops_them() -> None:
    predictor = AutoregressivePricePredictor(n_steps_ahead=5)
    predictor.train(walk(1500), num_boost_round=40, early_stopping_rounds=None)
    assert predictor.model.num_trees() == 40
    assert len(predictor.model.feature_importance()) == len(predictor.feature_names)


def test_what_cannot_be_trained_or_asked_is_refused(trained: Trained) -> None:
    predictor, test = trained
    with pytest.raises(FitError, match=r"Insufficient data for training \(got 500 rows\).*1000"):
        AutoregressivePricePredictor().train(walk(500))
    with pytest.raises(NotTrained):
        AutoregressivePricePredictor().predict(test)
    with pytest.raises(FeatureError, match="fetch more"):
        predictor.predict(test.iloc[:100])
    with pytest.raises(JudgingError, match="judge on later ones"):
        judge_forecaster(predictor.forecaster, swinging(9000, memory=0.5))
    with pytest.raises(FitError, match="at least 1 step"):
        AutoregressivePricePredictor(n_steps_ahead=0)


def test_hourly_bars_need_five_hundred() -> None:
    hourly = walk(600)
    hourly.index = pd.date_range("2025-01-01", periods=600, freq="1h", tz="UTC", unit="ms")
    hourly.index.name = "timestamp"
    predictor = MultiOHLCPredictor(n_steps_ahead=24)
    predictor.train(hourly)
    assert predictor.forecaster.timeframe == "1h"
    assert np.isfinite(predictor.predict(hourly).to_numpy()).all()


def test_horizons_beyond_what_was_seen_are_the_random_walk() -> None:
    predictor = AutoregressivePricePredictor(n_steps_ahead=300)
    predictor.train(swinging(1200, memory=0.5))
    assert predictor.forecaster.cone.every(predictor.forecaster.cone.shrink)[250:].max() == 0


def test_a_cone_between_its_horizons() -> None:
    ones = np.zeros((2, 7))
    cone = Cone(np.array([1, 100]), ones, np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    assert cone.every(cone.shrink)[9] == pytest.approx(0.5)  # halfway in ln k
    assert Cone.from_dict(cone.as_dict()).as_dict() == cone.as_dict()


def made_cone(steps: int, shrink: float) -> Cone:
    weights, grid = np.zeros((2, 7)), np.array([1, steps])
    weights[:, 0] = np.log(1e-3)
    full = np.full(2, shrink)
    return Cone(grid, weights, np.full(2, 1.645), full, 0.9, weights, np.full(2, 0.5), np.ones(2))


def test_whatever_is_rolled_out_makes_possible_candles() -> None:
    rng = np.random.default_rng(0)
    rolled = rng.standard_normal((50, 40, 4)) * 10.0 ** rng.uniform(-6, -1, (50, 1, 4))
    rolled[:, :, 2:] = np.maximum(rolled[:, :, 2:], 0.0)
    context = np.tile([1e-3, -10.0, -10.0, -10.0, 0.0, 1.0], (50, 1))
    told = answer(made_cone(40, 0.7), rolled, context, np.full(50, 100.0), 2.0)
    assert told.candle is not None
    o, h, low, c = np.moveaxis(told.candle, 2, 0)
    assert (h >= np.maximum(o, c) * (1 - 1e-15)).all()
    assert (low <= np.minimum(o, c) * (1 + 1e-15)).all()
    path = np.cumsum(rolled[:, :, :2].sum(axis=2), axis=1)
    np.testing.assert_allclose(np.log(c / 100), 0.7 * path, atol=1e-12)
    # Half an interval is σ √k times the quantile; the confidence is the normal one.
    np.testing.assert_allclose(told.half_width[0], 1.645e-3 * np.sqrt(np.arange(1, 41)))
    z = 0.7 * np.abs(path[0]) / (1e-3 * np.sqrt(np.arange(1, 41)))
    np.testing.assert_allclose(told.confidence[0], [NormalDist().cdf(x) for x in z], atol=1e-3)


def test_rollouts_of_noise_are_hardly_believed_and_of_the_truth_wholly() -> None:
    candles = swinging(6000, memory=0.0, seed=9)
    past = Past.of(candles, "1m")
    cone, starts = fit_cone(past, 20), np.arange(3000, 5900, 5)
    draws = np.random.default_rng(2).standard_normal((10, len(starts), 20)) * 5e-5
    # Their slopes, clipped to 0 … 1 but taken as they are, would be a third on average.
    noise = [believe(cone, past, starts, one).shrink.mean() for one in draws]
    assert np.mean(noise) < 0.1
    truth = np.stack([past.returns(k)[starts] for k in range(1, 21)], axis=1)
    known = believe(cone, past, starts, 0.5 * draws[0] + truth)
    assert known.shrink.min() > 0.6
    assert (known.quantile < 0.8 * cone.quantile).all()


def test_naive_times_are_local() -> None:
    fetcher = HistoricalDataFetcher("simulated")
    start, end = map(datetime.fromisoformat, ("2025-05-01T11:00", "2025-05-01T12:00"))
    candles = fetcher.fetch("BTC/USDT", "1m", start, end)
    assert candles.index[-1] == pd.Timestamp(end.astimezone(UTC)) - pd.Timedelta("1min")
    assert len(candles) == 60
