"""What the five predictors share: train, predict and backtest with the seeds' parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from market.source import CandleSource
from market.timeframes import Instant, timeframe_ms, utc
from ml_pipeline.errors import NotTrained, RecipeError
from ml_pipeline.history import History
from ml_pipeline.recipes import named
from ml_pipeline.tasks import TASKS
from ml_pipeline.trained import TrainedModel
from ml_pipeline.training import as_asked, train_on
from ml_pipeline.validate import ValidationPipeline
from models.common.heads import Answer
from models.common.slot import SEED_NAMES


class Predictor:
    """One kind of model, trained on a source's latest candles.

    Parameters
    ----------
    source
        Where candles come from; by default `TIDEWHEEL_SOURCE`, which is ``simulated``.
    home
        Folder of all that is kept; by default `TIDEWHEEL_HOME`, which is ``var``.
    end
        The moment that counts as now; by default the clock.
    seed
        Of the fit.
    """

    kind: ClassVar[str] = ""

    def __init__(
        self,
        source: str | CandleSource | None = None,
        *,
        home: str | Path | None = None,
        end: Instant | None = None,
        seed: int = 0,
    ) -> None:
        self.history = History.open(source, home=home, end=end)
        self.seed = seed
        self._model: TrainedModel | None = None

    @property
    def model(self) -> TrainedModel:
        """The model of the last `train`.

        Raises
        ------
        NotTrained
            Before the first one.
        """
        if self._model is None:
            raise NotTrained(f"{type(self).__name__} is not trained yet; call train() first")
        return self._model

    def train(
        self,
        symbols: str | Sequence[str],
        timeframe: str = "1m",
        lookback_bars: int | None = None,
        prediction_horizon: int | None = None,
        config: Mapping[str, Any] | None = None,
        recipe: str | None = None,
    ) -> TrainedModel:
        """Fit the model and its baseline.

        Parameters
        ----------
        symbols
            What to train on; several are pooled.
        timeframe
            Length of a bar.
        lookback_bars
            Bars of each symbol in the training slice, by default what the recipe says. A week more
            is read after it to calibrate and to judge the model on.
        prediction_horizon
            Bars ahead. Each kind has one horizon, which labels, baselines and gates share; another
            one is refused.
        config
            Hyper-parameters to change; besides, ``keep`` and ``tune_seconds`` as
            `ml_pipeline.training.as_asked` tells.
        recipe
            Which of the kind's recipes, such as ``logistic``; by default the seed's own.

        Raises
        ------
        RecipeError
            For another horizon, or a recipe or hyper-parameter that is not known.
        """
        horizon = TASKS[self.kind].horizon_bars(timeframe)
        if prediction_horizon not in (None, horizon):
            raise RecipeError(
                f"{self.kind} predicts {horizon} bars of {timeframe} ahead, not "
                f"{prediction_horizon}; leave prediction_horizon out"
            )
        chosen, tune_seconds = as_asked(named(recipe or self.kind, self.kind), config)
        self._model = train_on(
            self.history,
            chosen,
            symbols,
            timeframe,
            train_bars=lookback_bars,
            name=f"{SEED_NAMES[self.kind]}_001",
            seed=self.seed,
            tune_seconds=tune_seconds,
        )
        return self._model

    def predict(self, symbol: str, current_features: Any = None) -> Answer:
        """Return the answer for the last bar of `symbol`.

        Parameters
        ----------
        symbol
            Which market.
        current_features
            Feature rows with the columns ``model.features``; the last is answered. By default
            the latest closed bar is fetched.

        Returns
        -------
        dict or RiskScore
            As `models.common.heads` documents for the kind.
        """
        if current_features is None:
            features, close = self._latest(symbol)
            return self.model.predict(features, close=close)
        if isinstance(current_features, pd.DataFrame):
            current_features = current_features.iloc[-1:]
        return self.model.predict(current_features)

    def backtest(
        self, symbols: str | Sequence[str] | None = None, days_back: float = 7
    ) -> dict[str, Any]:
        """Score the bars of the last `days_back` days that lie after the training's end.

        Returns
        -------
        dict
            As `ValidationPipeline.backtest_model` does: ``n`` says how many bars there were.
        """
        validator = ValidationPipeline(history=self.history, seed=self.seed)
        chosen = self.model.origin.symbols if symbols is None else symbols
        return validator.backtest_model(self.model, chosen, days_back)

    def _latest(self, symbol: str) -> tuple[pd.DataFrame, float]:
        timeframe = self.model.origin.slot.timeframe
        end = self.history.now_ms(timeframe)
        start = end - timeframe_ms(timeframe)
        panel = self.history.panel(symbol, timeframe, self.model.features, start, end)
        if not len(panel):
            raise NotTrained(
                f"{symbol} has no bar of {timeframe} that closed at {utc(end)} with all features; "
                "fetch its candles up to then"
            )
        return pd.DataFrame(panel.X, columns=list(panel.names)), float(panel.close[-1])
