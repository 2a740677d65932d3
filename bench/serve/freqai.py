"""The same bars by FreqAI, where an interpreter that has freqtrade is named."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.serve.team import Team
from ml_pipeline.fit import compose

CHILD = Path(__file__).with_name("freqai_child.py")
DI_ROWS = 4_000
ROWS = 36_000
BARS = 200


def freqai(team: Team, rows: Any, python: str) -> dict[str, Any] | str:
    """Return FreqAI's figures, or in a sentence why there are none."""
    try:
        probe = [python, "-c", "import freqtrade, datasieve; print(freqtrade.__version__)"]
        version = subprocess.check_output(probe, text=True, stderr=subprocess.PIPE).split()[-1]
    except (OSError, subprocess.CalledProcessError):
        return f"{python} has no freqtrade with its freqai extra"
    recipe = team.recipes["direction"]
    model, train, _, _ = compose(recipe, team.panel, team.split, 0)
    positions = [team.columns.index(name) for name in model.learnt]
    with tempfile.TemporaryDirectory() as made:
        np.savez(
            Path(made) / "rows.npz",
            X=train.matrix(model.learnt)[:ROWS],
            y=train.y[:ROWS, 0].astype(np.int64),
            rows=np.stack(rows)[:BARS, positions],
            names=np.array(model.learnt),
        )
        (Path(made) / "settings.json").write_text(json.dumps(dict(recipe.hyperparams)))
        asked = [("time", DI_ROWS), ("memory", DI_ROWS), ("memory", 2 * DI_ROWS)]
        told = [_child(python, made, rows, what) for what, rows in asked]
    figures: dict[str, Any] = {"version": version, **told[0]}
    # Memory grows with the square of the rows: 36,000 of them are not tried.
    figures["di"] = [(int(one["rows"]), one["peak_mb"]) for one in told[1:]]
    figures["di_36000_mb"] = told[2]["peak_mb"] * (ROWS / (2 * DI_ROWS)) ** 2
    return figures


def _child(python: str, folder: str, rows: int, what: str) -> dict[str, float]:
    command = [python, str(CHILD), folder, str(rows), what]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    said = subprocess.check_output(command, env=environment, text=True, cwd=folder)
    found: dict[str, float] = json.loads(said.strip().splitlines()[-1])
    return found
