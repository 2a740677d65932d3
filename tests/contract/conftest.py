"""What the tests of the contract save once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_pipeline import bundling
from ml_pipeline.lineage import lineage
from ml_pipeline.recipes import RECIPES
from models.common.slot import Slot
from tests.contract.fits import KINDS, baseline, fitted, panel, version
from tests.learning.planted import STEP_MS, SYMBOLS, split_of


@pytest.fixture(scope="session")
def saved_panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panel().save(tmp_path_factory.mktemp("panel") / "panel")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every recipe and baseline as a bundle."""
    home = tmp_path_factory.mktemp("home")
    for kind in KINDS:
        for model in (baseline(kind), *(fitted(recipe) for recipe in RECIPES[kind])):
            split = split_of(panel(), kind)
            origin = bundling.Origin(
                slot=Slot("majors", kind, "5m"),
                symbols=SYMBOLS,
                source="planted",
                simulated=True,
                split=split,
                created_ms=int(panel().ts[-1]) + STEP_MS,
                lineage=lineage(panel(), split, kind, model.columns),
            )
            about = bundling.metadata(model, origin, version(model))
            folder = home / "models" / "majors" / kind / version(model)
            bundling.write(folder, model, about, panel(), {})
    return home
