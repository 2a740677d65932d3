"""The import contracts hold, and each of them catches a planted violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "market",
    "features",
    "ml_pipeline",
    "models",
    "strategies",
    "orchestration",
    "flows",
    "serving",
)

# contract id -> (file to spoil, the import that breaks it)
PLANTED = {
    "layers": ("market/symbols.py", "import models.common.slot"),
    "orchestration": ("orchestration/settings.py", "import orchestration.ranker"),
    "prefect": ("ml_pipeline/train.py", "import prefect"),
    "ccxt": ("market/files.py", "import ccxt"),
    "mlflow": ("flows/cycle.py", "import mlflow"),
    "optuna": ("ml_pipeline/tuning.py", "import optuna"),
    "sqlalchemy": ("serving/cli.py", "import sqlalchemy"),
    "fastapi": ("flows/cycle.py", "import fastapi"),
    "small-runtime": ("models/common/heads.py", "import sklearn"),
    "oracles": ("strategies/vectorised.py", "import vectorbt"),
    "targets": ("strategies/base_strategy.py", "import ml_pipeline.targets"),
    "pure-core": ("ml_pipeline/losses.py", "import random"),
}


def lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    only = [arg for contract in contracts for arg in ("--contract", contract)]
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *only],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the packages that a test may spoil."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_is_caught(copy: Path, contract: str) -> None:
    name, statement = PLANTED[contract]
    file = copy / name
    sound = file.read_text()
    try:
        file.write_text(f"{sound}\n{statement}\n")
        result = lint(copy, contract)
    finally:
        file.write_text(sound)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def test_the_house_keeps_its_contracts(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout
