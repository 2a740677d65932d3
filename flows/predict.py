"""Every quarter of an hour, or when asked: what is in service predicts the bars that closed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows import artifacts
from flows.parameters import Kinds, Now, Source, Symbols, Timeframe
from flows.recovery import alive
from orchestration.service import predicting
from orchestration.settings import Settings, load_settings

Json = dict[str, Any]


@task(task_run_name="predict", cache_policy=NO_CACHE)
def look(settings: Settings, now: datetime) -> Json:
    """Bring candles up to date, predict with what is in service, settle outcomes."""
    return predicting.predict(settings, now)


@flow(name="predict", flow_run_name=artifacts.run_name, persist_result=False)
def predict(
    symbols: Symbols = None,
    kinds: Kinds = None,
    timeframe: Timeframe = None,
    source: Source = None,
    now: Now = None,
) -> State[Json]:
    """Record what the models in service say about new bars, and what came of earlier ones.

    Nothing is learnt and nothing promoted; a run that was missed is made good by the next one.
    While a turn runs there is nothing to do: the turn does the same.

    Args:
        symbols: Trading pairs such as BTC-USDT, which together name the scope.
        kinds: Which slots predict.
        timeframe: Bar length, such as 1m or 5m.
        source: Where candles come from (simulated, files:<folder>, exchange:<id>).
        now: The moment, with its zone; the clock's if left out.
    """
    settings = load_settings(symbols=symbols, kinds=kinds, timeframe=timeframe, source=source)
    with alive(settings.prefect_dir, str(flow_run.get_id())):
        return end_of(look(settings, now or datetime.now(UTC)))


def end_of(found: Json) -> State[Json]:
    """Show what was found in the UI, and name the end of the flow by it."""
    if not found["slots"]:
        return Completed(name="Nothing to do", message=found["sentence"], data=found)
    rows = [
        {name: row[name] for name in ("slot", "versions", "predictions", "outcomes")}
        for row in found["slots"]
    ]
    market = "**simulated market**" if found["simulated"] else found["source_name"]
    watched = (found["watch"] or {}).get("sentence", "")
    said = f"{found['at']} · {market}\n\n{found['sentence']}\n\n{watched}".rstrip()
    create_table_artifact(rows, key="predictions", description=said)
    if found["failures"]:
        failed = [f"{f['stage']} {f['subject']}: {f['message']}" for f in found["failures"]]
        return Completed(name="Completed with failures", message=" | ".join(failed), data=found)
    return Completed(message=found["sentence"], data=found)
