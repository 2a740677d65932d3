"""Write a fitted model as a bundle: metadata, schema, model card, probe rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

from features.program import FeatureProgram
from features.twins import raw_names, refusal, with_units
from market.timeframes import utc
from ml_pipeline.fit import Fitted
from ml_pipeline.model_card import model_card
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import BASELINE, RECIPES, Recipe
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from models.common.bundle import write_bundle
from models.common.errors import SchemaError
from models.common.schema import FeatureSchema
from models.common.slot import SEED_NAMES, Slot

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "xgboost-cpu", "lightgbm", "torch")
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
    data_hash
        Hash of the panel.
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
    data_hash: str
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


def metadata(
    fitted: Fitted, origin: Origin, version: str, *, recipe: Recipe | None = None, name: str = ""
) -> dict[str, Any]:
    """Return everything a bundle says about itself, the seeds' fields first.

    ``performance`` holds figures on rows the fit has not seen; the writer may add more of them.
    """
    task = TASKS[fitted.kind]
    recipe = recipe or RECIPES[fitted.kind][0]
    split = origin.split
    total = sum(split.block(part).days for part in ("train", "calibration", "selection", "holdout"))
    return {
        "name": name or f"{SEED_NAMES[fitted.kind]}_001",
        "type": BASELINE if fitted.baseline else recipe.type,
        "description": task.sentence,
        "created_ts": utc(origin.created_ms).isoformat(),
        "version": 1,
        "status": BASELINE if fitted.baseline else "candidate",
        "hyperparams": {} if fitted.baseline else dict(recipe.hyperparams),
        "training": {
            "symbols": list(origin.symbols),
            "data_points": fitted.facts["training_rows"],
            "train_ratio": round(split.train.days / total, 4),
            "validation_ratio": round(1 - split.train.days / total, 4),
            **({"exchanged": dict(origin.exchanged)} if origin.exchanged else {}),
        },
        "performance": {},
        "live_performance": {},
        "dependencies": [],
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
        "data_hash": origin.data_hash,
        "recipe_hash": BASELINE if fitted.baseline else recipe.hash(),
        "parity_max_abs": fitted.parity,
        "training_seconds": origin.training_seconds,
        "library_versions": {library: installed(library) for library in _LIBRARIES},
        "head": fitted.head,
        "seed": origin.seed,
        "fit": fitted.facts,
        "importance": dict(sorted(fitted.importance.items(), key=lambda pair: -pair[1])[:20]),
    }


def write(
    folder: Path,
    fitted: Fitted,
    about: Mapping[str, Any],
    panel: Panel,
    metrics: Mapping[str, Any],
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
        readme=model_card(about, metrics),
        probe=rows.columns(fitted.columns),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def performance(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return backtest figures under the seeds' names, ``backtest_accuracy`` and so on."""
    named = {f"backtest_{name}": value for name, value in figures.items() if _is_number(value)}
    return {**named, "backtest_window": f"{figures['since']} to {figures['until']}"}
