"""Tracked: a backtest as a run in MLflow, where runs are compared side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.service.backtests.leaving import PICTURE, REPORT, RESULT
from orchestration.service.resources import mlflow_of
from orchestration.settings import Settings
from orchestration.store.encoding import encode

if TYPE_CHECKING:
    from orchestration.service.strategy_backtest import Backtested

_DIGITS = 8
_PARTS = ("performance", "trading")


def track(settings: Settings, done: Backtested, folder: Path) -> str:
    """Log a backtest with its parameters, figures, picture and report; return the run's id.

    The same backtest again completes the same run; other days, terms or parameters make another.

    Parameters
    ----------
    folder
        Where `orchestration.service.backtests.leaving.leave` put its files.

    Raises
    ------
    TrackingDown
        MLflow cannot be reached.
    """
    result, tracking = done.result, mlflow_of(settings)
    params, tags = _params(done), {"backtest": result.run.strategy, **_tags(done)}
    digest = hashlib.sha256(encode(sorted(params.items())).encode()).hexdigest()[:_DIGITS]
    run = tracking.turn_run(f"backtest {result.run.strategy} {digest}", params, tags)
    tracking.log_metrics(run, metrics_of(result.figures))
    tracking.log_figure(run, folder / PICTURE)
    for name in (REPORT, RESULT):
        tracking.log_text(run, (folder / name).read_text(encoding="utf-8"), name)
    tracking.finish_run(run)
    return run


def metrics_of(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the figures that are one number each, as ``performance.sharpe_ratio``."""
    found = {f"{part}.{name}": value for part in _PARTS for name, value in figures[part].items()}
    for name, one in figures["baselines"].items():
        found |= {f"baselines.{name}.{key}": value for key, value in one.items()}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def _params(done: Backtested) -> dict[str, Any]:
    run, told = done.result.run, done.told
    return {
        "strategy": run.strategy,
        **{f"parameters.{name}": value for name, value in told["parameters"].items()},
        "symbols": ",".join(run.symbols),
        "timeframe": run.timeframe,
        "from": str(run.equity.index[0]),
        "to": str(run.equity.index[-1]),
        "source": run.source,
        "replay": told["replay"] or "",
        "initial_cash": run.initial_cash,
        **{f"costs.{name}": value for name, value in run.costs.to_dict().items()},
        "idea": told["trial"]["key"],
        "models": ",".join(str(m.get("version_name", "")) for m in told["models"].values()),
    }


def _tags(done: Backtested) -> dict[str, str]:
    return {"simulated": str(done.result.run.simulated).lower(), "trials": str(_trials(done))}


def _trials(done: Backtested) -> int:
    return int(done.told["trial"]["of"])
