"""Forecasts: at once, in the background, and by id."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.concurrency import run_in_threadpool as later
from fastapi.responses import Response

from market.errors import MarketError
from models.forecasters.forecaster import MULTI_OHLC
from orchestration.service.errors import TrainingRunning, TurnError
from orchestration.service.forecasting import Order
from orchestration.service.ml_service import MLService
from orchestration.store.encoding import encode
from orchestration.store.records import JobRecord
from serving.api import background
from serving.api.documents import Forecast, Job, Started
from serving.api.metrics import Meters
from serving.api.problems import told
from serving.api.words import ModelType, Symbol, Timeframe, Wish

Json = dict[str, Any]
JobId = Annotated[
    str, Path(pattern="^[0-9a-f]{32}$", examples=["5f0c7c1e9d1a4f6c8c0a3a2a1b0c9d8e"])
]
_RUNNING: dict[int | str, dict[str, Any]] = {
    202: {"model": Started, "description": "A forecaster is in training first"}
}


def router(service: MLService, meters: Meters) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix=background.PATH, tags=["predictions"])

    @routes.get("", response_model=Forecast, responses={**_RUNNING, **told(409)})
    async def predictions(
        request: Request,
        symbol: Annotated[Symbol, Query()],
        timeframe: Annotated[Timeframe, Query()],
        auto_train: Annotated[bool, Query(description="train where no model is of late")] = True,
        force_retrain: Annotated[bool, Query(description="train in any case")] = False,
        model_type: Annotated[ModelType | None, Query()] = None,
    ) -> Any:
        """Forecast the bars after the last closed one; train a forecaster first where need be.

        Where training takes longer than `api.wait_s` the answer is 202, and says where to look.
        A forecaster that is only outdated answers when a newer one cannot be trained.
        """
        order = Order.unasked(symbol, timeframe, model_type or MULTI_OHLC)
        asked = _asked(order, model_type)
        if force_retrain or (auto_train and await later(service.is_stale, *asked)):
            running = await _trained(service, order, model_type, force_retrain)
            if running is not None:
                return background.started(request, running, "Training")
        found, cached = await later(service.ask, *asked)
        meters.predictions.labels(found["symbol"], found["timeframe"], str(cached).lower()).inc()
        # Not through the model: three hundred steps are encoded as they are.
        return Response(encode(found), media_type="application/json")

    @routes.post("/generate", response_model=Started, status_code=202, responses=told(409))
    def generate(request: Request, wish: Wish) -> Any:
        """Forecast in the background; the answer says where to look for it."""
        order = Order.of(wish.symbol, wish.timeframe)
        params = {
            "symbol": order.symbol,
            "timeframe": order.timeframe,
            "auto_train": wish.auto_train,
        }
        job = background.predict(service.settings, params)
        return background.started(request, job, "Prediction")

    @routes.get("/generate", include_in_schema=False)
    def generated() -> None:
        """Say that this is asked for by POST; otherwise the word would be taken for an id."""
        raise HTTPException(405, "Method Not Allowed", {"Allow": "POST"})

    @routes.get("/{prediction_id}", response_model=Job)
    def prediction(prediction_id: JobId) -> Json:
        """Tell how far a forecast or training is, and what came of it."""
        return service.get_prediction(prediction_id)

    return routes


def _asked(order: Order, model_type: str | None) -> tuple[str, str, str | None]:
    return order.symbol, order.timeframe, model_type


async def _trained(
    service: MLService, order: Order, model_type: str | None, force: bool
) -> JobRecord | None:
    """Train, or wait for who trains already; return the job where it still runs.

    Where that fails and nobody insists, a forecaster that is only outdated answers.
    """
    settings = service.settings
    try:
        try:
            job = await background.train(settings, order, settings.api.wait_s)
        except TrainingRunning as error:
            job_id = str(error.numbers["job_id"])
            job = await background.ended(settings, job_id, settings.api.wait_s)
    except (TurnError, MarketError):
        if force or not await later(service.has, *_asked(order, model_type)):
            raise
        return None
    return None if job.finished_at is not None else job
