"""A process that only predicts holds no trainer and no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.common.registry import PredictionModelRegistry
from models.common.slot import KINDS, Slot
from tests.models import tiny

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "torch",
    "sklearn",
    "xgboost",
    "lightgbm",
    "mlflow",
    "prefect",
    "sqlalchemy",
    "alembic",
    "onnx",
    "fastapi",
    "joblib",
    "matplotlib",
    "market",
    "features",
    "ml_pipeline",
    "orchestration",
}
SCRIPT = """
import json, sys
from models.common.predictor import load_model
columns, kind = json.loads(sys.argv[1]), sys.argv[2]
answer = load_model(kind).predict(dict.fromkeys(columns, 0.5), close=100.0)
modules = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"answer": str(answer), "modules": modules}))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_predicting_in_a_fresh_process_imports_nothing_heavy(tmp_path: Path, kind: str) -> None:
    tiny.bundle(tmp_path / "models", kind)
    PredictionModelRegistry(tmp_path / "models").promote(Slot("majors", kind, "1m"), "v1")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(tiny.NAMES), kind],
        cwd=ROOT,
        env={**os.environ, "TIDEWHEEL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["answer"]
    assert not FORBIDDEN.intersection(said["modules"])
