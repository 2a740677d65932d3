"""The store: what every turn, model, verdict and prediction was, in SQLite or Postgres."""

from orchestration.store.store import Store

__all__ = ["Store"]
