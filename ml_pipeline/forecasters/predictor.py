"""What both forecasters share: prepare, train, predict, save, load."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.program import FeatureProgram
from market.candles import as_candles, check_candles, open_ms
from market.timeframes import bars_per_day, parse_timeframe, utc
from ml_pipeline.errors import FitError, NotTrained
from ml_pipeline.forecasters import boosting, columns, horizons, parity
from models.forecasters.cone import unit_of
from models.forecasters.folder import load_forecaster, save_forecaster
from models.forecasters.forecaster import SUMS, Forecaster, LiveForecaster

Metrics = dict[str, Any]

LEAST_BARS, LEAST_LONG_BARS = 1000, 500
"""Bars that training needs: of less than an hour, and of an hour or more."""
_STARTS = 600  # rollouts that shrinkage is fitted on, at most


class ForecasterPredictor:
    """Base of the two forecasters; see `AutoregressivePricePredictor` for the parameters."""

    type: ClassVar[str]

    def __init__(
        self,
        n_steps_ahead: int = 300,
        lookback_periods: Sequence[int] = (5, 10, 20, 50),
        model_params: Mapping[str, Any] | None = None,
        *,
        timeframe: str | None = None,
        features: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        if n_steps_ahead < 1:
            raise FitError(f"n_steps_ahead is {n_steps_ahead}; forecast at least 1 step")
        self.n_steps_ahead = n_steps_ahead
        self.lookback_periods = list(lookback_periods)
        self.model_params = dict(model_params or {})
        self.timeframe = timeframe
        self.seed = seed
        self.metrics: Metrics = {}
        self._columns = tuple(features or columns.default_columns(self.type, lookback_periods))
        self._forecaster: Forecaster | None = None
        self._boosters: dict[str, lgb.Booster] = {}

    # ------------------------------------------------------------------ the user's calls

    def prepare_data(
        self, df: pd.DataFrame, test_size: float = 0.2
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the candles as two parts in order of time, for training and for testing.

        Labels never reach from one into the other: training reads no candle of the test part.

        Parameters
        ----------
        df : pandas.DataFrame
            Candles of one symbol, in any shape that `market.candles.as_candles` accepts.
        test_size : float
            Share of the later part, 0 … 1.

        Raises
        ------
        FitError
            The share is none, or training would have too few bars.
        """
        candles = as_candles(df)
        check_candles(candles)
        if not 0 <= test_size < 1:
            raise FitError(f"test_size is {test_size}; it is a share, 0 … 1")
        cut = len(candles) - int(len(candles) * test_size)
        self._check_length(candles.iloc[:cut])
        return candles.iloc[:cut], candles.iloc[cut:]

    def train(
        self,
        train_data: pd.DataFrame,
        validation_split: float = 0.2,
        num_boost_round: int = 500,
        early_stopping_rounds: int | None = 50,
        verbose: bool = False,
        *,
        symbol: str = "",
        now: datetime | None = None,
    ) -> Metrics:
        """Fit boosters on the next bar, then what is known of each horizon; return the metrics.

        Parameters
        ----------
        train_data : pandas.DataFrame
            Candles of one symbol; the first part of `prepare_data`.
        validation_split : float
            Share of the latest rows that is not fitted on. Their first half stops boosting early,
            the second half measures it (``val``) and fits shrinkage and ranges.
        num_boost_round : int
            Most trees a booster.
        early_stopping_rounds : int, optional
            Rounds without progress after which boosting stops; None grows all trees.
        verbose : bool
            Print the metrics.
        symbol : str
            Whose candles they are; kept with the model.
        now : datetime, optional
            Kept as ``trained_at``; by default the present.

        Returns
        -------
        dict
            ``train`` and ``val`` (a forecaster of candles: by ``open high low close``), each with
            ``r2 rmse mae`` of one-bar log returns or wicks, the same of the naive forecast
            (``…_naive``: no change, or the mean wick), ``skill`` = 1 - squared error / naive
            squared error, and ``rows``; and ``horizons``.

        Raises
        ------
        FitError
            Too few bars, or a split that is none.
        """
        candles = as_candles(train_data)
        check_candles(candles)
        self._check_length(candles)
        if not 0 < validation_split < 1:
            raise FitError(f"validation_split is {validation_split}; it is a share, 0 … 1")
        timeframe = self._timeframe(candles)
        past = horizons.Past.of(candles, timeframe)
        program = FeatureProgram(self._columns, timeframe)
        X, unit = program.run(candles), unit_of(past.context)
        targets = columns.in_units(columns.next_bar(self.type, candles, timeframe), unit)
        known = np.isfinite(targets).all(axis=1)
        rows = past.rows[(past.rows >= program.settle) & np.asarray(known)[past.rows]]
        parts = boosting.blocks(rows, validation_split)
        names = SUMS[self.type]
        starting = [name in ("high", "low") for name in names]
        found = boosting.boost(
            X, targets, parts, self._columns, self.model_params, num_boost_round,
            early_stopping_rounds, self.seed, starting,
        )  # fmt: skip
        self._boosters = dict(zip(names, found, strict=True))
        self._forecaster = self._fitted(past, parts, timeframe, boosting.wick(targets, parts))
        self.metrics = self._told(boosting.measured(self._boosters, X, targets, unit, parts))
        self._forecaster = self._with_about(candles, symbol, now or datetime.now(UTC))
        if verbose:
            sys.stdout.write(self.summary() + "\n")
        return self.metrics

    def predict(self, data: pd.DataFrame, every: int | None = None) -> pd.DataFrame:
        """Return forecasts after the last candle of `data`, or after each `every`-th.

        See `models.forecasters.forecaster.Forecaster.predict` and
        `models.forecasters.answer.Forecast.frame`.
        """
        return self.forecaster.predict(data, every)

    def live(self, candles: pd.DataFrame) -> LiveForecaster:
        """Return a forecaster that has seen `candles` and takes further bars one by one."""
        return self.forecaster.live(candles)

    def save(self, path: str | Path) -> Path:
        """Write boosters (text and ONNX), horizons and metrics to a folder; nothing is pickled."""
        graphs = {
            name: parity.graph_of(booster, self._columns) for name, booster in self.boosters.items()
        }
        return save_forecaster(path, self.forecaster, graphs)

    def load(self, path: str | Path) -> Self:
        """Take up what `save` wrote, verified; return self.

        Raises
        ------
        FitError
            It is a forecaster of the other type.
        models.common.errors.BundleError
            It is damaged.
        """
        one = load_forecaster(path)
        if one.type != self.type:
            raise FitError(f"{path} holds a forecaster of type {one.type}, not {self.type}")
        self._forecaster, self._boosters = one, {}
        self.n_steps_ahead, self.timeframe = one.steps, one.timeframe
        self._columns, self.metrics = one.columns, dict(one.about.get("metrics", {}))
        self.lookback_periods = list(one.about.get("lookback_periods", self.lookback_periods))
        self.model_params = dict(one.about.get("model_params", {}))
        return self

    @property
    def forecaster(self) -> Forecaster:
        """What answers.

        Raises
        ------
        NotTrained
            Nothing was trained or loaded.
        """
        if self._forecaster is None:
            raise NotTrained(f"this {self.type} forecaster was not trained; call train, or load")
        return self._forecaster

    @property
    def feature_names(self) -> list[str]:
        """The columns that the boosters read, in order."""
        return list(self._columns)

    def summary(self) -> str:
        """Return the metrics as lines of text."""
        lines = []
        for name, parts in self._by_name().items():
            for part, told in parts.items():
                lines.append(
                    f"{name} {part}: R² {told['r2']:+.4f} (naive {told['r2_naive']:+.4f}), RMSE "
                    f"{told['rmse']:.3g} (naive {told['rmse_naive']:.3g}), {told['rows']} rows"
                )
        return "\n".join(lines)

    # ------------------------------------------------------------------ inside

    @property
    def boosters(self) -> dict[str, lgb.Booster]:
        """The boosters by what they forecast: ``return``, or ``open close high low``."""
        if not self._boosters:
            texts = self.forecaster.texts
            self._boosters = {name: lgb.Booster(model_str=text) for name, text in texts.items()}
        return self._boosters

    def _check_length(self, candles: pd.DataFrame) -> None:
        timeframe = self._timeframe(candles)
        least = LEAST_BARS if bars_per_day(timeframe) > 24 else LEAST_LONG_BARS
        if len(candles) < least:
            raise FitError(
                f"Insufficient data for training (got {len(candles)} rows): {timeframe} bars need "
                f"{least}, better ten times as many; fetch more days"
            )

    def _timeframe(self, candles: pd.DataFrame) -> str:
        if self.timeframe is not None:
            return parse_timeframe(self.timeframe)
        if len(candles) < 2:
            raise FitError(f"{len(candles)} candles do not tell their length; give timeframe")
        return parse_timeframe(f"{int(np.diff(open_ms(candles)).min()) // 1000}s")

    def _fitted(
        self, past: horizons.Past, parts: boosting.Blocks, timeframe: str, wick: float
    ) -> Forecaster:
        cone = horizons.fit_cone(past, self.n_steps_ahead)
        texts = {name: one.model_to_string() for name, one in self._boosters.items()}
        bare = Forecaster(self.type, timeframe, self._columns, texts, cone, wick)
        parity.check_trees(bare, list(self._boosters.values()))
        stride = max(1, len(parts.later) // _STARTS)
        starts = parts.later[::stride]
        rolled = bare.roll(past.candles, starts)
        returns = rolled[:, :, : min(2, rolled.shape[2])].sum(axis=2).cumsum(axis=1)
        cone = horizons.believe(cone, past, starts, returns)
        if rolled.shape[2] > 1:
            ranges = np.abs(rolled[:, :, 1]) + wick * (rolled[:, :, 2] + rolled[:, :, 3])
            cone = horizons.spread(cone, past, starts, ranges)
        return Forecaster(self.type, timeframe, self._columns, texts, cone, wick)

    def _with_about(self, candles: pd.DataFrame, symbol: str, now: datetime) -> Forecaster:
        one = self.forecaster
        times = open_ms(candles)
        about = {
            "n_steps_ahead": self.n_steps_ahead,
            "lookback_periods": self.lookback_periods,
            "model_params": self.model_params,
            "seed": self.seed,
            "symbol": symbol,
            "trained_at": now.isoformat(timespec="seconds"),
            "bars": len(candles),
            "trained_from": utc(int(times[0])).isoformat(),
            "trained_through": utc(int(times[-1])).isoformat(),
            "trees": {name: b.num_trees() for name, b in self._boosters.items()},
            "metrics": self.metrics,
            "training_metrics": self._headline(),
        }
        return replace(one, about=about)

    def _headline(self) -> dict[str, float]:
        """Return the figures of the close, ``train_r2`` and so on."""
        parts = self._by_name()
        close = parts.get("close") or parts["return"]
        return {f"{p}_{name}": told[name] for p, told in close.items() for name in ("r2", "rmse")}

    def _told(self, measured: dict[str, dict[str, dict[str, float]]]) -> Metrics:
        raise NotImplementedError

    def _by_name(self) -> dict[str, dict[str, dict[str, float]]]:
        raise NotImplementedError
