"""The same rows, recipe and seed give the same bytes: in threads, processes, beside others."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml_pipeline.fit import fit
from ml_pipeline.recipes import Recipe
from ml_pipeline.workplace import in_child
from tests.contract.fits import (
    EACH_RECIPE,
    EVERY,
    SEED,
    WEEKLY,
    fitted,
    ids,
    panel,
)
from tests.learning.planted import split_of


@pytest.mark.parametrize("workers", [2, 4])
def test_the_same_seed_gives_the_same_bytes_at_any_worker_count(workers: int) -> None:
    rows = panel()
    alone = [fitted(recipe) for recipe in WEEKLY]
    with ThreadPoolExecutor(workers) as pool:
        beside = pool.map(lambda r: fit(r, rows, split_of(rows, r.kind), SEED), WEEKLY)
        for recipe, one, again in zip(WEEKLY, alone, beside, strict=True):
            assert again.onnx == one.onnx, f"{recipe.kind} {recipe.name}"
            assert again.head == one.head, f"{recipe.kind} {recipe.name}"


def test_a_process_with_more_threads_fits_the_same_bytes() -> None:
    code = "import json; from tests.contract.fits import digests; print(json.dumps(digests()))"
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "4")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **threads},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    alone = {ids(r): hashlib.sha256(fitted(r).onnx).hexdigest() for r in WEEKLY}
    assert json.loads(done.stdout) == alone


@EACH_RECIPE
def test_a_child_process_fits_the_same_bytes(recipe: Recipe, saved_panel: Path) -> None:
    split = split_of(panel(), recipe.kind)
    again = in_child(saved_panel, split, SEED, timeout_s=120)(fit, recipe)
    assert again.onnx == fitted(recipe).onnx
    assert again.head == fitted(recipe).head


@EACH_RECIPE
def test_poisoned_future_and_other_models_columns_change_nothing(recipe: Recipe) -> None:
    rows = panel()
    split = split_of(rows, recipe.kind)
    after = rows.ts >= split.holdout.start_ms
    own = fitted(recipe).columns
    others = tuple(name for name in rows.names if name not in own)
    poisoned = replace(
        rows,
        names=(*others[::-1], *own[::-1]),
        X=np.where(
            after[:, None],
            np.float32(1e6),
            np.hstack([-rows.columns(others[::-1]), rows.columns(own[::-1])]),
        ),
        close=np.full(len(rows), 7.0),
        labels={name: np.where(after, 1.0, column) for name, column in rows.labels.items()},
    )
    again = fit(recipe, poisoned, split, SEED)
    assert again.onnx == fitted(recipe).onnx
    assert again.head == fitted(recipe).head


@pytest.mark.parametrize("recipe", [r for r in EVERY if r.type != "linear"], ids=ids)
def test_another_seed_gives_another_model(recipe: Recipe) -> None:
    rows = panel()
    other = fit(recipe, rows, split_of(rows, recipe.kind), SEED + 1)
    assert other.onnx != fitted(recipe).onnx
