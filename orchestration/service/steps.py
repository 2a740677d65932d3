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
``fit(turn, kind)``               ``Fits``: the baseline and each recipe of a kind, as ONNX
``judge(turn, kind)``             ``Judged``: verdicts on the holdout, opened once
``publish(turn, kind)``           ``Published``: bundle folders, MLflow runs, pictures
``decide(turn, kind)``            ``Decided``: promote, refresh, keep, roll back; with a sentence
``serve(turn, kind)``             ``Served``: first predictions of versions new in service
``ensembles(turn)``               ``Ensembled``: equal-weight blends and their gate
``report(turn)``                  ``dict``: the whole turn, JSON-able
``finish(turn)``                  ``dict``: the report, with its status; the work folder is pruned
``fail(turn, stage, subject, e)`` ``Failure``: what a caller records when a step raised
================================  ===============================================================

Order: ``begin → fetch(symbol)* → dataset → ledger(kind)* → drift(kind)*``, beside it
``fit(kind)*`` (``LONGEST_FIRST``), then per kind ``judge → publish → decide → serve``, and at last
``ensembles → report → finish``. A step that fails raises. The caller records it with ``fail`` and
goes on with the other symbols or kinds; ``dataset`` raises ``TurnFailed`` when nothing is left.
All steps of one turn run under ``turn_lock(settings)``: two turns never overlap.

What a step needs of earlier ones it reads from the work folder, so steps may run in any process of
the same home.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from market.symbols import scope_of
from market.timeframes import instant_ms, timeframe_ms, utc
from ml_pipeline.errors import PanelError
from ml_pipeline.panel import Panel
from orchestration import engine
from orchestration.drift import LEARNING, Rules, assess
from orchestration.lifecycle.apply import apply
from orchestration.lifecycle.decide import Decision
from orchestration.lifecycle.decide import decide as choose
from orchestration.lifecycle.gates import DRIFTED, Incumbent
from orchestration.lifecycle.state import champion_in_store
from orchestration.service import data as turn_data
from orchestration.service.blending import ensemble_row
from orchestration.service.errors import OtherParameters, StepMissing, TurnError, TurnFailed
from orchestration.service.judging import contender, judge_kind
from orchestration.service.publishing import parameters, publish_kind, turn_run
from orchestration.service.refs import (
    Begun,
    Dataset,
    Decided,
    Drifted,
    Ensembled,
    Failure,
    Fetched,
    Fit,
    Fits,
    Json,
    Judged,
    Ledgered,
    Published,
    Served,
    TurnRef,
)
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.service.staging import fit_version, is_sound, names_of
from orchestration.service.work import Work, once
from orchestration.settings import Settings
from orchestration.store.records import COMPLETED, WITH_FAILURES
from orchestration.store.store import Store

LONGEST_FIRST = ("price", "risk", "momentum", "volatility", "direction")
"""Kinds in the order their fits should start, so that none is left alone at the end."""

_TRACK_DAYS = 30


