"""The classes of the documents score no row that they were fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from market.timeframes import instant_ms
from ml_pipeline.direction_predictor import DirectionPredictor
from ml_pipeline.momentum_classifier import MomentumClassifier
from ml_pipeline.price_predictor import PricePredictor
from ml_pipeline.risk_scorer import RiskScorer
from ml_pipeline.volatility_regressor import VolatilityRegressor

END = "2025-05-28T00:00:00Z"
CLASSES: dict[Any, tuple[set[str], set[str]]] = {
    DirectionPredictor: ({"direction", "confidence"}, {"accuracy", "precision", "recall", "f1"}),
    RiskScorer: (set(), {"accuracy", "precision", "recall", "f1"}),
    PricePredictor: ({"predicted_price", "confidence"}, {"rmse", "mae", "r2"}),
    MomentumClassifier: ({"state", "confidence"}, {"accuracy", "precision", "recall", "f1"}),
    VolatilityRegressor: ({"predicted_volatility", "confidence"}, {"rmse", "mae", "r2"}),
}


@pytest.mark.parametrize("predictor_class", CLASSES)
def test_a_score_is_never_one_of_the_rows_it_was_fitted_on(
    predictor_class: Any, tmp_path: Path
) -> None:
    answered, figures = CLASSES[predictor_class]
    predictor = predictor_class("simulated:seed=5", home=tmp_path, end=END)
    model = predictor.train(symbols=["BTC-USDT"], timeframe="1m", lookback_bars=1000)
    answer = predictor.predict(symbol="BTC-USDT")
    assert 0 <= answer <= 100 if predictor.kind == "risk" else answered <= set(answer)
    results = predictor.backtest(symbols=["BTC-USDT"], days_back=7)
    assert figures | {"n", "skill", "lower", "upper", "base_loss"} <= set(results)
    through = instant_ms(model.info["trained_through"])
    assert instant_ms(results["since"]) >= through
    asked, unseen = 7 * 1440, (instant_ms(END) - through) // 60_000
    assert results["n"] <= unseen < asked
