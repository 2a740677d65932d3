"""What one slot's past says, and who serves it from now on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ml_pipeline.competing import unnamed
from ml_pipeline.panel import Panel
from models.common.slot import Slot
from orchestration import engine
from orchestration.drift import LEARNING
from orchestration.ensembles import ENSEMBLE
from orchestration.judge.verdicts import Standing
from orchestration.lifecycle.apply import apply
from orchestration.lifecycle.decide import Decision, decide
from orchestration.lifecycle.enrol import BY_HAND, gate_tags
from orchestration.lifecycle.gates import Contender, Incumbent
from orchestration.service.data import first_open_ms, read_candles, start_ms
from orchestration.service.judging import contender
from orchestration.service.memory import last_memory
from orchestration.service.refs import (
    Dataset,
    Decided,
    Drifted,
    Json,
    Judged,
    Ledgered,
    TurnRef,
)
from orchestration.service.resources import registry_of, store_of, tracking_of


def look_back(turn: TurnRef, kind: str, data: Dataset) -> Ledgered:
    """Predict what closed since the last turn with what was in service, and resolve outcomes."""
    store, slot = store_of(turn.settings), turn.slot(kind)
    panel = Panel.load(data.folder)
    made = engine.record(store, registry_of(turn.settings), slot, panel, turn.at_ms)
    candles = read_candles(turn, data.symbols)
    resolved = engine.resolve(store, slot, candles, start_ms(turn), turn.at_ms)
    broken = "".join(f"; {version}: {why}" for version, why in made.broken.items())
    said = f"{made.rows:,} predictions, {resolved:,} outcomes{broken}"
    return Ledgered(kind, made.rows, resolved, said)


def decide_kind(turn: TurnRef, judged: Judged, drifted: Drifted) -> Decided:
    """Decide who serves a slot, and put it into effect: alias, statuses, links, verdicts, flags.

    The decision follows from stored verdicts alone, so that repeating it after a kill decides the
    same and completes what was left undone.
    """
    slot = turn.slot(judged.kind)
    incumbent = Incumbent(**judged.incumbent) if judged.incumbent else None
    if incumbent:
        # What the ledger says is about the champion of the last turn, not of one put in by hand.
        own = drifted.row["champion"] == incumbent.version
        incumbent = replace(incumbent, drift=drifted.row["status"] if own else LEARNING)
    contenders = [contender(row) for row in judged.contenders]
    lines = {line.line: line for line in (Standing(**row) for row in judged.lines)}
    memory = last_memory(turn, judged.kind)
    gates, others = turn.settings.gates, unnamed(judged.kind, turn.settings.recipes)
    members = members_of(turn, slot, contenders)
    decision = decide(slot.key, contenders, lines, incumbent, gates, memory, others, members)
    apply(
        decision,
        slot,
        turn.at_ms if incumbent else first_open_ms(turn, judged.kind),
        store=store_of(turn.settings),
        tracking=tracking_of(turn.settings),
        registry=registry_of(turn.settings),
    )
    _store_verdicts(turn, decision, judged)
    _tag_lines(turn, slot, decision)
    _supersede_strays(turn, slot, decision)
    baseline = {c.version: c.baseline for c in contenders}
    return Decided(
        kind=judged.kind,
        action=decision.action,
        champion=decision.champion,
        before=decision.before,
        challenger=decision.challenger,
        baseline=baseline[decision.champion],
        statuses=decision.statuses,
        sentence=decision.sentence,
    )


def members_of(turn: TurnRef, slot: Slot, contenders: Sequence[Contender]) -> set[str]:
    """Return the lines that the slot's ensembles, in service or new, are composed of."""
    store = store_of(turn.settings)
    ours = {one.version for one in contenders if one.line == ENSEMBLE}
    known = [model for model in store.list_models(slot_key=slot.key) if model.version in ours]
    return {str(one["recipe"]) for model in known for one in model.facts.get("members", ())}


def _store_verdicts(turn: TurnRef, decision: Decision, judged: Judged) -> None:
    """Store every figure that was looked at with what was decided.

    A version's own row holds its holdout and, under ``ledger``, how its line stands; the row of the
    decision holds all of them.
    """
    store, slot_key = store_of(turn.settings), decision.slot_key
    lines = {line["line"]: line for line in decision.figures["lines"]}
    serving: Json = {}
    for row in judged.contenders:
        figures = {**row["metrics"], **{k: v for k, v in row.items() if k != "metrics"}}
        figures["holdout"] = judged.holdout
        figures["ledger"] = lines.get(contender(row).line)
        if row["version"] == decision.champion:
            serving = figures
        status = decision.statuses[row["version"]]
        said = decision.sentence if row["version"] == decision.champion else row["reason"]
        store.add_verdict(
            turn.turn_id, slot_key, row["version"], "baseline", figures, status, said or status
        )
    store.add_decision(
        turn.turn_id, slot_key, decision.champion,
        {**serving, **decision.figures, "before": decision.before, "statuses": decision.statuses},
        decision.action, decision.sentence,
    )  # fmt: skip


def _tag_lines(turn: TurnRef, slot: Slot, decision: Decision) -> None:
    """Show in the registry how the lines of champion and challenger stand by the ledger."""
    lines = {line["version"]: line for line in decision.figures["lines"]}
    for version in filter(None, (decision.champion, decision.challenger)):
        line = lines.get(version)
        if line is not None:
            tags = gate_tags(line, "ledger") | {"ledger_days": f"{line['days']:g}"}
            tracking_of(turn.settings).set_tags(slot, version, tags)


def _supersede_strays(turn: TurnRef, slot: Slot, decision: Decision) -> None:
    """Let go of candidates of turns that never decided: nothing asks them any more."""
    store = store_of(turn.settings)
    for model in store.list_models(slot_key=slot.key, status="candidate"):
        fitted_by = str(model.facts.get("turn_id") or turn.turn_id)
        stray = model.version not in decision.statuses and fitted_by < turn.turn_id
        if stray and model.facts.get("trained") != BY_HAND:
            store.update_model_status(model.key, "superseded")
