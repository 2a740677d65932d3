"""The store: what every turn, model, verdict and prediction was, in SQLite or Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.store.store import Store as Store

__all__ = ["Store"]


def __getattr__(name: str) -> Any:
    # Only now: who reads an error's or a record's name needs no SQLAlchemy.
    if name != "Store":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestration.store.store import Store

    return Store
