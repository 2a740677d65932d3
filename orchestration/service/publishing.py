"""What leaves the work folder: bundles in the registry folder, runs and versions in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_pipeline.bundling import Origin, metadata, write
from ml_pipeline.fit import Fitted
from ml_pipeline.lineage import lineage
from ml_pipeline.panel import Panel
from ml_pipeline.pictures import IMPORTANCE, VALIDATION, importance_picture, validation_picture
from ml_pipeline.tasks import TASKS
from models.common.bundle_checks import FIGURES
from orchestration.lifecycle.enrol import gate_tags
from orchestration.service.arena import Arena, Entrant, open_arena, said
from orchestration.service.data import split_of
from orchestration.service.refs import Dataset, Fit, Fits, Json, Judged, Published, TurnRef
from orchestration.service.resources import registry_of, source_of, store_of, tracking_of
from orchestration.service.staging import load_fitted


def parameters(turn: TurnRef) -> Json:
    """Return what makes this turn this turn: begun again, these must be the same."""
    s = turn.settings
    return {
        "source": s.source,
        "symbols": sorted(s.symbols),
        "timeframe": s.timeframe,
        "days": s.days,
        "seed": s.seed,
        "kinds": list(s.kinds),
        "recipes": list(s.recipes),
        "backfill_days": s.backfill_days,
    }


def turn_run(turn: TurnRef) -> str:
    """Return the id of the turn's run in MLflow, begun at the first call."""
    simulated = source_of(turn.settings).simulated
    return tracking_of(turn.settings).turn_run(
        turn.turn_id, parameters(turn), {"simulated": str(simulated).lower(), "scope": turn.scope}
    )


def publish_kind(turn: TurnRef, data: Dataset, fits: Fits, judged: Judged) -> Published:
    """Write every sound candidate as a bundle and register it in store and MLflow.

    Each part can be repeated: a bundle that is there is kept, runs and versions are found by their
    tags. A candidate with faults is stored with its reason and goes no further.
    """
    panel = Panel.load(data.folder)
    slot, store, parent = turn.slot(fits.kind), store_of(turn.settings), turn_run(turn)
    rows = {row["version"]: row for row in judged.contenders}
    versions: list[str] = []
    run_ids: list[str] = []
    pictures: list[str] = []
    drawn = _draw(turn, *open_arena(turn, panel, fits), fits) if turn.settings.pictures else {}
    for fit in fits.versions:
        fitted, row = load_fitted(fit.folder), rows[fit.version]
        facts: Json = {
            "recipe": fit.recipe,
            "baseline": fit.baseline,
            "turn_id": turn.turn_id,
            "head": fitted.head,
            "data_hash": data.data_hash,
            "parity": fit.parity,
            "seconds": fit.seconds,
            "simulated": source_of(turn.settings).simulated,
        }
        if row["faults"]:
            store.register_model(slot.key, fit.version, **facts, faults=row["faults"])
            continue
        about = _about(turn, data, fit, fitted, panel, row)
        shown = drawn.get(fit.version, {})
        bundle = write(
            registry_of(turn.settings).folder(slot, fit.version),
            fitted,
            about,
            panel,
            {**row["metrics"], **{name: row[name] for name in FIGURES}},
            {name: path.read_bytes() for name, path in shown.items()},
        )
        facts["data_hash"] = about["data_hash"]
        run_id = _track(turn, parent, fit, about, row, list(shown.values()), bundle)
        if members := about.get("members"):
            runs = dict(zip(versions, run_ids, strict=True))
            listed = {runs[one["version"]]: one for one in members if one["version"] in runs}
            tracking_of(turn.settings).log_members(run_id, listed)
            facts |= {"method": about["method"], "members": members}
        store.register_model(
            slot.key, fit.version, **facts, run_id=run_id, trained_through=about["trained_through"]
        )
        versions.append(fit.version)
        run_ids.append(run_id)
        pictures += [str(path) for path in shown.values()]
    return Published(fits.kind, tuple(versions), tuple(run_ids), tuple(pictures))


