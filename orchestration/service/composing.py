"""The ensemble of one kind in a turn: members and weights from the ledger, composed of its fits.

Everything is chosen from rows whose outcome was known before the turn's holdout opens: the holdout
judges the ensemble as it judges every other candidate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.composed import compose
from ml_pipeline.errors import JudgingError
from ml_pipeline.fit import Fitted
from ml_pipeline.panel import Panel
from ml_pipeline.scoring import row_losses
from ml_pipeline.skill import paired_mean
from ml_pipeline.tasks import TASKS
from models.common.regimes import Regimes
from models.common.slot import Slot, version_name
from orchestration import engine
from orchestration.ensembles import (
    ENSEMBLE,
    METHODS,
    Candidate,
    Choice,
    Contest,
    Evidence,
    choose,
    contest,
    pick,
)
from orchestration.ensembles.steps import z_asked
from orchestration.judge.lines import BASELINE, Lines, as_panel, lines_of, recipe_of
from orchestration.judge.verdicts import paired
from orchestration.rules import Gates
from orchestration.service.data import horizon_of, split_of
from orchestration.service.memory import at_rest, last_memory
from orchestration.service.refs import Composed, Dataset, Failure, Fit, Fits, TurnRef
from orchestration.service.regimes import edges_of, regimes_of
from orchestration.service.resources import store_of
from orchestration.service.staging import is_sound, load_fitted, save_fitted


def compose_kind(
    turn: TurnRef,
    kind: str,
    data: Dataset,
    fits: Fits,
    fail: Callable[[TurnRef, str, str, BaseException], Failure],
) -> Composed:
    """Compose the ensemble of a kind, or say why there is none; see `steps.compose`."""
    try:
        return _composed(turn, kind, data, fits)
    except Exception as error:  # noqa: BLE001 - whatever a library raises, the fits compete alone
        fail(turn, "composing", kind, error)
        return Composed(kind, f"not composed: {error}")


def _composed(turn: TurnRef, kind: str, data: Dataset, fits: Fits) -> Composed:
    resting = at_rest(turn, kind, (ENSEMBLE,))
    if resting:
        return Composed(kind, resting[ENSEMBLE])
    panel = Panel.load(data.folder)
    lines = known_lines(turn, kind, split_of(turn, panel, kind).trained_through_ms)
    found = pick(
        [*_candidates(turn, lines, fits), *_resting(turn, kind)], turn.settings.gates.least_days
    )
    if not found.lines:
        return Composed(kind, found.why)
    own = {fit.recipe: fit for fit in fits.versions}
    members = [own[line] for line in found.lines]
    edges = edges_of(turn, kind, panel)
    regimes = None if edges is None else regimes_of(lines, panel, edges)
    choice = weighed(turn, evidence_of(lines, found.lines, regimes))
    fit = _fit(turn, panel, members, choice, edges)
    told = tuple(
        {"version": one.version, "recipe": one.recipe, "weight": choice.weights[one.recipe]}
        for one in members
    )
    by_regime = None
    if choice.table is not None and edges is not None:
        by_regime = {**edges.as_dict(), "weights": [list(row) for row in choice.table]}
    return Composed(kind, _sentence(choice), fit, choice.as_dict(), told, by_regime)


def whole(composed: Composed) -> bool:
    """Return whether the files of a composed ensemble are there, where there is one."""
    return composed.fit is None or is_sound(composed.fit)


def beside(fits: Fits, composed: Composed) -> Fits:
    """Return the fits of a kind with its ensemble among them, the last."""
    if composed.fit is None:
        return fits
    return Fits(fits.kind, (*fits.versions, composed.fit), fits.left_out, fits.retrained)


def weighed(turn: TurnRef, evidence: Evidence) -> Choice:
    """Return the method and weights that the evidence chooses."""
    return weighed_by(turn.settings.gates, evidence, turn.settings.seed)[1]


def weighed_by(gates: Gates, evidence: Evidence, seed: int) -> tuple[Contest, Choice]:
    """Return the contest on some evidence and what it chooses; of a young one more is asked."""
    walked = contest(evidence, gates.least_days)
    days = len(walked.base) * timeframe_ms(evidence.timeframe) / DAY_MS
    asked = z_asked(gates.z_learnt, days, gates.ledger_days)
    return walked, choose(walked, evidence.horizon, seed, asked, gates.z_ensemble)


def known_lines(turn: TurnRef, kind: str, cut_ms: int) -> Lines:
    """Return the lines of a kind on the last days whose outcome was known at `cut_ms`."""
    store, slot = store_of(turn.settings), turn.slot(kind)
    wait = (horizon_of(turn, kind) + 1) * timeframe_ms(slot.timeframe)
    since = turn.at_ms - int(turn.settings.gates.window_days * DAY_MS)
    rows = store.ledger(slot.key, since_ms=since, until_ms=cut_ms - wait + 1)
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    return lines_of(slot, rows, models)


def _candidates(turn: TurnRef, lines: Lines, fits: Fits) -> list[Candidate]:
    """Return the lines that were fitted in this turn, each with its ledger before the holdout."""
    serving = {recipe_of(model) for model in engine.in_service(store_of(turn.settings), lines.slot)}
    limit = turn.settings.gates.parity_max
    found = []
    for fit in fits.versions:
        if fit.baseline:
            continue
        lacks = ""
        if serving and fit.recipe not in serving:
            lacks = "is not in service yet"
        elif fit.parity > limit:
            lacks = f"has a graph that differs from its fit by {fit.parity:.1e}"
        found.append(candidate(lines, fit.recipe, lacks))
    return found


def _resting(turn: TurnRef, kind: str) -> list[Candidate]:
    """Return the recipes that are not fitted in this turn, to be told of."""
    resting = last_memory(turn, kind).resting
    return [Candidate(name, 0.0, lacks="was archived and rests") for name in resting]


def candidate(lines: Lines, name: str, lacks: str = "") -> Candidate:
    """Return how one line stands by what is known of it."""
    line, base = lines.lines.get(name), lines.plain
    if line is None or base is None:
        return Candidate(name, 0.0, lacks=lacks)
    _, loss, gain = paired(line, base)
    days = len(gain) * timeframe_ms(lines.slot.timeframe) / DAY_MS
    try:
        z = paired_mean(gain, loss, _horizon(lines.slot)).z
    except JudgingError:
        return Candidate(name, days, lacks=lacks)
    return Candidate(name, days, float(gain.mean() / loss.mean()), z, lacks)


def evidence_of(
    lines: Lines, members: tuple[str, ...], regimes: NDArray[np.int64] | None = None
) -> Evidence:
    """Return the rows that all members and the baseline answered, in order of time and symbol.

    Parameters
    ----------
    regimes
        Of each bar of the grid, int64 [T, S], where weights may depend on them.
    """
    told = [lines.lines[name] for name in (*members, BASELINE)]
    known = np.logical_and.reduce([line.known for line in told])
    slot, plain = lines.slot, told[-1]
    rows, head = as_panel(slot, lines.outcome[known]), lines.heads[-1]
    return Evidence(
        kind=slot.kind,
        timeframe=slot.timeframe,
        members=members,
        ts=np.broadcast_to(lines.ts[:, None], known.shape)[known],
        raw=np.stack([line.raw[known] for line in told[:-1]]),
        base=row_losses(TASKS[slot.kind], head, plain.raw[known], rows),
        rows=rows,
        head=head,
        regime=None if regimes is None else regimes[known],
    )


def _fit(
    turn: TurnRef, panel: Panel, members: list[Fit], choice: Choice, edges: Regimes | None
) -> Fit:
    """Compose the members into one graph and leave it in the work folder, as a fit is left."""
    started = time.perf_counter()
    fitted: Mapping[str, Fitted] = {fit.version: load_fitted(fit.folder) for fit in members}
    weights: Any = [choice.weights[fit.recipe] for fit in members]
    where = None
    # As each was really fitted: a retrained one may have days of its own.
    windows = {
        version: split_of(turn, panel, one.kind, one.spec.get("train_days"))
        for version, one in fitted.items()
    }
    blend = METHODS[choice.method].blend
    if choice.table is not None:
        weights, where = choice.table, edges
    made = compose(fitted, np.array(weights), blend, panel, regimes=where, windows=windows)
    version = version_name(turn.at, turn.settings.timeframe, ENSEMBLE)
    folder = turn.folder / "fits" / made.kind / version
    save_fitted(folder, made)
    seconds = 0.0 if turn.settings.moment is not None else time.perf_counter() - started
    return Fit(version, ENSEMBLE, False, str(folder), made.parity, round(seconds, 3))


def _sentence(choice: Choice) -> str:
    weights = ", ".join(f"{line} {weight:.2f}" for line, weight in choice.weights.items())
    return f"{weights}; {choice.why}; {choice.gate.sentence}"


def _horizon(slot: Slot) -> int:
    return TASKS[slot.kind].horizon_bars(slot.timeframe)
