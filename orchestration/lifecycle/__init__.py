"""The life of a version: gates, decision, promotion through MLflow, and the folder that follows."""

from __future__ import annotations

from typing import Any

__all__ = ["SafeModelTrainer"]


def __getattr__(name: str) -> Any:
    """Return `SafeModelTrainer` when it is asked for: it brings all that fits models."""
    if name in __all__:
        from orchestration.lifecycle.trainer import SafeModelTrainer

        return SafeModelTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
