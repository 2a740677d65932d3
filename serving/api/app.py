"""The app: every route over one home, behind one guard."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from orchestration.service.ml_service import get_ml_service
from orchestration.settings import Settings
from serving.api import forecasters, predictions, problems, records, versions, wellness
from serving.api.guard import OPEN, Guard
from serving.api.metrics import Meters, Timed

_ABOUT = """A model pipeline for short-horizon crypto trading: forecasts with intervals, who serves
and why, and whether it still knows anything. Errors are `application/problem+json` (RFC 9457), each
with a remedy. Forecasts are of a **simulated market** where `simulated` is true."""


def create_app(settings: Settings) -> FastAPI:
    """Return the REST API of a home.

    Parameters
    ----------
    settings
        Which home and source; ``api_token`` and ``api`` say who may ask and how often.

    Examples
    --------
    >>> from orchestration.settings import load_settings
    >>> app = create_app(load_settings(home="/tmp/tidewheel"))  # doctest: +SKIP
    """
    meters = Meters(settings)
    app = FastAPI(
        title="Tidewheel",
        description=_ABOUT,
        version="1",
        redoc_url=None,
        # Of every route; its own further ones stand beside it.
        responses=problems.told(*_ALWAYS, *([401] if settings.api_token else [])),
    )
    service = get_ml_service(settings)
    for part in (
        predictions.router(service, meters),
        forecasters.router(service),
        versions.router(settings),
        records.router(settings),
    ):
        app.include_router(part)
    app.include_router(wellness.router(settings, meters))
    problems.install(app)
    app.add_middleware(Timed, meters=meters)
    app.add_middleware(Guard, settings=settings)
    _describe(app, settings)
    return app


_ALWAYS = (400, 404, 413, 422, 429, 500, 503)


def _describe(app: FastAPI, settings: Settings) -> None:
    """Let OpenAPI show what a problem is, and the token where one is asked for."""
    made = app.openapi

    def described() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        document = made()
        if fresh:
            parts = document.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = problems.Problem.model_json_schema()
            if settings.api_token:
                parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                document["security"] = [{"token": []}]
                for path in set(document["paths"]) & set(OPEN):
                    document["paths"][path]["get"]["security"] = []
        return document

    app.openapi = described  # type: ignore[method-assign]