def _draw(
    turn: TurnRef, arena: Arena, entrants: list[Entrant], fits: Fits
) -> dict[str, dict[str, Path]]:
    """Draw each version beside its baseline on the holdout, and what its learner looks at.

    Returns
    -------
    dict
        By version, the pictures' files by their name in the bundle.
    """
    task = TASKS[fits.kind]
    market = "simulated market, " if source_of(turn.settings).simulated else ""
    base, folder = said(entrants[0]), turn.folder / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, dict[str, Path]] = {}
    for fit, entrant in zip(fits.versions, entrants, strict=True):
        if entrant.faults:
            continue
        title = f"{arena.slot.key} · {fit.version} · {market}{len(arena.rows):,} unseen rows"
        head = arena.shared(entrant)
        pictures = {
            VALIDATION: validation_picture(task, head, said(entrant), base, arena.rows, title)
        }
        if not fit.baseline:
            importance = load_fitted(fit.folder).importance
            name = f"{arena.slot.key} · {fit.version} · {market}".removesuffix(", ")
            pictures[IMPORTANCE] = importance_picture(importance, name.removesuffix(" · "))
        drawn[fit.version] = {
            name: _kept(folder / f"{fits.kind}-{fit.recipe}-{name}", png)
            for name, png in pictures.items()
        }
    return drawn


def _kept(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _about(
    turn: TurnRef, data: Dataset, fit: Fit, fitted: Fitted, panel: Panel, row: Mapping[str, Any]
) -> Json:
    """Return the bundle's metadata with the figures of the holdout, which it has not seen."""
    # As it was really fitted: a retrained one may have days of its own.
    split = split_of(turn, panel, fitted.kind, fitted.spec.get("train_days"))
    source = source_of(turn.settings)
    origin = Origin(
        slot=turn.slot(fitted.kind),
        symbols=data.symbols,
        source=source.name,
        simulated=source.simulated,
        split=split,
        created_ms=turn.at_ms,
        lineage=lineage(panel, split, fitted.kind, fitted.columns),
        turn_data_hash=data.data_hash,
        benchmark=turn.settings.benchmark,
        seed=turn.settings.seed,
        training_seconds=fit.seconds,
    )
    performance = {f"backtest_{name}": value for name, value in row["metrics"].items()}
    performance |= {f"backtest_{name}": row[name] for name in ("skill", "lower", "upper", "z")}
    performance["backtest_window"] = f"{split.holdout.days:.2g}d"
    return {
        **metadata(fitted, origin, fit.version),
        "performance": performance,
        "turn_id": turn.turn_id,
    }


def _composition(about: Mapping[str, Any]) -> dict[str, str]:
    """Return method and members of an ensemble as tags; nothing for what is no ensemble."""
    if "members" not in about:
        return {}
    told = [f"{one['version']} {one['weight']:.3g}" for one in about["members"]]
    return {"method": about["method"], "members": ", ".join(told)}


def _track(
    turn: TurnRef,
    parent: str,
    fit: Fit,
    about: Json,
    row: Mapping[str, Any],
    pictures: list[Path],
    bundle: Path,
) -> str:
    """Log a version in MLflow below its turn's run, and register it; return its run."""
    tracking, slot = tracking_of(turn.settings), turn.slot(about["kind"])
    tags = {
        "recipe": fit.recipe,
        "baseline": str(fit.baseline).lower(),
        "simulated": str(about["simulated"]).lower(),
        "data_hash": about["data_hash"],
        "recipe_hash": about["recipe_hash"],
        "trained_through": about["trained_through"],
        "turn": turn.turn_id,
        **_composition(about),
    }
    figures = {name: row[name] for name in FIGURES}
    shown = {
        **about["hyperparams"],
        "kind": about["kind"],
        "recipe": fit.recipe,
        "seed": about["seed"],
        "train_start": about["window"]["train"]["start"],
        "train_end": about["window"]["train"]["end"],
    }
    costs = {"parity_max_abs": fit.parity, "training_seconds": fit.seconds}
    metrics = {**row["metrics"], **figures, **costs}
    run_id = tracking.model_run(
        parent, fit.version, shown, metrics, pictures, bundle, slot=slot, tags=tags
    )
    tracking.register(slot, fit.version, run_id, bundle, {**tags, **gate_tags(figures)})
    return run_id
