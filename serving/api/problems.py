"""Errors as ``application/problem+json`` (RFC 9457): what, why, which numbers, and a remedy."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from market.errors import MarketError, NoCandles, SourceError, UnknownSymbol
from ml_pipeline.errors import PipelineError
from models.common.errors import ModelError
from orchestration.lifecycle.errors import LifecycleError
from orchestration.service.errors import (
    InsufficientData,
    JobFailed,
    NoForecaster,
    NoTurn,
    TooManyJobs,
    TrainingRunning,
    TurnError,
)
from orchestration.settings import SettingsError
from orchestration.store.errors import AmbiguousModel, DatabaseError, RecordError
from orchestration.tracking.errors import TrackingError

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong, in the form of RFC 9457."""

    type: str = Field(examples=["urn:tidewheel:problem:no-turn"], description="of the problem")
    title: str = Field(examples=["No turn"], description="the same for all problems of the type")
    status: int = Field(examples=[404], description="HTTP status")
    detail: str = Field(examples=["no turn is completed yet"], description="of this problem")
    remedy: str = Field(examples=["run one: tidewheel cycle"], description="what to do about it")
    instance: str = Field(examples=["/api/leaderboard"], description="what was asked for")
    numbers: dict[str, Any] = Field(
        default_factory=dict,
        examples=[{"bars": 412, "needed": 1000}],
        description="figures and names that the detail tells in words",
    )


_Rule = tuple[type[Exception], int, str]
_RULES: tuple[_Rule, ...] = (
    # The first that fits: a special kind stands before the general one.
    (NoTurn, 404, "run a turn: tidewheel cycle"),
    (UnknownSymbol, 404, "ask for a symbol that the source of this server lists"),
    (NoCandles, 404, "ask for a symbol and bar length of which the source has candles"),
    (SourceError, 503, "try again later; the source of candles does not answer as it should"),
    (DatabaseError, 503, "start the database, or set TIDEWHEEL_DATABASE_URL, and try again"),
    (TrackingError, 503, "start MLflow, or set TIDEWHEEL_MLFLOW_TRACKING_URI, and try again"),
    (NoForecaster, 404, ""),  # these carry their own remedy
    (InsufficientData, 409, ""),
    (TrainingRunning, 409, ""),
    (TooManyJobs, 429, ""),
    (JobFailed, 503, ""),
    (AmbiguousModel, 409, "give more of its name: GET /api/models/versions lists all"),
    (LifecycleError, 409, "GET /api/models/versions tells each version's status and skill"),
)


def problem_of(
    request: Request,
    status: int,
    detail: str,
    remedy: str,
    *,
    slug: str | None = None,
    numbers: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer that tells a problem; `slug` names its type, such as ``no-turn``."""
    name = slug or HTTPStatus(status).phrase.lower().replace(" ", "-")
    told = Problem(
        type=f"urn:tidewheel:problem:{name}",
        title=name.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        remedy=remedy,
        instance=request.url.path,
        numbers=dict(numbers or {}),
    )
    content = told.model_dump(mode="json")
    return JSONResponse(content, status, dict(headers or {}), media_type=MEDIA_TYPE)


def status_of(error: Exception) -> tuple[int, str]:
    """Return status and remedy of an error that the house raises on purpose."""
    for kind, status, remedy in _RULES:
        if isinstance(error, kind):
            return status, remedy
    if isinstance(error, LookupError):
        return 404, "ask for one that is there; the lists are under /api/models and /api/turns"
    if isinstance(error, ValueError):
        return 422, "mend what the detail names; /docs shows what is taken"
    return 503, "try again; if it stays, look into the server's log"


def slug_of(error: Exception) -> str:
    """Return an error's name as a problem's type tells it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()


def install(app: FastAPI) -> None:
    """Let every error of an app leave it as a problem."""
    for root in _ROOTS:
        app.add_exception_handler(root, _of_house)
    app.add_exception_handler(RequestValidationError, _of_words)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _unforeseen)


_ROOTS: tuple[type[Exception], ...] = (
    MarketError, PipelineError, ModelError, LifecycleError, TurnError, SettingsError, RecordError,
    TrackingError,
)  # fmt: skip


async def _of_house(request: Request, error: Exception) -> JSONResponse:
    status, remedy = status_of(error)
    told = {name: value for name, value in vars(error).items() if not name.startswith("_")}
    remedy, numbers = told.pop("remedy", remedy), told.pop("numbers", {})
    slug, headers = slug_of(error), {"Retry-After": "5"} if status == 429 else None
    return problem_of(
        request, status, str(error), remedy, slug=slug, numbers=numbers, headers=headers
    )


async def _of_words(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = {".".join(map(str, e["loc"])): str(e["msg"]) for e in error.errors()}
    detail = "; ".join(f"{name}: {said}" for name, said in faults.items())
    remedy = "mend what the detail names; /docs shows what is taken"
    return problem_of(request, 422, detail, remedy, slug="bad-request-data", numbers=faults)


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    remedy = _REMEDIES.get(error.status_code, "/docs lists what there is")
    detail = str(error.detail)
    return problem_of(request, error.status_code, detail, remedy, headers=error.headers)


_REMEDIES = {
    400: "send a well-formed request",
    404: "/docs lists what there is",
    405: "use a method that the Allow header names",
}


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    mark = secrets.token_hex(4)
    _log.error("unforeseen, %s, at %s", mark, request.url.path, exc_info=error)
    detail = f"something that was not foreseen; the server's log tells what, under {mark}"
    remedy = "try again; if it stays, report what the log says"
    return problem_of(request, 500, detail, remedy, slug="unforeseen", numbers={"mark": mark})


def told(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of these statuses: each is a problem."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }
