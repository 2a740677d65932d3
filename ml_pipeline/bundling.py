"""Write a fitted model as a bundle: metadata, schema, model card, pictures, probe rows."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

from features.bars import BENCHMARK
from features.program import FeatureProgram
from features.twins import raw_names, refusal, with_units
from market.timeframes import utc
from ml_pipeline.composed import ENSEMBLE, ensemble_hash, told_members
from ml_pipeline.fit import Fitted
from ml_pipeline.model_card import model_card
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import BASELINE, Recipe
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from models.common.bundle_writing import write_bundle
from models.common.errors import SchemaError
from models.common.schema import FeatureSchema
from models.common.slot import SEED_NAMES, Slot

_LIBRARIES = (
    "numpy", "pandas", "numba", "scipy", "scikit-learn", "xgboost-cpu", "lightgbm", "torch",
    "onnx", "onnxruntime",
)  # fmt: skip
_PROBE_ROWS = 8


@dataclass(frozen=True)
class Origin:
    """Where a model comes from: what its metadata says beside the fit itself.

    Attributes
    ----------
    slot
        The slot it was trained for.
    symbols
        Canonical symbols of the training rows.
    source, simulated
        The candle source's name, and whether its prices are made up.
    split
        The slices it was fitted on.
    created_ms
        The moment of the turn (or call), epoch ms: bars that closed by then could be known.
    lineage
        What the fit read: `ml_pipeline.lineage.lineage`.
    turn_data_hash
        Hash of the whole panel, holdout and other models' columns included.
    benchmark
        Symbol that features compare with, if any do.
    seed
        Of the fit.
    training_seconds
        Wall time of the fit.
    exchanged
        Columns in price or volume units that it was asked to learn from, and by each the
        scale-free twin that it learnt from instead.
    """

    slot: Slot
    symbols: tuple[str, ...]
    source: str
    simulated: bool
    split: TurnSplit
    created_ms: int
    lineage: Mapping[str, Any]
    turn_data_hash: str = ""
    benchmark: str = ""
    seed: int = 0
    training_seconds: float = 0.0
    exchanged: Mapping[str, str] = field(default_factory=dict)


def schema_of(columns: tuple[str, ...]) -> FeatureSchema:
    """Return the schema of catalogue features `columns`.

    Raises
    ------
    SchemaError
        For columns in price or volume units, by name, with their scale-free twins.
    """
    refused = with_units(columns)
    if refused:
        raise SchemaError(refusal(refused))
    program = FeatureProgram(columns)
    return FeatureSchema(columns, program.hashes, program.units, twins=raw_names(columns))


def trained_through_ms(fitted: Fitted, split: TurnSplit) -> int:
    """Return when the last label that the fit used was known, epoch ms: later bars are unseen.

    Every fit, a baseline's too, ends with the selection slice; only the holdout is left.
    """
    return split.trained_through_ms


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a fit's last digit may depend on."""
    return {"python": platform.python_version(), **{name: installed(name) for name in _LIBRARIES}}


def metadata(fitted: Fitted, origin: Origin, version: str, *, name: str = "") -> dict[str, Any]:
    """Return everything a bundle says about itself, the seeds' fields first.

    ``performance`` holds figures on rows the fit has not seen; the writer may add more of them.
    """
    task = TASKS[fitted.kind]
    recipe = Recipe.from_spec(fitted.spec) if fitted.spec else None
    blend = fitted.facts.get(ENSEMBLE)
    split = origin.split
    total = sum(split.block(part).days for part in ("train", "calibration", "selection", "holdout"))
    return {
        "name": name or f"{SEED_NAMES[fitted.kind]}_001",
        "type": recipe.type if recipe else fitted.recipe,
        "description": task.sentence,
        "created_ts": utc(origin.created_ms).isoformat(),
        "version": 1,
        "status": BASELINE if fitted.baseline else "candidate",
        "hyperparams": dict(recipe.hyperparams) if recipe else {},
        "training": {
            "symbols": list(origin.symbols),
            "data_points": fitted.facts["training_rows"],
            "train_ratio": round(split.train.days / total, 4),
            "validation_ratio": round(1 - split.train.days / total, 4),
            **({"exchanged": dict(origin.exchanged)} if origin.exchanged else {}),
        },
        "performance": {},
        "live_performance": {"accuracy": None, "last_updated": None, "trades_evaluated": 0},
        "dependencies": [one["version"] for one in blend["members"]] if blend else [],
        "kind": fitted.kind,
        "scope": origin.slot.scope,
        "timeframe": origin.slot.timeframe,
        "slot": origin.slot.key,
        "version_name": version,
        "recipe": fitted.recipe,
        "baseline": fitted.baseline,
        "simulated": origin.simulated,
        "source": origin.source,
        "trained_through": utc(trained_through_ms(fitted, split)).isoformat(),
        "window": split.as_dict(),
        "purge_bars": split.horizon_bars,
        "horizon_bars": split.horizon_bars,
        **origin.lineage,
        "turn_data_hash": origin.turn_data_hash,
        "benchmark": _benchmark(fitted.columns, origin.benchmark),
        "recipe_hash": _hash_of(recipe, blend),
        "recipe_spec": fitted.spec,
        "parity_max_abs": fitted.parity,
        "training_seconds": origin.training_seconds,
        "library_versions": library_versions(),
        "head": fitted.head,
        "seed": origin.seed,
        "fit": fitted.facts,
        "importance": dict(sorted(fitted.importance.items(), key=lambda pair: -pair[1])[:20]),
        **({"method": blend["method"], "members": told_members(blend)} if blend else {}),
    }


def _hash_of(recipe: Recipe | None, blend: Mapping[str, Any] | None) -> str:
    if blend is not None:
        return ensemble_hash(blend)
    return recipe.hash() if recipe else BASELINE


def write(
    folder: Path,
    fitted: Fitted,
    about: Mapping[str, Any],
    panel: Panel,
    metrics: Mapping[str, Any],
    pictures: Mapping[str, bytes] | None = None,
) -> Path:
    """Write `fitted` to `folder`, a version's place in the registry, and return it.

    Parameters
    ----------
    folder
        ``<models>/<scope>/<kind>/<version>``.
    fitted
        The model.
    about
        Its `metadata`.
    panel
        Rows to take the probe from: the first and last, and some between.
    metrics
        Figures of the verdict, kept in ``metrics.json`` and shown in the model card.
    pictures
        PNG files by name, kept beside the card, which shows them.

    Raises
    ------
    BundleError
        When the parts do not make a valid bundle, or another version lies there already.
    """
    rows = panel.rows(np.unique(np.linspace(0, len(panel) - 1, _PROBE_ROWS).astype(np.int64)))
    return write_bundle(
        folder,
        onnx=fitted.onnx,
        metadata=about,
        schema=schema_of(fitted.columns),
        metrics=metrics,
        readme=model_card(about, metrics, tuple(pictures or {})),
        probe=rows.columns(fitted.columns),
        extras=pictures,
    )


def _benchmark(columns: tuple[str, ...], symbol: str) -> str | None:
    """Return the benchmark's symbol if one of `columns` compares with it."""
    return symbol if symbol and BENCHMARK in FeatureProgram(columns).inputs else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def performance(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return backtest figures under the seeds' names, ``backtest_accuracy`` and so on."""
    named = {f"backtest_{name}": value for name, value in figures.items() if _is_number(value)}
    return {**named, "backtest_window": f"{figures['since']} to {figures['until']}"}
