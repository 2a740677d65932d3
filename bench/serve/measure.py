"""All figures of one run."""

from __future__ import annotations

import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import cold_load
from bench.serve.clock import lap, percentiles, race
from bench.serve.freqai import freqai
from bench.serve.team import Team, natives
from features.bars import bar_table
from features.program import FeatureProgram
from ml_pipeline.novelty import fit_novelty
from ml_pipeline.onnx_graph import Graph
from models.common.slot import KINDS

BATCH = 10_000
PAUSED = 100


def measure(team: Team, bars: int, freqtrade: str) -> dict[str, Any]:
    """Return every figure by name."""
    history, live = team.candles.iloc[: -bars - 1], team.candles.iloc[-bars - 1 :]
    program = FeatureProgram(team.columns)
    program.replay(history)
    models = {kind: team.model(kind) for kind in KINDS}
    bound = [model.bind(program) for model in models.values()]
    ours, rows = _closed_bars(program.fork(), bound, live)
    places = {k: [team.columns.index(n) for n in m.features] for k, m in models.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contestants = {
            "bound models": lambda row: [one.predict(row, 100.0) for one in bound],
            "`predict`, an array": lambda row: [
                m.predict(row[places[k]], close=100.0) for k, m in models.items()
            ],
            **_frames(team, models, rows),
            **_natives(team, rows),
            **_pyfunc(team, places),
        }
        raced = race(contestants, rows)
    return {
        "bars": bars,
        "columns": len(team.columns),
        "closed bar": ours,
        "raced": raced,
        "each": {
            k: race({k: lambda row, b=b: b.predict(row, 100.0)}, rows)[k]
            for k, b in zip(KINDS, bound, strict=True)
        },
        "batch": _batch(team, models),
        "cold": {
            form: cold_load.measure(str(team.home), "direction", form, 5)
            for form in ("pandas", "arrays")
        },
        "novelty": _novelty(team),
        "freqai": freqai(team, rows, freqtrade),
    }


def _closed_bars(program: FeatureProgram, bound: list[Any], live: pd.DataFrame) -> Any:
    """Push each bar and ask all models: p50, p99 of both and of the push alone; and the rows."""
    names = ["open", "high", "low", "close", "volume"]
    table = live[names].to_numpy(np.float64).tolist()
    times = bar_table(live, ())[:, 0].astype(np.int64).tolist()
    bars = [
        dict(zip(names, v, strict=True), timestamp=t) for v, t in zip(table, times, strict=True)
    ]
    rows: list[Any] = []
    begun = program.fork()

    def push(bar: Any) -> Any:
        rows.append(program.push(bar))
        return rows[-1]

    def all_of_it(bar: Any) -> None:
        row, close = begun.push(bar), bar["close"]
        for one in bound:
            one.predict(row, close)

    calls = {"push": push, "push and five predictions": all_of_it}
    seconds = {name: [_once(call, bar) for bar in bars[:-PAUSED]] for name, call in calls.items()}
    for bar in bars[-PAUSED:]:
        push(bar)
        time.sleep(0.02)
        seconds.setdefault("the same, after a pause of 20 ms", []).append(_once(all_of_it, bar))
    return {name: percentiles(laps[20:]) for name, laps in seconds.items()}, rows


def _once(call: Callable[[Any], Any], bar: Any) -> float:
    begin = time.perf_counter()
    call(bar)
    return time.perf_counter() - begin


def _frames(team: Team, models: dict[str, Any], rows: list[Any]) -> dict[str, Any]:
    table = pd.DataFrame(np.stack(rows), columns=list(team.columns))
    tables = {kind: table[model.features] for kind, model in models.items()}
    dicts = {id(row): dict(zip(team.columns, row.tolist(), strict=True)) for row in rows}
    return {
        "`predict`, `frame.iloc[-1:]`": lambda row: [
            m.predict(tables[k].iloc[-1:], close=100.0) for k, m in models.items()
        ],
        "`predict`, a dict": lambda row: [
            m.predict(dicts[id(row)], close=100.0) for m in models.values()
        ],
    }


def _natives(team: Team, rows: list[Any]) -> dict[str, Any]:
    known = natives(team)
    places = {k: [team.columns.index(n) for n in one.names] for k, one in known.items()}
    table = pd.DataFrame(np.stack(rows), columns=list(team.columns))
    frames = {k: table[list(one.names)] for k, one in known.items()}

    def on_arrays(row: Any) -> None:
        for kind, one in known.items():
            one.on_array(row[places[kind]][None])

    def on_frames(row: Any) -> None:
        for kind, one in known.items():
            if one.on_frame is None:
                one.on_array(frames[kind].iloc[-1:].to_numpy())
            else:
                one.on_frame(frames[kind].iloc[-1:])

    return {"the libraries, arrays": on_arrays, "the libraries, frames": on_frames}


def _pyfunc(team: Team, places: dict[str, list[int]]) -> dict[str, Any]:
    import mlflow.pyfunc

    from orchestration.tracking.packing import pack

    loaded = {}
    for kind in KINDS:
        folder = Path(tempfile.mkdtemp(dir=team.home))
        bundle = team.model(kind).bundle
        pack(bundle, folder, run_id="0" * 32, model_id="m-" + "0" * 32, location="model")
        loaded[kind] = mlflow.pyfunc.load_model(str(folder))
    return {
        "MLflow pyfunc": lambda row: [
            one.predict({"features": row[places[k]][None]}) for k, one in loaded.items()
        ]
    }


def _batch(team: Team, models: dict[str, Any]) -> dict[str, float]:
    found = {}
    for kind, model in models.items():
        X = np.ascontiguousarray(team.panel.columns(tuple(model.features))[:BATCH])
        found[kind] = len(X) / lap(lambda X=X, m=model: m.predict(X, close=np.ones(len(X))), 5)
    return found


def _novelty(team: Team) -> dict[str, float]:
    """Return what novelty costs: memory of a fit on 36,000 rows, µs of its part of a graph."""
    from ml_pipeline.export import session

    columns = team.recipes["direction"].columns("1m")
    X = team.panel.columns(columns)[:46_000]
    tracemalloc.start()
    yardstick = fit_novelty(X[:36_000], X[36_000:])
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    graph = Graph(columns)
    made = graph.to_bytes(yardstick.nodes(graph), 1)
    opened = session(made)
    row = np.ascontiguousarray(X[-1:])
    alone = lap(lambda: opened.run(["output"], {"features": row}), 2000) * 1e6
    many = lap(lambda: opened.run(["output"], {"features": X[:BATCH]}), 5) / BATCH * 1e6
    return {"fit_mb": peak, "kb": len(made) / 1e3, "row_us": alone, "batch_us": many}
