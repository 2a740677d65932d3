"""Models of indicators, of one's own features and of a benchmark: trained, kept, and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import own
from features.besides import Besides
from features.errors import MissingInput, UnknownFeature
from features.feature_manager import FeatureManager
from features.inputs import c
from features.language import mean
from ml_pipeline.errors import RecipeError
from ml_pipeline.train import TrainingPipeline
from models.common.errors import FeatureError
from models.common.predictor import load_model

END = "2025-05-28T00:00:00Z"
SOURCE = "simulated:seed=5,signal=1.0"
MODEL = {"type": "xgboost", "name": "direction_predictor_own", "config": {"n_estimators": 20}}
COLUMNS = ["return_1", "my_swing", "ta:kst", "btc_beta_60", "my_gap", "rsi_14"]
DAYS = pd.date_range("2025-05-01T00:00Z", END, freq="6h")


def swing(candles: pd.DataFrame) -> pd.Series:
    return (candles["high"] - candles["low"]).rolling(9).mean() / candles["close"]


def other_swing(candles: pd.DataFrame) -> pd.Series:
    return (candles["high"] - candles["low"]).rolling(8).mean() / candles["close"]


@pytest.fixture(autouse=True)
def ones_own() -> Iterator[None]:
    own.add("my_swing", swing, "Mean range of 9 bars", window=9)
    own.add("my_gap", c / mean(c, 33) - 1, "Close relative to its mean")
    yield
    for name in own.names():
        own.remove(name)


def test_a_model_of_all_kinds_is_trained_kept_and_asked(tmp_path: Path) -> None:
    manager = FeatureManager(SOURCE, home=tmp_path, end=END)
    frame = manager.get_features("ETH-USDT", "1m", COLUMNS, 1500)
    pipeline = TrainingPipeline(tmp_path, source=SOURCE, end=END)
    trained = pipeline.train_model(MODEL, {"ETH-USDT": frame})
    pipeline.save_model(MODEL["name"], trained)
    model = load_model(MODEL["name"], home=tmp_path)
    assert {"my_swing", "ta:kst.KST", "ta:kst.KSTs", "btc_beta_60"} <= set(model.features)
    live = manager.get_features("ETH-USDT", "1m", model.features, 5)
    assert 0 <= model.predict(live.iloc[-1:])["confidence"] <= 1

    # The same name, another function: nobody may notice too late.
    own.add("my_swing", other_swing, "x", window=9, replace=True)
    changed = manager.get_features("ETH-USDT", "1m", model.features, 5)
    with pytest.raises(FeatureError, match=r"1 columns are defined otherwise.*my_swing"):
        model.predict(changed.iloc[-1:])
    own.remove("my_swing")
    with pytest.raises(UnknownFeature, match=r"my_swing.*TIDEWHEEL_FEATURES"):
        manager.get_features("ETH-USDT", "1m", model.features, 5)


def test_columns_in_a_unit_are_refused_by_name(tmp_path: Path) -> None:
    manager = FeatureManager(SOURCE, home=tmp_path, end=END)
    frame = manager.get_features("ETH-USDT", "1m", ["return_1", "ta:ema(20)"], 200)
    with pytest.raises(RecipeError, match=r"ta:ema\(20\) \[price\]"):
        TrainingPipeline(tmp_path, source=SOURCE, end=END).train_model(MODEL, {"ETH-USDT": frame})


def holed(candles: pd.DataFrame) -> pd.Series:
    return candles["close"].pct_change(9).where(candles.index.minute != 17)


def test_a_hole_in_a_feature_never_reaches_a_model_unsaid(tmp_path: Path) -> None:
    own.add("my_holes", holed, "None on one bar of an hour", window=20)
    manager = FeatureManager(SOURCE, home=tmp_path, end=END)
    frame = manager.get_features("ETH-USDT", "1m", ["return_1", "my_holes"], 1500)
    assert frame["my_holes"].isna().sum() == 25
    trained = TrainingPipeline(tmp_path, source=SOURCE, end=END).train_model(
        MODEL, {"ETH-USDT": frame}
    )
    assert np.isfinite(trained.panel.X).all()
    assert trained.panel.dropped >= 25
    TrainingPipeline(tmp_path, source=SOURCE, end=END).save_model(MODEL["name"], trained)
    live = manager.get_features("ETH-USDT", "1m", load_model(MODEL["name"], home=tmp_path).features)
    gap = live[live["my_holes"].isna()].iloc[:1]
    words = r"NaN or infinity in 1 of \d+ columns: my_holes \(1 of 1 rows\).*functions of your own"
    for model in (trained, load_model(MODEL["name"], home=tmp_path)):
        assert 0 <= model.predict(live.iloc[-1:])["confidence"] <= 1
        for rows in (gap, gap.iloc[0], dict(gap.iloc[0]), gap.to_numpy()):
            with pytest.raises(FeatureError, match=words):
                model.predict(rows)


def test_sentiment_is_handed_on_or_asked_for(tmp_path: Path) -> None:
    published = pd.Series(np.cos(np.arange(len(DAYS))), index=DAYS)
    manager = FeatureManager(SOURCE, home=tmp_path, end=END, sentiment=published)
    frame = manager.get_features("ETH-USDT", "1m", ["return_1", "sentiment_ema_12"], 1500)
    with pytest.raises(MissingInput, match="pass sentiment="):
        TrainingPipeline(tmp_path, source=SOURCE, end=END).train_model(MODEL, {"ETH-USDT": frame})
    pipeline = TrainingPipeline(
        tmp_path, source=SOURCE, end=END, besides=Besides(sentiment=published)
    )
    trained = pipeline.train_model(MODEL, {"ETH-USDT": frame})
    assert "sentiment_ema_12" in trained.panel.names
