"""The guide's service: train a forecaster, list what there is, forecast, keep forecasts."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from market.timeframes import instant_ms, timeframe_ms, utc
from models.forecasters.folder import load_forecaster
from models.forecasters.forecaster import MULTI_OHLC, Forecaster
from orchestration.service import forecasting, jobs
from orchestration.service.errors import JobFailed, NoForecaster, TrainingRunning
from orchestration.service.forecasting import Order
from orchestration.service.jobs import Tell
from orchestration.service.resources import store_of
from orchestration.settings import Settings, load_settings
from orchestration.store.records import COMPLETED, FAILED, JobRecord

Json = dict[str, Any]
_REMEMBERED = 64  # forecasts
_LATE_S = 5.0  # a bar that is not there yet is asked for again after so long
_WARM = 60  # bars beyond what the features need


class MLService:
    """Forecasters of a home.

    Parameters
    ----------
    settings
        Which home and source of candles.

    Examples
    --------
    >>> service = get_ml_service()  # doctest: +SKIP
    >>> service.train_model("BTC/USDT", "1m", n_steps_ahead=300)["name"]  # doctest: +SKIP
    'BTC_USDT_1m_300steps_multi_ohlc'
    >>> service.get_predictions("BTC/USDT", "1m")["current_price"]  # doctest: +SKIP
    42150.5
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._known: OrderedDict[tuple[str, int], tuple[float, Json]] = OrderedDict()
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ the guide's calls

    def train_model(
        self,
        symbol: str,
        timeframe: str,
        n_steps_ahead: int = 300,
        days_history: float = 30,
        model_type: str = MULTI_OHLC,
    ) -> Json:
        """Train a forecaster in this process; return its facts: `forecasting.facts`.

        Raises
        ------
        InsufficientData
            Fewer bars than it needs.
        TrainingRunning
            Another process trains the same.
        """
        order = Order.of(symbol, timeframe, n_steps_ahead, days_history, model_type)
        return self._train(order)

    def list_models(self) -> list[Json]:
        """Return the facts of every forecaster, the last trained first."""
        return forecasting.listed(self.settings)

    def get_predictions(self, symbol: str, timeframe: str, model_type: str | None = None) -> Json:
        """Return the forecast after the last closed bar, as the guide's JSON.

        Asked again before the next bar closes, it gives the same forecast from memory.

        Raises
        ------
        NoForecaster
            None was trained.
        """
        return self.ask(symbol, timeframe, model_type)[0]

    def save_prediction_result(
        self,
        symbol: str,
        timeframe: str,
        prediction_data: Mapping[str, Any],
        user_id: str | None = None,
    ) -> str:
        """Keep a forecast; return the id under which `get_prediction` finds it."""
        params = _words(symbol, timeframe)
        job = jobs.ask(self.settings, jobs.SAVED, params, owner=user_id)
        store_of(self.settings).finish_job(job.id, result=prediction_data)
        return job.id

    def get_prediction(self, prediction_id: str) -> Json:
        """Return a forecast that was kept or asked for in the background, or how far it is.

        Raises
        ------
        orchestration.store.errors.UnknownJob
            There is none of that id.
        """
        return told(jobs.look(self.settings, prediction_id))

    # ------------------------------------------------------------------ what the faces need

    def ask(self, symbol: str, timeframe: str, model_type: str | None = None) -> tuple[Json, bool]:
        """Return the forecast, and whether it came from memory."""
        about = forecasting.find(self.settings, symbol, timeframe, model_type)
        version = str(Path(about["path"]).resolve())
        step = timeframe_ms(about["timeframe"])
        end = instant_ms(datetime.now(UTC)) // step * step
        with self._lock:
            at, known = self._known.get((version, end), (0.0, {}))
            if known and (known["timestamp"] == _stamp(end) or time.monotonic() - at < _LATE_S):
                return known, True
            one = _loaded(version)
            bars = one.settle + _WARM
            candles = forecasting.window(
                self.settings, about["symbol"], about["timeframe"], bars, end
            )
            answer = forecasting.forecast(one, candles, about)
            self._known[version, end] = time.monotonic(), answer
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return answer, False

    def has(self, symbol: str, timeframe: str, model_type: str | None = None) -> bool:
        """Return whether there is a forecaster, however old."""
        try:
            forecasting.find(self.settings, symbol, timeframe, model_type)
        except NoForecaster:
            return False
        return True

    def is_stale(self, symbol: str, timeframe: str, model_type: str | None = None) -> bool:
        """Return whether there is no forecaster, or one that is older than `Api.model_hours`."""
        try:
            about = forecasting.find(self.settings, symbol, timeframe, model_type)
        except NoForecaster:
            return True
        trained = datetime.fromisoformat(about["trained_at"])
        return datetime.now(UTC) - trained > timedelta(hours=self.settings.api.model_hours)

    def do(self, job: JobRecord, tell: Tell) -> None:
        """Do a job that this process has taken up, and store its result."""
        asked, store = job.params, store_of(self.settings)
        if job.kind == jobs.TRAIN:
            result = forecasting.train(self.settings, Order(**asked), tell)
        else:
            order = Order.unasked(asked["symbol"], asked["timeframe"])
            if asked["auto_train"] and self.is_stale(order.symbol, order.timeframe):
                tell("train", 0.1)
                self._train_or_wait(order)
            tell("predict", 0.95)
            result = self.get_predictions(order.symbol, order.timeframe)
        store.finish_job(job.id, result=result)

    def _train_or_wait(self, order: Order) -> None:
        try:
            self._train(order)
        except TrainingRunning as error:
            job = jobs.wait(self.settings, str(error.numbers["job_id"]), _PATIENCE_S)
            if job.status != COMPLETED:
                raise JobFailed(f"job {job.id}: {job.reason or job.stage}", "ask again") from error

    def _train(self, order: Order) -> Json:
        job = jobs.ask(self.settings, jobs.TRAIN, vars(order), slot_key=order.slot_key)
        with jobs.at_work(self.settings, job.id, seated=True) as tell:
            found = forecasting.train(self.settings, order, tell)
            store_of(self.settings).finish_job(job.id, result=found)
        return found


_PATIENCE_S = 3600.0


def told(job: JobRecord) -> Json:
    """Return a job as the guide's JSON of a prediction."""
    return {
        "id": job.id,
        "kind": job.kind,
        "symbol": str(job.params["symbol"]).replace("-", "_"),
        "timeframe": job.params["timeframe"],
        "status": job.status,
        "stage": job.stage,
        "progress": job.progress,
        "reason": job.reason,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "problem": job.result if job.status == FAILED else None,
        "result": None if job.status == FAILED else job.result,
    }


def _words(symbol: str, timeframe: str) -> Json:
    order = Order.of(symbol, timeframe)
    return {"symbol": order.symbol, "timeframe": order.timeframe}


def _stamp(milliseconds: int) -> str:
    return f"{utc(milliseconds):%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(maxsize=16)
def _loaded(version: str) -> Forecaster:
    return load_forecaster(version)


def get_ml_service(settings: Settings | None = None, **overrides: Any) -> MLService:
    """Return the service for some settings, by default those of file and environment."""
    return MLService(settings or load_settings(**overrides))
