"""The report of a turn: what its steps found, as one JSON-able dict, and how the turn is closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.lifecycle.state import champion_in_store
from orchestration.ranker import leaderboard
from orchestration.service.keeping import prune_ledger
from orchestration.service.publishing import parameters, turn_run
from orchestration.service.refs import (
    Dataset,
    Decided,
    Drifted,
    Ensembled,
    Failure,
    Fetched,
    Fits,
    Json,
    Judged,
    Ledgered,
    Pooled,
    Published,
    Served,
    TurnRef,
    to_json,
)
from orchestration.service.resources import source_of, store_of, tracking_of
from orchestration.service.work import Work, prune
from orchestration.store.records import COMPLETED, FAILED, WITH_FAILURES

_FIGURES = ("skill", "lower", "upper", "z", "n")
_TEMPERED = ("tempered_z", "tempered_lower", "tempered_z_champion")
_LINE = (*_FIGURES, *_TEMPERED, "days", "live", "versions", "z_champion", "p_value", "inside")


def report(turn: TurnRef) -> Json:
    """Return everything the turn found so far; the same at every call on the same results."""
    work, settings = Work(turn.folder), turn.settings
    failures = work.failures()
    source = source_of(settings)
    slots = [_slot(turn, work, kind, failures) for kind in settings.kinds]
    data = work.load("dataset", Dataset)
    pooled = work.load("drift_pooled", Pooled)
    blended = work.load("ensembles", Ensembled)
    seconds = work.seconds()
    return {
        "turn_id": turn.turn_id,
        "at": turn.at.isoformat(),
        "status": _status(slots, failures),
        "simulated": source.simulated,
        "source_name": source.name,
        **parameters(turn),
        "scope": turn.scope,
        "slots": slots,
        "leaderboard": leaderboard(slots, settings.gates.leaderboard),
        "versions_trained": sum(len(slot["versions_trained"]) for slot in slots),
        "fetch": [to_json(found) for found in _all(work, "fetch", settings.symbols, Fetched)],
        "dataset": to_json(data) if data else None,
        "ledger": [_ledger(work, kind) for kind in settings.kinds],
        "drift_pooled": list(pooled.rows) if pooled else [],
        "drift": [found.row for found in _all(work, "drift", settings.kinds, Drifted)],
        "ensembles": list(blended.rows) if blended else [],
        "failures": [to_json(failure) for failure in failures],
        "seconds": {**seconds, "total": round(sum(seconds.values()), 3)},
        "mlflow_run": turn_run(turn),
    }


def finish(turn: TurnRef) -> Json:
    """Close the turn: store its report, end its run, remove what no later turn needs.

    Returns
    -------
    dict
        The report; ``status`` is ``completed``, ``completed with failures``, or ``failed`` when no
        slot was decided: then the work stays, and the same command tries again.
    """
    found = report(turn)
    store, tracking = store_of(turn.settings), tracking_of(turn.settings)
    for stage, seconds in found["seconds"].items():
        store.record_stage(turn.turn_id, stage, seconds)
    run = found["mlflow_run"]
    tracking.log_metrics(run, _metrics(found))
    tracking.finish_run(run, "FAILED" if found["status"] == FAILED else "FINISHED")
    store.finish_turn(turn.turn_id, found["status"], found)
    if found["status"] != FAILED:
        _close_overtaken(turn)
        prune(turn.settings, turn)
        prune_ledger(turn.settings, turn.at_ms)
    return found


def _close_overtaken(turn: TurnRef) -> None:
    """End older turns of this scope and timeframe that were killed: nothing goes on with them."""
    store = store_of(turn.settings)
    suffix = turn.turn_id.partition("_")[2]
    for other in store.list_turns():
        same = other.turn_id.partition("_")[2] == suffix
        if same and other.turn_id < turn.turn_id and not other.done:
            said = f"it was cut off, and {turn.turn_id} was completed before it was run again"
            failure = {"stage": "turn", "subject": "", "error": "Overtaken", "message": said}
            store.finish_turn(other.turn_id, FAILED, {**other.summary, "failures": [failure]})


def _status(slots: list[Json], failures: tuple[Failure, ...]) -> str:
    if all(slot["action"] == "failed" for slot in slots):
        return FAILED
    return WITH_FAILURES if failures else COMPLETED


def _all(work: Work, stage: str, subjects: tuple[str, ...], kind: type[Any]) -> list[Any]:
    found = (work.load(f"{stage}-{subject}", kind) for subject in subjects)
    return [result for result in found if result is not None]


def _slot(turn: TurnRef, work: Work, kind: str, failures: tuple[Failure, ...]) -> Json:
    """Return one slot's line: its champion, how sure its skill is, and what was decided."""
    decided, judged = work.load(f"decide-{kind}", Decided), work.load(f"judge-{kind}", Judged)
    fits = work.load(f"fit-{kind}", Fits)
    published = work.load(f"publish-{kind}", Published)
    line: Json = {
        "slot": turn.slot(kind).key,
        "kind": kind,
        "champion": None,
        "recipe": None,
        "baseline": None,
        "action": "failed",
        "challenger": None,
        **dict.fromkeys((*_FIGURES, "days", "days_missing")),
        "versions_trained": [fit.version for fit in fits.versions] if fits else [],
        "left_out": list(fits.left_out) if fits else [],
        "retrained": [],
        "fit_seconds": {fit.version: fit.seconds for fit in fits.versions} if fits else {},
        "run_ids": list(published.run_ids) if published else [],
        "pictures": list(published.pictures) if published else [],
    }
    if decided is None or judged is None:
        return line | _kept(turn, kind, failures)
    rows = {row["version"]: row for row in judged.contenders}
    champion = rows[decided.champion]
    lines = {row["recipe"]: row for row in judged.lines}
    own = lines.get(champion["recipe"], {})
    days = own.get("days", 0.0)
    return line | {
        "champion": decided.champion,
        "before": decided.before,
        "recipe": champion["recipe"],
        "baseline": decided.baseline,
        "action": decided.action,
        "challenger": decided.challenger,
        **{name: own.get(name) for name in _FIGURES},
        "days": days,
        "days_missing": round(max(turn.settings.gates.ledger_days - days, 0.0), 3),
        "metrics": own.get("metrics", {}),
        "statuses": decided.statuses,
        "lines": [{"recipe": name, **_of(row, _LINE)} for name, row in lines.items()],
        "contenders": [_short(row, decided.statuses) for row in judged.contenders],
        "holdout": {**judged.holdout, **_of(champion, _FIGURES)},
        "sentence": decided.sentence,
        "retrained": list(decided.retrained),
    }


