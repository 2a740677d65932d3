"""Compiling the engine: seconds at the first use on a machine, and said so; hardly any later on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from features.engine.compiled import is_kept
from features.engine.compiler import compile_plan
from features.engine.executor import PIECE, execute, give
from features.engine.kernels.arrays import WORK_ROWS
from features.engine.layout import copy_histories
from features.engine.live import CURSOR, execute_bar
from features.inputs import c

PATIENCE = 1.5
"""Seconds after which a compile is explained."""

_COMPILED: tuple[Any, ...] = (copy_histories, execute, give, execute_bar)
_HOW_OFTEN = {True: "once on this machine", False: "as it could not be kept on disk"}
_LOST = "; set NUMBA_CACHE_DIR to a folder that can be written, and the next start is quick"


@cache
def prepare() -> None:
    """Compile the engine, or load it from numba's cache beside the installed package.

    Programs do this with their first bar. Call it earlier where that bar must not wait. If it
    takes long, standard error says why, and how long it took.
    """
    with _explained():
        plan = compile_plan([c])
        memory, wide, bar = plan.new_memory(), plan.new_wide(), np.ones((1, 6))
        work = np.empty((WORK_ROWS, PIECE))
        layout, states = plan.wide, memory[: plan.states].copy()
        copy_histories(memory, plan.narrow.first, wide, layout.first, plan.depth)
        execute(bar, plan.table, plan.alphas, layout.first, 0, wide, states, work)
        for dtype in (np.float32, np.float64):
            rows = np.empty((1, 1), dtype=dtype)
            give(wide, layout.first[plan.outputs], 0, plan.ready, rows)
        cursor, row = np.zeros(CURSOR, dtype=np.int64), np.empty(1, dtype=np.float32)
        execute_bar(bar[0], *plan.live, memory, cursor, row)


@contextmanager
def _explained() -> Iterator[None]:
    """Say on standard error what is being waited for, if it takes longer than `PATIENCE`."""
    began = time.perf_counter()
    told = threading.Event()

    def explain() -> None:
        if not any(function.stats.cache_misses for function in _COMPILED):
            return  # only loading, on a busy machine
        told.set()
        often = _HOW_OFTEN[is_kept(execute)]
        _tell(f"compiling the feature engine, {often}: about fifteen seconds ...")

    timer = threading.Timer(PATIENCE, explain)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if told.is_set():
        _tell(f"compiled in {time.perf_counter() - began:.0f} s{'' if is_kept(execute) else _LOST}")


def _tell(sentence: str) -> None:
    sys.stderr.write(f"tidewheel: {sentence}\n")
    sys.stderr.flush()
