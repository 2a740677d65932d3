"""The steps of one turn: plain functions from small references to small references.

Every step takes the :class:`~orchestration.service.refs.TurnRef` first, reads what earlier steps
left in ``<home>/work/<turn_id>/``, leaves its own result there in one atomic write, and is skipped
when that result is present and valid. So any step may be repeated, and a turn that was killed
anywhere and is started again reaches the same end.

================================  ===============================================================
step                              what it returns
================================  ===============================================================
``begin(settings, now)``          ``Begun``: the turn, and whether there is anything to do
``fetch(turn, symbol)``           ``Fetched``: new bars, repair report (the only network step)
``dataset(turn)``                 ``Dataset``: one panel of features and labels on disk
``ledger(turn, kind)``            ``Ledgered``: predictions of the versions in service, outcomes
``drift(turn, kind)``             ``Drifted``: OK, WARN, DRIFT, HARM or LEARNING with figures
``drift_pooled(turn)``            ``Pooled``: the same of several slots together
``fit(turn, kind)``               ``Fits``: the baseline and each recipe of a kind, as ONNX
``back_fill(turn, kind)``         ``BackFilled``: days before a line's ledger began, if asked for
``compose(turn, kind)``           ``Composed``: the ensemble of a kind's fits, where it has one
``judge(turn, kind)``             ``Judged``: verdicts on the holdout, opened once
``publish(turn, kind)``           ``Published``: bundle folders, MLflow runs, pictures
``decide(turn, kind)``            ``Decided``: promote, refresh, keep, roll back; with a sentence
``serve(turn, kind)``             ``Served``: first predictions of versions new in service
``ensembles(turn)``               ``Ensembled``: what the ensembles are, and whether they are on
``report(turn)``                  ``dict``: the whole turn, JSON-able
``finish(turn)``                  ``dict``: the report, with its status; the work folder is pruned
``fail(turn, stage, subject, e)`` ``Failure``: what a caller records when a step raised
================================  ===============================================================

Order: ``begin → fetch(symbol)* → dataset → ledger(kind)* → drift(kind)* → drift_pooled``, beside it
``fit(kind)*`` (``LONGEST_FIRST``), then per kind ``back_fill`` where `backfill_days` asks for it,
and ``judge → publish → decide → serve`` (``compose`` is taken with ``judge``), and at last
``ensembles → report → finish``. A step that fails raises. The caller records it with ``fail`` and
goes on with the other symbols or kinds; ``dataset`` raises ``TurnFailed`` when nothing is left.
All steps of one turn run under ``turn_lock(settings)``: two turns never overlap.

What a step needs of earlier ones it reads from the work folder, so steps may run in any process of
the same home.
"""

from __future__ import annotations

from dataclasses import replace

from ml_pipeline.panel import Panel
from orchestration import engine
from orchestration.service import data as turn_data
from orchestration.service.backfill import fill_kind
from orchestration.service.beginning import begin, fetched_symbols
from orchestration.service.blending import ensemble_rows
from orchestration.service.composing import beside, compose_kind, whole
from orchestration.service.data import panel_is_there
from orchestration.service.deciding import decide_kind, look_back
from orchestration.service.drift_rows import pool, watch
from orchestration.service.errors import StepMissing, TurnError
from orchestration.service.fitting import fit_kind, fit_one
from orchestration.service.judging import judge_kind
from orchestration.service.publishing import publish_kind
from orchestration.service.refs import (
    BackFilled,
    Composed,
    Dataset,
    Decided,
    Drifted,
    Ensembled,
    Failure,
    Fetched,
    Fits,
    Judged,
    Ledgered,
    Pooled,
    Published,
    Served,
    TurnRef,
)
from orchestration.service.report import finish, report
from orchestration.service.resources import registry_of, store_of
from orchestration.service.retraining import settle
from orchestration.service.staging import is_sound
from orchestration.service.work import Work, once, turn_lock

__all__ = [
    "LONGEST_FIRST",
    "back_fill",
    "begin",
    "compose",
    "dataset",
    "decide",
    "drift",
    "drift_pooled",
    "ensembles",
    "fail",
    "fetch",
    "finish",
    "fit",
    "fit_one",
    "judge",
    "ledger",
    "publish",
    "report",
    "serve",
    "turn_lock",
]

LONGEST_FIRST = ("price", "risk", "momentum", "volatility", "direction")
"""Kinds in the order their fits should start, so that none is left alone at the end."""


def fetch(turn: TurnRef, symbol: str) -> Fetched:
    """Bring one symbol's candles up to date; the only step that uses the network.

    Raises
    ------
    MarketError, StaleCandles
        The symbol cannot take part in this turn.
    """
    fixed = Work(turn.folder).load("dataset", Dataset)
    if fixed is not None and symbol not in fixed.symbols:
        raise TurnError(
            f"{symbol}: the data of {turn.turn_id} were fixed without it; it joins the next turn"
        )
    return once(turn, "fetch", symbol, Fetched, lambda: turn_data.fetch_candles(turn, symbol))


def dataset(turn: TurnRef) -> Dataset:
    """Build the panel of the symbols that were fetched; from here on they are fixed.

    Raises
    ------
    TurnFailed
        No symbol was fetched.
    """

    def make() -> Dataset:
        return turn_data.make_panel(turn, fetched_symbols(turn))

    return once(turn, "dataset", "", Dataset, make, panel_is_there)