def _short(row: Mapping[str, Any], statuses: Mapping[str, str]) -> Json:
    """Return what the table of one slot shows of a version: how it did on the holdout."""
    names = ("version", "recipe", "baseline", *_FIGURES, "z_champion", "z_elder", "metrics")
    return {"status": statuses[row["version"]], **_of(row, (*names, "reason"))}


def _of(row: Mapping[str, Any], names: Iterable[str]) -> Json:
    return {name: row[name] for name in names}


def _kept(turn: TurnRef, kind: str, failures: tuple[Failure, ...]) -> Json:
    """Return the line of a slot that was not decided: the champion before goes on."""
    own = [failure for failure in failures if failure.subject == kind]
    reason = "; ".join(f"{failure.stage}: {failure.message}" for failure in own) or "not decided"
    champion = champion_in_store(store_of(turn.settings), turn.slot(kind))
    if champion is None:
        return {"sentence": f"nothing serves yet; {reason}"}
    return {
        "champion": champion.version,
        "recipe": champion.facts.get("recipe"),
        "baseline": champion.facts.get("baseline"),
        "sentence": f"{champion.version} keeps serving; {reason}",
    }


def _ledger(work: Work, kind: str) -> Json:
    ledgered, served = work.load(f"ledger-{kind}", Ledgered), work.load(f"serve-{kind}", Served)
    written = (ledgered.predictions if ledgered else 0) + (served.predictions if served else 0)
    return {
        "kind": kind,
        "predictions": written,
        "outcomes": ledgered.outcomes if ledgered else 0,
        "sentence": ledgered.sentence if ledgered else "",
    }


def _metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the turn's own figures for its run: seconds of stages, skill of champions."""
    metrics = {f"seconds.{stage}": value for stage, value in found["seconds"].items()}
    for slot in found["slots"]:
        for name in ("skill", "lower", "days"):
            if slot[name] is not None:
                metrics[f"{slot['kind']}.{name}"] = slot[name]
    metrics["failures"] = len(found["failures"])
    return metrics
