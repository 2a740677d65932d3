"""The ensemble of one slot: built of what is in service, judged beside its members."""

from __future__ import annotations

from market.timeframes import instant_ms
from ml_pipeline.errors import JudgingError
from ml_pipeline.panel import Panel
from models.common.ensemble import EnsemblePredictor
from orchestration.engine import raw_output
from orchestration.ensembles import Gate, blend, config, gate, members, name_of
from orchestration.judge.lines import recipe_of
from orchestration.lifecycle.sync import sound_bundle
from orchestration.service.arena import Arena, Entrant, against, open_arena
from orchestration.service.refs import Dataset, Fits, Json, Judged, TurnRef
from orchestration.service.resources import registry_of, store_of, tracking_of


def ensemble_row(turn: TurnRef, data: Dataset, fits: Fits, judged: Judged) -> Json:
    """Build, judge and store the ensemble of one slot; return its row of the table.

    A slot without two members that are worth it has none, and the row says so; one that was in
    service before goes out of it.
    """
    slot, store = turn.slot(fits.kind), store_of(turn.settings)
    bounds = {row["recipe"]: row["lower"] for row in judged.lines}
    rows = [
        {
            "version": model.version,
            "status": model.status,
            "baseline": bool(model.facts.get("baseline")),
            "lower": bounds.get(recipe_of(model)),
        }
        for model in store.list_models(slot_key=slot.key)
    ]
    chosen = members(rows)
    known = {record.name: record.slot_key for record in store.list_ensembles()}
    name = name_of(slot.key, known)
    if not chosen:
        if name in known:
            store.set_ensemble_active(name, active=False)
        why = "fewer than two versions are proven: the champion answers alone"
        return {"slot": slot.key, "name": None, "members": [], "active": False, "sentence": why}
    results, verdict = _judge(turn, data, fits, chosen)
    made = config(slot.key, chosen)
    home = turn.settings.home
    EnsemblePredictor(made["models"], made["weights"], made["method"], home=home).save_config(name)
    store.save_ensemble(name, made, results | {"sentence": verdict.sentence})
    store.set_ensemble_active(name, active=verdict.active)
    return {
        "slot": slot.key,
        "name": name,
        "members": list(chosen),
        "active": verdict.active,
        "sentence": verdict.sentence,
        **results,
    }


def _judge(turn: TurnRef, data: Dataset, fits: Fits, chosen: tuple[str, ...]) -> tuple[Json, Gate]:
    """Judge the blend on the holdout, against the fresh baseline and against its best member."""
    arena, fresh = open_arena(turn, Panel.load(data.folder), fits)
    entrants = [_member(turn, arena, version) for version in chosen]
    whole = Entrant(
        version="ensemble",
        recipe="ensemble",
        baseline=False,
        status="candidate",
        head=entrants[0].head,
        raw=blend(fits.kind, [entrant.raw for entrant in entrants if entrant.raw is not None]),
        unseen_from_ms=max(entrant.unseen_from_ms for entrant in entrants),
    )
    for entrant in (*entrants, whole, fresh[0]):
        entrant.loss = arena.loss_of(entrant)
    try:
        skill = against(arena, whole, fresh[0])
        singles = {entrant.version: against(arena, entrant, fresh[0]) for entrant in entrants}
        best = max(entrants, key=lambda entrant: singles[entrant.version]["skill"])
        z_best = against(arena, whole, best)["z"]
    except JudgingError as error:
        return {"reason": str(error)}, Gate(active=False, sentence=str(error))
    figures = {name: skill[name] for name in ("skill", "lower", "upper", "z", "n")}
    least = turn.settings.gates.z_ensemble
    return (
        {**figures, "best_member": best.version, "z_best": z_best},
        gate(z_best, best.version, skill["lower"], least),
    )


def _member(turn: TurnRef, arena: Arena, version: str) -> Entrant:
    settings = turn.settings
    bundle = sound_bundle(arena.slot, version, tracking_of(settings), registry_of(settings))
    return Entrant(
        version=version,
        recipe=str(bundle.metadata["recipe"]),
        baseline=bool(bundle.metadata["baseline"]),
        status="",
        head=bundle.metadata["head"],
        raw=raw_output(bundle, arena.rows),
        unseen_from_ms=instant_ms(bundle.metadata["trained_through"]),
    )
