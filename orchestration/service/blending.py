"""What becomes of a turn's ensemble: kept as `ensemble_001`, switched on where it earns its place.

Its version is judged, published and promoted like any other. Beside it the same ensemble is kept as
a small configuration that names its members, for those who want to ask them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ml_pipeline.errors import PipelineError
from models.common.ensemble_config import make_config, slot_of, write_config, write_results
from models.common.errors import ModelError
from models.common.slot import Slot
from orchestration.ensembles import MADE_BY, METHODS, Gate, config, free_name, is_ours
from orchestration.lifecycle.errors import LifecycleError
from orchestration.lifecycle.gates import recent_shortfalls
from orchestration.service.judging import contender
from orchestration.service.refs import (
    Composed,
    Dataset,
    Decided,
    Ensembled,
    Failure,
    Json,
    Judged,
    TurnRef,
)
from orchestration.service.regimes import learn_regimes
from orchestration.service.resources import source_of, store_of
from orchestration.service.work import Work
from orchestration.store.errors import RecordError
from orchestration.store.records import EnsembleRecord

_FIGURES = ("method", "skill", "lower", "upper", "z", "n", "best", "z_best", "methods", "why")


def ensemble_rows(
    turn: TurnRef,
    data: Dataset,
    made: Callable[[str], tuple[Composed, Judged]],
    fail: Callable[[TurnRef, str, str, BaseException], Failure],
) -> Ensembled:
    """Keep the ensembles of all kinds that were decided; see `steps.ensembles`."""
    work, rows = Work(turn.folder), []
    for kind in turn.settings.kinds:
        decided = work.load(f"decide-{kind}", Decided)
        if decided is None:
            continue
        try:
            composed, judged = made(kind)
            regimes = learn_regimes(turn, kind, data, _line(judged, decided))
            rows.append(ensemble_row(turn, composed, judged, decided, regimes))
        except (PipelineError, ModelError, LifecycleError, RecordError) as error:
            fail(turn, "ensembles", kind, error)
    return Ensembled(tuple(rows))


def _line(judged: Judged, decided: Decided) -> str:
    """Return the line that serves from now on."""
    rows = {row["version"]: contender(row).line for row in judged.contenders}
    return rows[decided.champion]


def ensemble_row(
    turn: TurnRef, composed: Composed, judged: Judged, decided: Decided, regimes: Json
) -> Json:
    """Keep the ensemble of one slot, switch it on or off, and return its row of the table.

    A slot without two members that are worth it has none, and the row says why; one that was on
    before goes off. `regimes` is what the confidence of what serves is worth by regime.
    """
    slot, store = turn.slot(composed.kind), store_of(turn.settings)
    known = store.list_ensembles()
    row: Json = {
        "slot": slot.key,
        "kind": composed.kind,
        "name": None,
        "version": None,
        "status": None,
        "members": [],
        "active": False,
        **dict.fromkeys(_FIGURES),
        "regimes": regimes,
        "sentence": composed.sentence,
    }
    if composed.fit is None:
        _switch_off(turn, _of(known, slot, ours=True), composed.sentence, decided, regimes)
        return row
    version, choice = composed.fit.version, composed.choice
    gate = _gate(turn, composed, judged, _of(known, slot, ours=False))
    row |= {
        "name": free_name(turn.settings.home, slot.key, {r.name: r.config for r in known}),
        "version": version,
        "status": decided.statuses.get(version),
        "members": list(composed.members),
        "active": gate.active,
        **{figure: choice[figure] for figure in _FIGURES},
        "sentence": f"{'on' if gate.active else 'off'}: {gate.sentence}; {choice['why']}",
    }
    left = [one for one in _of(known, slot, ours=True) if one.name != row["name"]]
    _switch_off(turn, left, f"{row['name']} is the slot's ensemble now", decided, {})
    _keep(turn, slot, row, composed.by_regime)
    return row


def _switch_off(
    turn: TurnRef, records: Iterable[EnsembleRecord], why: str, decided: Decided, regimes: Json
) -> None:
    """Switch ensembles of earlier turns off; their figures stay, and the sentence says so."""
    store, home = store_of(turn.settings), turn.settings.home
    for record in records:
        before, last = record.results or {}, record.config.get("version")
        told = {"active": False, "regimes": regimes, "sentence": f"off, last made as {last}: {why}"}
        told["status"] = decided.statuses.get(str(last))  # None: it is in service no more
        store.save_ensemble(record.name, record.config, {**before, **told})
        if slot_of(record.name, home) == record.slot_key:
            write_results(record.name, {**before, **told, **_about(turn, record.slot_key)}, home)
        if record.active:
            store.set_ensemble_active(record.name, active=False)


def _about(turn: TurnRef, slot_key: str) -> Json:
    """Return what the files of an ensemble say of where they come from."""
    market = source_of(turn.settings).simulated
    return {"slot": slot_key, "turn": turn.turn_id, "made_by": MADE_BY, "simulated": market}


def _gate(
    turn: TurnRef, composed: Composed, judged: Judged, theirs: Iterable[EnsembleRecord]
) -> Gate:
    """Return whether it goes into service: by ledger, holdout, and what a person has chosen."""
    version = composed.fit.version if composed.fit else ""
    own = contender(next(row for row in judged.contenders if row["version"] == version))
    if own.faults:
        return Gate(False, "; ".join(own.faults))
    if chosen := [record.name for record in theirs if record.active]:
        return Gate(False, f"{chosen[0]}, which a person switched on, stays")
    gate = Gate(**composed.choice["gate"])
    recent = recent_shortfalls(own, turn.settings.gates) if gate.active else []
    return Gate(False, recent[0]) if recent else gate


def _keep(turn: TurnRef, slot: Slot, row: Json, by_regime: Json | None) -> None:
    """Keep configuration, results and switch under the ensemble's name."""
    store, name, home = store_of(turn.settings), row["name"], turn.settings.home
    weights = {member["version"]: member["weight"] for member in row["members"]}
    made = config(slot, weights, METHODS[row["method"]].blend, row["version"])
    about = _about(turn, slot.key)
    kept = make_config(
        made["models"],
        made["weights"],
        made["method"],
        regimes=by_regime,
        composed=f"{slot.scope}/{slot.kind}/{row['version']}",
        about=about,
    )
    write_config(name, kept, home)
    write_results(name, row | about, home)
    before = store.save_ensemble(name, made, row)
    if before.active != row["active"]:
        store.set_ensemble_active(name, active=row["active"])


def _of(known: Iterable[EnsembleRecord], slot: Slot, *, ours: bool) -> list[EnsembleRecord]:
    """Return the ensembles of a slot that turns keep, or those that people made."""
    return [r for r in known if r.slot_key == slot.key and is_ours(r.config) == ours]