def ledger(turn: TurnRef, kind: str) -> Ledgered:
    """Predict what closed since the last turn with what was in service, and resolve outcomes."""
    return once(turn, "ledger", kind, Ledgered, lambda: look_back(turn, kind, _dataset(turn)))


def drift(turn: TurnRef, kind: str) -> Drifted:
    """Judge the champion by its ledger; in DRIFT or HARM it is flagged for retraining."""

    def make() -> Drifted:
        ledger(turn, kind)
        return watch(turn, kind, _dataset(turn))

    return once(turn, "drift", kind, Drifted, make)


def drift_pooled(turn: TurnRef) -> Pooled:
    """Judge the slots whose drift was judged together: all, and those that say up or down."""

    def make() -> Pooled:
        work = Work(turn.folder)
        found = {kind: work.load(f"drift-{kind}", Drifted) for kind in turn.settings.kinds}
        return pool(turn, {kind: one for kind, one in found.items() if one is not None})

    return once(turn, "drift_pooled", "", Pooled, make)


def fit(turn: TurnRef, kind: str) -> Fits:
    """Fit the baseline and every recipe of a kind that competes, each on one thread.

    A recipe that cannot be fitted is recorded as a failure and left out; the others compete.

    Raises
    ------
    PipelineError
        The baseline cannot be fitted, or no recipe can.
    """

    def make() -> Fits:
        return fit_kind(turn, kind, _dataset(turn), fail)

    def whole(fits: Fits) -> bool:
        return all(is_sound(version) for version in fits.versions)

    return once(turn, "fit", kind, Fits, make, whole)


def back_fill(turn: TurnRef, kind: str) -> BackFilled:
    """Fill in what the lines of a kind would have said before their ledger begins.

    As far back as the setting `backfill_days` says; lines that have it are left alone. A fold that
    fails is recorded and left out, and the next turn tries it again.

    Raises
    ------
    MarketError
        The candles of those days cannot be fetched.
    """

    def make() -> BackFilled:
        return fill_kind(turn, kind, _dataset(turn), fit(turn, kind))

    return once(turn, "back_fill", kind, BackFilled, make)


def compose(turn: TurnRef, kind: str) -> Composed:
    """Compose the ensemble of a kind's fits, by what the ledger said before the holdout.

    One that cannot be composed is recorded as a failure; the fits compete without it.
    """

    def make() -> Composed:
        ledger(turn, kind)  # what closed since the last turn is part of what is known
        return compose_kind(turn, kind, _dataset(turn), fit(turn, kind), fail)

    return once(turn, "compose", kind, Composed, make, whole)


def _candidates(turn: TurnRef, kind: str) -> Fits:
    return beside(fit(turn, kind), compose(turn, kind))


def judge(turn: TurnRef, kind: str) -> Judged:
    """Open the holdout for one kind: candidates and versions in service on the same bars."""
    fits = _candidates(turn, kind)

    def make() -> Judged:
        openings = Work(turn.folder).count(f"openings-{kind}")
        return judge_kind(turn, _dataset(turn), fits, openings)

    return once(turn, "judge", kind, Judged, make)


def publish(turn: TurnRef, kind: str) -> Published:
    """Write the candidates' bundles and register them, with runs and pictures, in MLflow."""

    def make() -> Published:
        fits = _candidates(turn, kind)
        return publish_kind(turn, _dataset(turn), fits, judge(turn, kind))

    return once(turn, "publish", kind, Published, make)


def decide(turn: TurnRef, kind: str) -> Decided:
    """Decide who serves the slot, and put it into effect: alias, statuses, links, verdicts.

    Raises
    ------
    LifecycleError
        It cannot be put into effect; the previous champion stays.
    """

    def make() -> Decided:
        publish(turn, kind)
        decided = decide_kind(turn, judge(turn, kind), drift(turn, kind))
        return replace(decided, retrained=settle(turn, fit(turn, kind), decided, judge(turn, kind)))

    return once(turn, "decide", kind, Decided, make)


def serve(turn: TurnRef, kind: str) -> Served:
    """Write the first predictions of versions new in service: bars whose outcome is still open."""

    def make() -> Served:
        decide(turn, kind)
        panel = Panel.load(_dataset(turn).folder)
        slot = turn.slot(kind)
        store, registry = store_of(turn.settings), registry_of(turn.settings)
        return Served(kind, engine.record(store, registry, slot, panel, turn.at_ms).rows)

    return once(turn, "serve", kind, Served, make)


def ensembles(turn: TurnRef) -> Ensembled:
    """Keep the ensemble of every slot that was decided, and switch it on or off.

    One that cannot be kept is recorded as a failure; the others go on.
    """

    def made(kind: str) -> tuple[Composed, Judged]:
        return compose(turn, kind), judge(turn, kind)

    return once(
        turn, "ensembles", "", Ensembled, lambda: ensemble_rows(turn, _dataset(turn), made, fail)
    )


def fail(turn: TurnRef, stage: str, subject: str, error: BaseException) -> Failure:
    """Record that a step raised; the turn goes on without that symbol or kind."""
    failure = Failure(stage, subject, type(error).__name__, str(error) or repr(error))
    Work(turn.folder).fail(failure)
    return failure


def _dataset(turn: TurnRef) -> Dataset:
    found = Work(turn.folder).load("dataset", Dataset)
    if found is None or not panel_is_there(found):
        raise StepMissing(f"{turn.turn_id} has no dataset yet; run the step dataset first")
    return found
