"""The first use on a machine: it compiles, says so, and the next process need not."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

from features.engine.kernels import sources

ROOT = Path(__file__).parents[2]
PUSH = """
from features.program import FeatureProgram
print(FeatureProgram(["close"]).push((1_700_000_000_000, 2.0, 2.0, 2.0, 2.0, 1.0))[0])
"""


def pushed(cache: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)} | more
    return subprocess.run(
        [sys.executable, "-c", PUSH],
        cwd=cache, env=environment, capture_output=True, text=True, check=True, timeout=200,
    )  # fmt: skip


def compiled(cache: Path) -> dict[Path, int]:
    """Return when each file of machine code was written."""
    return {file: file.stat().st_mtime_ns for file in cache.rglob("*.nbc")}


def test_the_first_compile_says_what_it_is_and_the_next_process_does_without(tmp_path) -> None:
    first = pushed(tmp_path)
    assert "compiling the feature engine, once on this machine" in first.stderr
    assert "compiled in" in first.stderr
    kept = compiled(tmp_path)
    assert kept
    assert pushed(tmp_path).stdout == first.stdout == "2.0\n"
    assert compiled(tmp_path) == kept


def test_where_nothing_can_be_kept_it_compiles_all_the_same(tmp_path) -> None:
    """As in a container whose files are read-only."""
    nowhere = {"NUMBA_CACHE_DIR": os.devnull + "/cache"}
    told = pushed(tmp_path, **nowhere, NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert told.stdout == "2.0\n"
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in told.stderr
    assert "once on this machine" not in told.stderr


def test_a_change_of_any_kernel_makes_what_is_kept_stale(monkeypatch) -> None:
    """Numba's cache looks at one file; a kernel that is not counted would run as it was."""
    folder = ROOT / "features" / "engine" / "kernels"
    kernels = {
        f"features.engine.kernels.{f.stem}" for f in folder.glob("*.py") if "@njit" in f.read_text()
    }
    before, changed = sources.digest(), set()
    for name in (*kernels, "features.engine.compiled"):
        text = SimpleNamespace(getsource=partial(_source, name))
        monkeypatch.setattr(sources, "inspect", text)
        changed.add(sources.digest())
    assert before not in changed
    assert len(changed) == len(kernels) + 1 > 5


def _source(changed: str, module: ModuleType) -> str:
    return inspect.getsource(module) + "# changed" * (module.__name__ == changed)
