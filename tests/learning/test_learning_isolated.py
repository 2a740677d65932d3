"""A runaway fit is killed, the next one runs, and a child's fit is the same as one's own."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml_pipeline.errors import FitCrashed, FitError, FitTimeout
from ml_pipeline.fit import fit
from ml_pipeline.isolated import run_beside, run_isolated
from ml_pipeline.recipes import RECIPES
from ml_pipeline.workplace import in_child
from tests.learning.jobs import do
from tests.learning.planted import planted_panel, split_of

ROOT = Path(__file__).parents[2]


def test_a_runaway_call_is_killed_and_the_next_one_runs() -> None:
    child = run_isolated(os.getpid, timeout_s=60)
    assert child != os.getpid()
    began = time.monotonic()
    with pytest.raises(FitTimeout, match=r"sleep had not ended after 0\.5 s"):
        run_isolated(time.sleep, 600, timeout_s=0.5)
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert run_isolated(math.sqrt, 9.0, timeout_s=60) == 3.0


def test_a_native_loop_is_killed_too() -> None:
    # One call of C code that never looks at signals: what an SVM or a booster is.
    with pytest.raises(FitTimeout):
        run_isolated(pow, 3, 10**9, timeout_s=0.5)


def test_the_child_stays_warm() -> None:
    first = run_isolated(os.getpid, timeout_s=60)
    assert run_isolated(os.getpid, timeout_s=60) == first


def test_a_child_that_dies_is_reported_and_replaced() -> None:
    with pytest.raises(FitCrashed, match="_exit"):
        run_isolated(os._exit, 3, timeout_s=60)
    assert run_isolated(math.sqrt, 4.0, timeout_s=60) == 2.0


PARENT = """
import os, time
from ml_pipeline.isolated import run_beside, run_isolated
print(run_isolated(os.getpid, timeout_s=60), flush=True)
run_isolated(time.sleep, 600, timeout_s=900)
"""


def test_the_child_ends_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert _runs(child)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="math domain error"):
        run_isolated(math.sqrt, -1.0, timeout_s=60)


def test_callers_in_threads_take_turns_and_waiting_does_not_count() -> None:
    run_isolated(math.sqrt, 1.0, timeout_s=60)
    with ThreadPoolExecutor(3) as pool:
        naps = [pool.submit(run_isolated, time.sleep, 0.5, timeout_s=1.2) for _ in range(3)]
        assert [nap.result() for nap in naps] == [None, None, None]


def test_a_fit_in_the_child_has_the_same_bytes(tmp_path: Path) -> None:
    panel = planted_panel(1.0)
    recipe, split = RECIPES["price"][0], split_of(panel, "price")
    folder = panel.save(tmp_path / "panel")
    there = in_child(folder, split, 5, timeout_s=120)(fit, recipe)
    assert there.onnx == fit(recipe, panel, split, 5).onnx


def test_jobs_run_beside_each_other_and_those_that_end_badly_leave_the_others_alone() -> None:
    jobs: list[tuple[object, ...]] = [("sleep", 600), ("fail",), ("exit",), ("odd",), ("", 3.0)]
    began = time.monotonic()
    found = dict(run_beside(do, jobs, workers=2, timeout_s=2.0))
    assert time.monotonic() - began < 60
    assert found.pop(4) == 9.0
    assert [type(found[i]) for i in range(4)] == [FitTimeout, FitError, FitCrashed, ValueError]
    assert "too few" in str(found[1])


def test_an_iteration_that_is_broken_off_ends_at_once() -> None:
    answers = run_beside(do, [("", 2.0), ("sleep", 600), ("sleep", 600)], workers=2, timeout_s=900)
    assert next(answers) == (0, 4.0)
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 30
    assert dict(run_beside(do, [("", 3.0)], workers=2, timeout_s=60)) == {0: 9.0}


BESIDE = """
import tests.learning.test_learning_isolated as t
jobs = [("pid", 0.1)] * 2 + [("sleep", 600)] * 4
for place, answer in t.run_beside(t.do, jobs, workers=2, timeout_s=900):
    print(answer, flush=True)
"""


def test_ctrl_c_ends_the_parent_and_what_its_children_do() -> None:
    """A terminal sends it to all of them; the children leave the answer to their parent."""
    parent = subprocess.Popen(
        [sys.executable, "-c", BESIDE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert parent.stdout is not None
    children = {int(parent.stdout.readline()) for _ in range(2)}
    time.sleep(1.0)
    for child in children:  # alone they do not mind
        os.kill(child, signal.SIGINT)
    time.sleep(1.0)
    assert all(map(_runs, children))
    os.killpg(parent.pid, signal.SIGINT)
    _, said = parent.communicate(timeout=30)
    assert said.count("KeyboardInterrupt") == 1
    assert not any(map(_runs, children))


def test_children_beside_each_other_stay_warm() -> None:
    def pids(count: int) -> set[int]:
        jobs = [("pid", 0.3)] * 4
        return set(dict(run_beside(do, jobs, workers=count, timeout_s=60)).values())  # type: ignore[arg-type]

    assert len(pids(2)) == 2
    assert pids(1) < pids(2)
    assert not list(run_beside(do, [], workers=1, timeout_s=60))
