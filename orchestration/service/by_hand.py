"""A model trained because a person asks: from words to an order, registered like a turn's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from market.symbols import parse_symbols
from market.timeframes import instant_ms, parse_timeframe, timeframe_ms
from ml_pipeline.errors import RecipeError
from ml_pipeline.recipes import kind_of
from models.common.errors import BadName
from models.common.registry import parse_kind
from models.common.slot import Slot
from orchestration.lifecycle import promotion, training
from orchestration.lifecycle.enrol import enrol, enrol_baseline, lacks_baseline
from orchestration.lifecycle.errors import Unproven
from orchestration.lifecycle.promotion import By, Moved
from orchestration.lifecycle.rivalry import against_champion
from orchestration.lifecycle.training import Order, train_by_hand
from orchestration.service.listing import find_slot, list_versions
from orchestration.service.resources import places_of
from orchestration.settings import Settings

Json = dict[str, Any]
STAGES = (*training.STAGES, "register")


def order(
    settings: Settings,
    symbols: str,
    kind: str,
    *,
    timeframe: str | None = None,
    start: str | None = None,
    end: str | None = None,
    recipe: str | None = None,
    lookback_bars: int | None = None,
    epochs: int | None = None,
    tune_seconds: float = 0,
) -> Order:
    """Return what is asked for in words.

    Parameters
    ----------
    kind
        A kind, its predictor's name, or a seed's type such as ``neural_net``.
    start, end
        Days such as ``2023-01-01`` (midnight in UTC), or times with a zone.

    Raises
    ------
    ValueError
        A word that cannot be read, as its own kind of error.
    """
    length = parse_timeframe(timeframe or settings.timeframe)
    step = timeframe_ms(length)
    if start is not None and lookback_bars is not None:
        raise RecipeError("--start-date and --lookback-bars both say where to begin; give one")
    return Order(
        kind=_kind(kind),
        symbols=parse_symbols(symbols),
        timeframe=length,
        end_ms=(instant_ms(datetime.now(UTC)) if end is None else day(end)) // step * step,
        start_ms=None if start is None else -(-day(start) // step) * step,
        recipe=recipe,
        lookback_bars=lookback_bars,
        changes={} if epochs is None else {"epochs": epochs},
        tune_seconds=tune_seconds,
    )


def day(text: str) -> int:
    """Return a day (its midnight in UTC) or a time with a zone as epoch milliseconds."""
    return instant_ms(f"{text}T00:00:00Z" if len(text) == len("2023-01-01") else text)


def _kind(word: str) -> str:
    try:
        return parse_kind(word)
    except BadName:
        return kind_of(word)


def train(settings: Settings, asked: Order, tell: Callable[[str], None]) -> Json:
    """Train, judge, write and register a model; nothing is promoted.

    In a slot without a baseline its own is registered too, so that there is a way back.

    Returns
    -------
    dict
        ``key``, ``slot``, ``version``, ``folder``, ``run_id``, ``simulated``, ``figures`` (of its
        holdout, beside its baseline), ``proven``, ``sentence`` and ``champion`` (how it did beside
        the champion: `orchestration.lifecycle.rivalry.against_champion`).
    """
    places = places_of(settings)
    # A slot needs something to fall back on: where no turn has left a baseline, this one is kept.
    lacking = lacks_baseline(asked.slot, places)
    bundles = train_by_hand(settings, asked, settings.home, tell, with_baseline=lacking)
    tell("register")
    bundle = bundles[0]
    run_id = enrol(bundle, places)
    for naive in bundles[1:]:
        enrol_baseline(naive, places)
    figures = bundle.metrics
    return {
        "key": bundle.key,
        "slot": bundle.slot.key,
        "version": bundle.version_id,
        "folder": str(bundle.folder),
        "run_id": run_id,
        "simulated": bool(bundle.metadata["simulated"]),
        "figures": figures,
        "proven": figures["lower"] > 0,
        "sentence": _sentence(figures),
        "champion": against_champion(bundle, settings, places.registry),
    }


def _sentence(figures: Json) -> str:
    word = "beats its baseline" if figures["lower"] > 0 else "not proven to beat its baseline"
    return (
        f"{word}: skill {figures['skill']:+.2%}, 95 % interval {figures['lower']:+.2%} to "
        f"{figures['upper']:+.2%}, on {figures['n']:,} bars it has not seen, {figures['since']} to "
        f"{figures['until']}"
    )


def promote(settings: Settings, trained: Json, by: By) -> Moved:
    """Let what was just trained serve; as `orchestration.lifecycle.promotion.promote`.

    Raises
    ------
    Unproven
        It is not proven to beat its baseline, or provably worse than what serves; nobody insists.
    """
    slot, rival = Slot.parse(trained["slot"]), trained["champion"]
    if rival["worse"] and not by.force:
        raise Unproven(
            f"{trained['version']} is not promoted: {rival['sentence']}; --force promotes it all "
            "the same"
        )
    return promotion.promote(slot, trained["version"], places_of(settings), by)


def slot_of(settings: Settings, symbol: str, kind: str, timeframe: str | None) -> Slot:
    """Return the slot that serves a symbol."""
    rows = list_versions(settings)
    return find_slot(rows, symbol, kind, timeframe, usual=settings.timeframe)
