"""The turn: fetch, learn, judge, decide, report; every twelve hours, or when asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows import artifacts
from flows.late import scheduled_for, turn_since
from flows.lock import one_turn
from flows.parameters import Days, Kinds, Now, Recipes, Seed, Source, Symbols, Timeframe
from flows.recovery import alive
from flows.runners import task_runner
from flows.turn import Turn, nothing_to_do, worth_another_try
from orchestration.service import steps
from orchestration.service.refs import TurnRef
from orchestration.service.turn import CHAIN, WATCH
from orchestration.settings import Settings, load_settings

Json = dict[str, Any]
# The flows' docstrings are in Google's form: from it the Prefect UI takes what it says about each
# parameter.


@task(
    task_run_name="fetch {symbol}",
    cache_policy=NO_CACHE,
    retry_delay_seconds=[5, 20],
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_another_try,
)
def fetch(turn: TurnRef, symbol: str) -> Any:
    """Bring a symbol's candles up to the turn: the only step that needs a network."""
    return steps.fetch(turn, symbol)


@task(task_run_name="dataset", cache_policy=NO_CACHE)
def dataset(turn: TurnRef) -> Any:
    """Compute features and labels of all symbols into one panel on disk."""
    return steps.dataset(turn)


@task(task_run_name="ledger {kind}", cache_policy=NO_CACHE)
def ledger(turn: TurnRef, kind: str) -> Any:
    """Write the predictions of the models in service, and the outcomes that are now known."""
    return steps.ledger(turn, kind)


@task(task_run_name="drift {kind}", cache_policy=NO_CACHE)
def drift(turn: TurnRef, kind: str) -> Any:
    """Check the champion against what really happened."""
    return steps.drift(turn, kind)


@task(task_run_name="drift pooled", cache_policy=NO_CACHE)
def drift_pooled(turn: TurnRef) -> Any:
    """Check all champions together against what really happened."""
    return steps.drift_pooled(turn)


@task(task_run_name="fit {kind}", cache_policy=NO_CACHE)
def fit(turn: TurnRef, kind: str) -> Any:
    """Fit the baseline and each recipe of a kind, on one thread."""
    return steps.fit(turn, kind)


@task(
    task_run_name="back-fill {kind}",
    cache_policy=NO_CACHE,
    retry_delay_seconds=[5, 20],
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_another_try,
)
def back_fill(turn: TurnRef, kind: str) -> Any:
    """Predict the days before a ledger began by fits that knew nothing of them."""
    return steps.back_fill(turn, kind)


@task(task_run_name="judge {kind}", cache_policy=NO_CACHE)
def judge(turn: TurnRef, kind: str) -> Any:
    """Open the holdout once: candidates and champion, paired, against the baseline."""
    return steps.judge(turn, kind)


@task(task_run_name="publish {kind}", cache_policy=NO_CACHE)
def publish(turn: TurnRef, kind: str) -> Any:
    """Put the bundles into the models folder, their runs and pictures into MLflow."""
    return steps.publish(turn, kind)


@task(task_run_name="decide {kind}", cache_policy=NO_CACHE)
def decide(turn: TurnRef, kind: str) -> Any:
    """Promote, refresh, keep or roll back, and say why."""
    return steps.decide(turn, kind)


@task(task_run_name="serve {kind}", cache_policy=NO_CACHE)
def serve(turn: TurnRef, kind: str) -> Any:
    """Write the first predictions of versions that came into service."""
    return steps.serve(turn, kind)


@task(task_run_name="ensembles", cache_policy=NO_CACHE)
def ensembles(turn: TurnRef) -> Any:
    """Blend proven models, and keep the blend only where it holds its own."""
    return steps.ensembles(turn)


@flow(
    name="cycle",
    flow_run_name=artifacts.run_name,
    task_runner=task_runner(load_settings()),
    persist_result=False,
)
def cycle(
    symbols: Symbols = None,
    kinds: Kinds = None,
    recipes: Recipes = None,
    timeframe: Timeframe = None,
    days: Days = None,
    source: Source = None,
    seed: Seed = None,
    now: Now = None,
) -> State[Json]:
    """Run one turn, from candles to champions.

    What is left out comes from the settings (tidewheel.toml, TIDEWHEEL_*).

    Args:
        symbols: Trading pairs such as BTC-USDT, learnt together as one scope.
        kinds: Which models to train and judge.
        recipes: Which recipes compete: default, all, or names such as direction/logistic.
        timeframe: Bar length, such as 1m or 5m.
        days: History to work on, in days.
        source: Where candles come from (simulated, files:<folder>, exchange:<id>).
        seed: Seed of every random draw.
        now: The moment of the turn, with its zone; the clock's if left out.
    """
    settings = load_settings(
        symbols=symbols,
        kinds=kinds,
        recipes=recipes,
        timeframe=timeframe,
        days=days,
        source=source,
        seed=seed,
    )
    with alive(settings.prefect_dir, str(flow_run.get_id())), one_turn(settings):
        scheduled = scheduled_for()
        if scheduled and (turn := turn_since(settings, scheduled)):
            return nothing_to_do(f"{turn.turn_id} did the work of this late run", turn.summary)
        return turn_of(settings, now or datetime.now(UTC))


_STEPS = {task.name: task for task in (ledger, drift, judge, publish, decide, serve)}


def turn_of(settings: Settings, now: datetime) -> State[Json]:
    """Take every step of the turn at `now`, inside a flow run; one failure is one failure."""
    begun = steps.begin(settings, now)
    if begun.idle:
        return nothing_to_do(begun.sentence, begun.summary)
    turn = Turn(begun, settings)
    patient = fetch.with_options(retries=settings.fetch_retries)
    for _ in turn.collect(patient, turn.spread(patient, settings.symbols)):
        pass
    turn.must(dataset)
    fits = turn.spread(fit, [kind for kind in steps.LONGEST_FIRST if kind in settings.kinds])
    for kind in settings.kinds:
        turn.chain(kind, *(_STEPS[name] for name in WATCH))
    turn.last(drift_pooled)
    filling = back_fill.with_options(retries=settings.fetch_retries)
    for kind in turn.collect(fit, fits):
        if settings.backfill_days:
            turn.chain(kind, filling)
        turn.chain(kind, *(_STEPS[name] for name in CHAIN))
    turn.last(ensembles)
    return turn.finish()
