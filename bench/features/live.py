"""One closed bar: pushed, or a window computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from bench.features.batch import Row
from bench.features.clock import Steps, step_by_step
from bench.features.contestants import (
    Contestant,
    arrays,
    for_indicators,
    for_moving,
    missing,
    plain,
)
from bench.features.market import bare, pushable
from bench.features.sets import INDICATORS, MOVING, SEEDS
from bench.features.streams import Streams
from features.catalogue import FEATURES
from features.model_set import MODEL_SET
from features.program import FeatureProgram

Step = Callable[[int], Any]


def measure(candles: pd.DataFrame, quick: bool) -> list[Row]:
    """Return the times of single bars of every set, ours first in each."""
    pushes, windows = (2_000, 100) if quick else (10_000, 300)
    rows: list[Row] = []
    sets: list[tuple[str, tuple[str, ...], Iterable[Contestant]]] = [
        ("all", tuple(FEATURES), ()),
        ("model set", MODEL_SET, ()),
        ("seed names", SEEDS, [plain(SEEDS)]),
        ("indicators", INDICATORS, _others(for_indicators())),
        ("mean, deviation, minimum, maximum", MOVING, _others(for_moving())),
    ]
    for label, names, others in sets:
        program = FeatureProgram(names)
        window = program.settle + 1
        works: dict[str, Step] = {"Tidewheel, push": _push(program, candles)}
        if names is INDICATORS and "talib" not in missing():
            works["TA-Lib, its stream handles"] = _streams(candles)
        for other in others:
            works[f"{other.name}, last {window:,} bars"] = _again(other, candles, window)
        steps = {name: windows if "last" in name else pushes for name in works}
        times = step_by_step(works, steps)
        rows += [_row(label, name, names, times, "Tidewheel, push") for name in works]
    return rows


def _others(everyone: Iterable[Contestant]) -> list[Contestant]:
    return [contestant for contestant in everyone if not contestant.name.startswith("Tidewheel")]


def _push(program: FeatureProgram, candles: pd.DataFrame) -> Step:
    """Return the step that pushes bar after bar into a settled program."""
    settled = program.settle + 1
    program.replay(candles.iloc[:settled])
    bars = pushable(candles.iloc[settled:], program.inputs)
    return lambda i: program.push(bars[i])


def _streams(candles: pd.DataFrame) -> Step:
    start = 5_000
    streams = Streams(arrays(candles.iloc[:start]))
    bars = pushable(candles.iloc[start:], ())
    return lambda i: streams.push(bars[i])


def _again(other: Contestant, candles: pd.DataFrame, window: int) -> Step:
    """Return the step that computes a window up to a bar and keeps the last row.

    Cutting the window out is part of it, bringing candles into the library's form is not.
    """
    given = bare(candles)
    frames = other.prepare(given)
    is_arrays = isinstance(frames, tuple)

    def step(i: int) -> Any:
        end = window + i
        if is_arrays:
            part: Any = tuple(array[i:end] for array in frames)
        elif isinstance(frames, pd.DataFrame):
            part = frames.iloc[i:end]
        else:
            part = frames.slice(i, window)
        columns = other.compute(part)
        return [column[len(column) - 1] for column in map(_positional, columns.values())]

    return step


def _positional(column: Any) -> Any:
    return column.array if isinstance(column, pd.Series) else column


def _row(label: str, name: str, names: tuple[str, ...], times: dict[str, Steps], first: str) -> Row:
    own = times[name]
    return {
        "set": label,
        "what": name,
        "columns": len(names),
        "p50_us": own.p50 * 1e6,
        "p99_us": own.p99 * 1e6,
        "cpu_us": own.cpu * 1e6,
        "times_ours": own.p50 / times[first].p50,
        "bars": own.steps,
    }
