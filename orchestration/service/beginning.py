"""How a turn begins: new, resumed, already done, overtaken by a newer one, or refused."""

from __future__ import annotations

from datetime import datetime

from market.symbols import scope_of
from market.timeframes import instant_ms, timeframe_ms, utc
from ml_pipeline.recipes import BASELINE
from models.common.slot import version_name
from orchestration.engine import in_service
from orchestration.service.data import competition_of
from orchestration.service.errors import OtherMarket, OtherParameters, TakenMoment, TurnFailed
from orchestration.service.publishing import parameters, turn_run
from orchestration.service.recovering import recover
from orchestration.service.refs import Begun, Fetched, Json, TurnRef
from orchestration.service.resources import source_of, store_of
from orchestration.service.staging import preload
from orchestration.service.work import Work
from orchestration.settings import Settings
from orchestration.store.records import BACKFILL, COMPLETED, WITH_FAILURES
from orchestration.store.store import Store


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
    RecipeError
        None of the recipes that the settings name has history enough.
    TakenMoment
        A back-fill that looked ahead of this turn has used its versions' names.
    OtherMarket
        What serves was learnt on a simulated market and this one is real, or the reverse.
    """
    turn = turn_at(settings, now)
    store = store_of(settings)
    recover(settings)
    refuse_other_market(turn)
    newer = _newer(store, turn)
    if newer is not None:
        said = f"the newer turn {newer[0]} is completed; {turn.turn_id} would undo it: nothing done"
        return Begun(turn, "overtaken", said, newer[1])
    _refuse_taken(store, turn)
    for kind in settings.kinds:
        competition_of(turn, kind)  # raises before anything is written
    found = store.begin_turn(turn.turn_id, parameters(turn))
    _refuse_other(turn, found.params)
    if found.status in (COMPLETED, WITH_FAILURES):
        said = f"{turn.turn_id} is {found.status}: nothing to do, nothing changed"
        return Begun(turn, "done", said, found.summary)
    turn_run(turn)
    preload(turn)
    if found.status == "new":
        return Begun(turn, "new", f"{turn.turn_id} begins")
    return Begun(turn, "resumed", f"{turn.turn_id} was begun before and goes on")


def turn_at(settings: Settings, now: datetime | str | int) -> TurnRef:
    """Return the turn at `now`, taken back to the last close of a bar; nothing is begun."""
    step = timeframe_ms(settings.timeframe)
    at = utc(instant_ms(now) // step * step).to_pydatetime()
    scope = scope_of(settings.symbols)
    return TurnRef(f"{at:%Y-%m-%dT%H%MZ}_{scope}_{settings.timeframe}", at, scope, settings)


def fetched_symbols(turn: TurnRef) -> tuple[str, ...]:
    """Return the symbols that could be fetched.

    Raises
    ------
    TurnFailed
        There is none.
    """
    work = Work(turn.folder)
    found = (work.load(f"fetch-{symbol}", Fetched) for symbol in turn.settings.symbols)
    symbols = tuple(fetched.symbol for fetched in found if fetched is not None)
    if not symbols:
        reasons = "; ".join(f.message for f in work.failures() if f.stage == "fetch")
        raise TurnFailed(
            f"{turn.turn_id}: no symbol could be fetched ({reasons}); nothing was changed, "
            "and the same command tries again"
        )
    return symbols


def _newer(store: Store, turn: TurnRef) -> tuple[str, Json] | None:
    """Return a completed turn of the same scope and timeframe that is later than this one."""
    suffix = turn.turn_id.partition("_")[2]
    for other in store.list_turns():
        same = other.turn_id.partition("_")[2] == suffix
        if same and other.turn_id > turn.turn_id and other.status in (COMPLETED, WITH_FAILURES):
            return other.turn_id, other.summary
    return None


def refuse_other_market(turn: TurnRef) -> None:
    """One ledger, one market: predictions of simulated bars must not meet real outcomes.

    Raises
    ------
    OtherMarket
        What serves was learnt on a simulated market and this one is real, or the reverse.
    """
    source, store = source_of(turn.settings), store_of(turn.settings)
    words = {True: "a simulated market", False: "real candles"}
    for kind in turn.settings.kinds:
        for model in in_service(store, turn.slot(kind)):
            if model.facts.get("simulated", source.simulated) != source.simulated:
                raise OtherMarket(
                    f"{model.slot_key} is served by {model.version}, which learnt on "
                    f"{words[not source.simulated]}, but {source.name} gives "
                    f"{words[source.simulated]}; keep each market in a home of its own: "
                    f"use another --home than {turn.settings.home}"
                )


def _refuse_taken(store: Store, turn: TurnRef) -> None:
    """Refuse a turn whose versions would take the names of folds: a version is fitted once."""
    names = version_name(turn.at, turn.settings.timeframe, BASELINE).removesuffix(BASELINE)
    for kind in turn.settings.kinds:
        for model in store.list_models(slot_key=turn.slot(kind).key):
            if model.facts.get(BACKFILL) and model.version.startswith(names):
                raise TakenMoment(
                    f"{turn.turn_id}: {model.key} is a fold of a back-fill, which a later turn was "
                    "prepared with; run the turn for a later moment, or in another home"
                )


def _refuse_other(turn: TurnRef, begun_with: Json) -> None:
    wanted = parameters(turn)
    # A parameter that there was not yet when the turn was begun is no other one.
    other = [
        f"{name}: {begun_with[name]!r} then, {wanted[name]!r} now"
        for name in wanted
        if begun_with.get(name, wanted[name]) != wanted[name]
    ]
    if other:
        raise OtherParameters(
            f"{turn.turn_id} was begun with other parameters ({'; '.join(other)}); use those, "
            "another moment, or another home"
        )
