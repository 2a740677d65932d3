"""A strategy's backtest as the service runs it: which bars, which models, how often it was tried.

The engine plays bars; what makes its figures worth reading is decided here. No model is asked about
bars that it has learnt from. Every idea that was tried on a market is counted, and the deflated
Sharpe ratio knows the count. And with a replay the models are what they really were: bar by bar
the answer of the champion of that moment, so that the figures are those of the whole process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import numpy as np

from market.symbols import parse_symbols
from market.timeframes import parse_timeframe, timeframe_ms, utc
from models.common.base_model import BaseModel
from models.common.opening import Opening, opening
from orchestration.service.backtests.choosing import Chosen, chosen
from orchestration.service.backtests.days import Days, asked_days, candles_for, unseen
from orchestration.service.backtests.in_front import Tell, in_front
from orchestration.service.backtests.walked import Walked, span, walked
from orchestration.service.errors import BadBacktest
from orchestration.service.refs import Json
from orchestration.service.resources import source_of, store_of
from orchestration.service.served import Clock
from orchestration.settings import Settings
from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy
from strategies.costs import Costs
from strategies.result import BacktestResult
from strategies.run import Run
from strategies.significance import TrackRecord


@dataclass(frozen=True)
class Asked:
    """What a person asks of a backtest.

    Attributes
    ----------
    strategy, parameters
        As `orchestration.service.backtests.choosing.chosen` takes them.
    first, end
        Days; by default those of the replay, or the last of the settings.
    cash, costs
        What the account begins with and pays.
    features
        Computed bar by bar as live, or once for the whole history: the same numbers.
    replay
        Whose served answers are the models.
    symbols
        Some of the replay's; by default all.
    source, timeframe
        Only to be refused where they are not the replay's.
    """

    strategy: str
    parameters: tuple[str, ...] = ()
    first: str | None = None
    end: str | None = None
    cash: float = 10_000.0
    costs: Costs = field(default_factory=Costs)
    features: Literal["push", "once"] = "push"
    replay: str | None = None
    symbols: str | None = None
    source: str | None = None
    timeframe: str | None = None


@dataclass(frozen=True)
class Backtested:
    """A result, and what was decided around it: models, trials, what was served."""

    result: BacktestResult
    told: Json

    def to_dict(self) -> Json:
        """Return all of it as JSON can hold it."""
        return {**self.result.to_dict(), **self.told}


def backtest(
    settings: Settings, asked: Asked, now: datetime, tell: Tell = lambda done, total: None
) -> Backtested:
    """Run a strategy over candles and say what it would have earned, net of costs.

    Parameters
    ----------
    settings
        Of the home whose models answer and in which trials are counted.
    asked
        Strategy, days and terms.
    now
        What the days end with where neither a day nor a replay says it.
    tell
        Called while bars are played.

    Raises
    ------
    BadStrategy, BadReplay, BadBacktest
        What was asked for cannot be; the message says why, and what can.
    ModelError
        The strategy asks for a model that is not there, or that no replay served.
    MarketError
        The candles cannot be had.
    StrategyFailed, BadSignal
        The strategy failed; the message names bar and symbol.
    """
    idea = chosen(asked.strategy, asked.parameters)
    walk = None if asked.replay is None else walked(settings, asked.replay)
    own = settings if walk is None else _within(walk, asked)
    wanted = asked_days(own, asked.first, asked.end, now, walk)
    clock = walk.clock if walk else Clock()
    with opening(Opening(settings.home, walk.model if walk else None)) as models:
        while True:
            strategy = idea.made()
            days = unseen(wanted, models.opened)
            run = _played(strategy, asked, own, days, models.opened, clock, tell)
            if unseen(wanted, models.opened) == days:
                break  # else it opened models while it ran, which have learnt from these days
    return _told(settings, own, idea, asked, run, days, models.opened, walk)


def _played(
    strategy: BaseStrategy,
    asked: Asked,
    settings: Settings,
    days: Days,
    models: Mapping[str, BaseModel],
    clock: Clock,
    tell: Tell,
) -> Run:
    """Play the days to a strategy; bars before them are only shown."""
    candles = candles_for(settings, settings.symbols, days, models.values())
    begin = utc(days.first_ms + timeframe_ms(settings.timeframe))  # close of the first bar
    total = sum(int((frame.index >= utc(days.first_ms)).sum()) for frame in candles.values())
    engine = BacktestEngine(
        strategy,
        asked.cash,
        costs=asked.costs,
        timeframe=settings.timeframe,
        seed=settings.seed,
        features=asked.features,
    )
    with in_front(strategy, clock, total, tell):
        return engine.account(candles, start=begin)


def _within(walk: Walked, asked: Asked) -> Settings:
    """Return the settings of a replay, of some of its symbols."""
    for name, given in (("source", asked.source), ("timeframe", asked.timeframe)):
        there = getattr(walk.settings, name)
        known = parse_timeframe(given) if given and name == "timeframe" else given
        if known not in (None, there):
            raise BadBacktest(
                f"the {name} of the replay {walk.name} is {there}, not {given}; leave it out"
            )
    if asked.symbols is None:
        return walk.market
    wanted = parse_symbols(asked.symbols)
    strange = [symbol for symbol in wanted if symbol not in walk.settings.symbols]
    if strange:
        raise BadBacktest(
            f"the replay {walk.name} served {', '.join(walk.settings.symbols)} and not "
            f"{', '.join(strange)}"
        )
    return walk.market.model_copy(update={"symbols": wanted})


# ---------------------------------------------------------------- what is told


def _told(
    settings: Settings,
    own: Settings,
    idea: Chosen,
    asked: Asked,
    run: Run,
    days: Days,
    models: Mapping[str, BaseModel],
    walk: Walked | None,
) -> Backtested:
    facts = idea.facts() | {"symbols": sorted(own.symbols), "timeframe": own.timeframe}
    if walk is not None:
        facts["replay"] = walk.name
    market, store = source_of(own).name, store_of(settings)
    trial = store.add_trial(market, idea.name, facts, _figures(run, asked))
    trials = len(store.list_trials(market))
    notes = [*days.notes, *_served(walk, run)]
    result = BacktestResult.of(run, trials=trials, seed=settings.seed)
    told = {
        "trial": {"key": trial.key, "runs": trial.runs, "of": trials, "market": market},
        "models": {name: _model(model) for name, model in models.items()},
        "replay": None if walk is None else walk.name,
        "served": [] if walk is None else walk.told(),
        "parameters": facts["parameters"],
    }
    return Backtested(replace(result, notes=tuple(notes)), told)


def _figures(run: Run, asked: Asked) -> Json:
    """Return what the store keeps of how an idea did."""
    record = TrackRecord.of(run.returns.to_numpy(np.float64))
    end = float(run.equity.iloc[-1])
    return {
        "sharpe_a_bar": record.sharpe,
        "bars": record.bars,
        "total_return": end / run.initial_cash - 1,
        "trades": len(run.closed_trades),
        "from": run.equity.index[0],
        "to": run.equity.index[-1],
        "costs": asked.costs.to_dict(),
    }


def _served(walk: Walked | None, run: Run) -> list[str]:
    """Return what a walk-forward backtest rests on, in sentences."""
    if walk is None:
        return []
    said = [
        f"Walk-forward: each answer is what the champion of that moment said in the replay "
        f"{walk.name} ({span(walk)}); {run.unanswered:,} of {run.bars:,} bars had none."
    ]
    for slot in walk.told():
        answered = sum(slot["answered_by"].values())
        by = ", ".join(f"{name} {n:,}" for name, n in slot["answered_by"].items()) or "nobody"
        said.append(
            f"{slot['slot']} was asked {slot['asked']:,} times and answered {answered:,}: {by}."
        )
        if answered and slot["baseline"] == answered:
            said.append(f"{slot['slot']} was served by its baseline alone: a model without skill.")
    return said


def _model(model: BaseModel) -> Json:
    info = model.info
    names = ("version_name", "kind", "scope", "timeframe", "trained_through", "type", "recipe")
    return {name: info[name] for name in names if name in info}
