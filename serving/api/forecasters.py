"""Forecasters: what there is, and training one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from orchestration.service.forecasting import Order
from orchestration.service.ml_service import MLService
from serving.api import background
from serving.api.documents import ForecasterFacts, Started
from serving.api.problems import told
from serving.api.words import Training

Json = dict[str, Any]


def router(service: MLService) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/models", tags=["models"])

    @routes.get("", response_model=list[ForecasterFacts])
    def models() -> list[Json]:
        """List all trained forecasters, the last trained first.

        Versions of the five kinds are under /api/models/versions.
        """
        return [_shown(one) for one in service.list_models()]

    @routes.post(
        "/train",
        response_model=ForecasterFacts,
        responses={202: {"model": Started, "description": "Still in training"}, **told(409)},
    )
    async def train(request: Request, wish: Training) -> Any:
        """Train a forecaster, in a process of its own, and wait for it; one a slot at a time.

        Where it takes longer than `api.wait_s` the answer is 202, and says where to look for it.
        """
        order = Order.of(
            wish.symbol, wish.timeframe, wish.n_steps_ahead, wish.days_history, wish.model_type
        )
        job = await background.train(service.settings, order, service.settings.api.wait_s)
        if job.result is None:
            return background.started(request, job, "Training")
        return _shown(job.result)

    return routes


def _shown(facts: Json) -> Json:
    return {name: value for name, value in facts.items() if name != "path"}