def begin(settings: Settings, now: datetime | str | int) -> Begun:
    """Begin a turn, find it as it was left, or say why there is nothing to do.

    Parameters
    ----------
    settings
        All that a turn can be told.
    now
        The moment of the turn: a time with a zone, or epoch milliseconds. It is taken back to the
        last close of a bar.

    Raises
    ------
    OtherParameters
        This turn was begun with other parameters.
    """
    step = timeframe_ms(settings.timeframe)
    at = utc(instant_ms(now) // step * step).to_pydatetime()
    scope = scope_of(settings.symbols)
    turn = TurnRef(f"{at:%Y-%m-%dT%H%MZ}_{scope}_{settings.timeframe}", at, scope, settings)
    store = store_of(settings)
    newer = _newer(store, turn)
    if newer is not None:
        said = f"the newer turn {newer[0]} is completed; {turn.turn_id} would undo it: nothing done"
        return Begun(turn, "overtaken", said, newer[1])
    found = store.begin_turn(turn.turn_id, parameters(turn))
    _refuse_other(turn, found.params)
    if found.status in (COMPLETED, WITH_FAILURES):
        said = f"{turn.turn_id} is {found.status}: nothing to do, nothing changed"
        return Begun(turn, "done", said, found.summary)
    turn_run(turn)
    if found.status == "new":
        return Begun(turn, "new", f"{turn.turn_id} begins")
    return Begun(turn, "resumed", f"{turn.turn_id} was begun before and goes on")


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
    work = Work(turn.folder)

    def make() -> Dataset:
        found = (work.load(f"fetch-{symbol}", Fetched) for symbol in turn.settings.symbols)
        symbols = tuple(fetched.symbol for fetched in found if fetched is not None)
        if not symbols:
            reasons = "; ".join(f.message for f in work.failures() if f.stage == "fetch")
            raise TurnFailed(
                f"{turn.turn_id}: no symbol could be fetched ({reasons}); nothing was changed, "
                "and the same command tries again"
            )
        return turn_data.make_panel(turn, symbols)

    return once(turn, "dataset", "", Dataset, make, _panel_is_there)


def ledger(turn: TurnRef, kind: str) -> Ledgered:
    """Predict what closed since the last turn with what was in service, and resolve outcomes."""

    def make() -> Ledgered:
        data, store, slot = _dataset(turn), store_of(turn.settings), turn.slot(kind)
        panel = Panel.load(data.folder)
        made = engine.record(store, registry_of(turn.settings), slot, panel, turn.at_ms)
        candles = turn_data.read_candles(turn, data.symbols)
        since = turn_data.start_ms(turn)
        resolved = engine.resolve(store, slot, candles, since, turn.at_ms)
        broken = "".join(f"; {version}: {why}" for version, why in made.broken.items())
        said = f"{made.rows:,} predictions, {resolved:,} outcomes{broken}"
        return Ledgered(kind, made.rows, resolved, said)

    return once(turn, "ledger", kind, Ledgered, make)


def drift(turn: TurnRef, kind: str) -> Drifted:
    """Judge the champion by its ledger; in DRIFT or HARM it is flagged for retraining."""

    def make() -> Drifted:
        ledger(turn, kind)
        slot, store = turn.slot(kind), store_of(turn.settings)
        champion = champion_in_store(store, slot)
        since = turn.at_ms - _TRACK_DAYS * 86_400_000
        horizon = turn_data.horizon_of(turn, kind)
        step = timeframe_ms(turn.settings.timeframe)
        verdict = assess(
            engine.track(store, slot, since),
            step,
            horizon,
            Rules(**turn.settings.drift.model_dump()),
            baseline=bool(champion and champion.facts.get("baseline")),
        )
        row = {"kind": kind, "champion": champion.version if champion else None, **verdict.row}
        store.add_drift(turn.turn_id, slot.key, row)
        if champion and verdict.status in DRIFTED:
            store.flag_for_retraining(champion.key, f"{verdict.status}: {verdict.sentence}")
        return Drifted(kind, row)

    return once(turn, "drift", kind, Drifted, make)


def fit(turn: TurnRef, kind: str) -> Fits:
    """Fit the baseline and every recipe of a kind, each on one thread.

    Raises
    ------
    PipelineError
        One of them cannot be fitted.
    """

    def make() -> Fits:
        data = _dataset(turn)

        def one(name: str) -> Fit:
            # Each is kept by itself: a turn that is killed here loses one fit, not all.
            return once(
                turn, "fits", f"{kind}-{name}", Fit,
                lambda: fit_version(turn, kind, name, data), is_sound,
            )  # fmt: skip

        return Fits(kind, tuple(one(name) for name in names_of(kind)))

    def whole(fits: Fits) -> bool:
        return all(is_sound(version) for version in fits.versions)

    return once(turn, "fit", kind, Fits, make, whole)


def judge(turn: TurnRef, kind: str) -> Judged:
    """Open the holdout for one kind: candidates and versions in service on the same bars."""

    def make() -> Judged:
        openings = Work(turn.folder).count(f"openings-{kind}")
        return judge_kind(turn, _dataset(turn), fit(turn, kind), openings)

    return once(turn, "judge", kind, Judged, make)


def publish(turn: TurnRef, kind: str) -> Published:
    """Write the candidates' bundles and register them, with runs and pictures, in MLflow."""

    def make() -> Published:
        return publish_kind(turn, _dataset(turn), fit(turn, kind), judge(turn, kind))

    return once(turn, "publish", kind, Published, make)


def decide(turn: TurnRef, kind: str) -> Decided:
    """Decide who serves the slot, and put it into effect: alias, statuses, links, verdicts.

    The decision follows from stored verdicts alone, so that repeating it after a kill decides the
    same and completes what was left undone.

    Raises
    ------
    LifecycleError
        It cannot be put into effect; the previous champion stays.
    """

    def make() -> Decided:
        publish(turn, kind)
        judged, row = judge(turn, kind), drift(turn, kind).row
        incumbent = Incumbent(**judged.incumbent) if judged.incumbent else None
        if incumbent:
            own = row["champion"] == incumbent.version
            incumbent = replace(incumbent, drift=row["status"] if own else LEARNING)
        contenders = [contender(found) for found in judged.contenders]
        slot, store = turn.slot(kind), store_of(turn.settings)
        decision = choose(slot.key, contenders, incumbent, turn.settings.gates)
        serves_from = turn.at_ms if incumbent else turn_data.first_open_ms(turn, kind)
        apply(
            decision,
            slot,
            serves_from,
            store=store,
            tracking=tracking_of(turn.settings),
            registry=registry_of(turn.settings),
        )
        _store_verdicts(turn, decision, judged)
        if incumbent and decision.champion != incumbent.version:
            store.clear_flag(f"{slot.key}/{incumbent.version}")
        chosen = next(c for c in contenders if c.version == decision.champion)
        return Decided(
            kind=kind,
            action=decision.action,
            champion=decision.champion,
            before=decision.before,
            challenger=decision.challenger,
            baseline=chosen.baseline,
            statuses=decision.statuses,
            sentence=decision.sentence,
        )

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
    """Build and judge the ensemble of every slot that was decided."""

    def make() -> Ensembled:
        work = Work(turn.folder)
        decided = [k for k in turn.settings.kinds if work.load(f"decide-{k}", Decided)]
        data = _dataset(turn)
        rows = [ensemble_row(turn, data, fit(turn, k), judge(turn, k)) for k in decided]
        return Ensembled(tuple(rows))

    return once(turn, "ensembles", "", Ensembled, make)


def fail(turn: TurnRef, stage: str, subject: str, error: BaseException) -> Failure:
    """Record that a step raised; the turn goes on without that symbol or kind."""
    failure = Failure(stage, subject, type(error).__name__, str(error) or repr(error))
    Work(turn.folder).fail(failure)
    return failure


def _store_verdicts(turn: TurnRef, decision: Decision, judged: Judged) -> None:
    """Store every figure that was looked at with what was decided."""
    store, slot_key = store_of(turn.settings), decision.slot_key
    for row in judged.contenders:
        figures = {**row["metrics"], **{k: v for k, v in row.items() if k != "metrics"}}
        figures["holdout"] = judged.holdout
        status = decision.statuses[row["version"]]
        said = decision.sentence if row["version"] == decision.champion else row["reason"]
        store.add_verdict(
            turn.turn_id, slot_key, row["version"], "baseline", figures, status, said or status
        )
    if decision.before:
        store.add_verdict(
            turn.turn_id, slot_key, decision.champion, decision.before,
            decision.figures, decision.action, decision.sentence,
        )  # fmt: skip


def _dataset(turn: TurnRef) -> Dataset:
    found = Work(turn.folder).load("dataset", Dataset)
    if found is None or not _panel_is_there(found):
        raise StepMissing(f"{turn.turn_id} has no dataset yet; run the step dataset first")
    return found


def _panel_is_there(data: Dataset) -> bool:
    try:
        return Panel.load(data.folder).data_hash() == data.data_hash
    except PanelError:
        return False


def _newer(store: Store, turn: TurnRef) -> tuple[str, Json] | None:
    """Return a completed turn of the same scope and timeframe that is later than this one."""
    suffix = turn.turn_id.partition("_")[2]
    for other in store.list_turns():
        same = other.turn_id.partition("_")[2] == suffix
        if same and other.turn_id > turn.turn_id and other.status in (COMPLETED, WITH_FAILURES):
            return other.turn_id, other.summary
    return None


def _refuse_other(turn: TurnRef, begun_with: Json) -> None:
    wanted = parameters(turn)
    other = [
        f"{name}: {begun_with.get(name)!r} then, {wanted[name]!r} now"
        for name in wanted
        if begun_with.get(name) != wanted[name]
    ]
    if other:
        raise OtherParameters(
            f"{turn.turn_id} was begun with other parameters ({'; '.join(other)}); use those, "
            "another moment, or another home"
        )
