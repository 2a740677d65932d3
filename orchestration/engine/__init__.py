"""The prediction engine: candles in, answers out; and what came of what was said about closed bars.

A process that only predicts opens no database: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.engine.config import PredictionConfig as PredictionConfig
    from orchestration.engine.predicting import PredictionEngine as PredictionEngine
    from orchestration.engine.prediction import Prediction as Prediction
    from orchestration.engine.recording import SERVES_FROM as SERVES_FROM
    from orchestration.engine.recording import Recorded as Recorded
    from orchestration.engine.recording import in_service as in_service
    from orchestration.engine.recording import raw_output as raw_output
    from orchestration.engine.recording import record as record
    from orchestration.engine.recording import resolve as resolve

_HOMES = dict.fromkeys(
    ("Recorded", "SERVES_FROM", "in_service", "raw_output", "record", "resolve"), "recording"
) | {
    "PredictionConfig": "config",
    "PredictionEngine": "predicting",
    "Prediction": "prediction",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list, and the names are those above


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
