"""A turn's ensemble: a version like any other, the same by its name, and made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from market.timeframes import instant_ms
from ml_pipeline.history import History
from ml_pipeline.reproduce import reproduce
from models.common.predictor import EnsemblePredictor, Model, load_model
from models.common.slot import Slot
from orchestration.service.resources import store_of, tracking_of
from orchestration.service.turn import run_turn
from orchestration.settings import Settings

NewSettings = Callable[..., Settings]
FIRST = pd.Timestamp("2025-05-20T00:00Z")
YOUNG = {"ledger_days": 1.0, "least_days": 0.5, "z_promote": 2.4}


def test_a_turns_ensemble_is_one_version_and_one_name(
    new_settings: NewSettings, tmp_path: Path
) -> None:
    settings = new_settings(
        source="simulated:signal=3.0,seed=5", recipes="logistic,xgboost", gates=YOUNG
    )
    for k in range(3):
        report = run_turn(settings, (FIRST + pd.Timedelta(hours=12 * k)).isoformat())
        assert report["failures"] == []
    (slot,), (row,) = report["slots"], report["ensembles"]
    key, home = Slot.parse(slot["slot"]), Path(settings.home)

    # Under its name it is asked of its members, as a version it is one graph: they say the same.
    named = load_model(row["name"], home=home)
    assert isinstance(named, EnsemblePredictor)
    whole = load_model(f"{key.scope}/{key.kind}/{row['version']}", home=home)
    assert isinstance(whole, Model)
    end = instant_ms((FIRST + pd.Timedelta(hours=24)).isoformat())
    history = History.open(settings.source, home=tmp_path / "elsewhere", end=end)
    seen = history.panel(["BTC-USDT"], "1m", whole.features, end - 43_200_000, end)
    frame = pd.DataFrame(seen.X, columns=list(seen.names))
    assert len(frame) > 600
    np.testing.assert_allclose(whole.raw(frame), named.raw(frame), atol=1e-6)
    one = whole.predict(frame.iloc[-1:])
    assert {*named.predict(frame.iloc[-1:])} == {*one, "missing"}

    # It has a record and a model in MLflow, is judged beside its members, and says what it is of.
    assert [m["recipe"] for m in whole.info["members"]] == [m["recipe"] for m in row["members"]]
    versions = {model.version for model in store_of(settings).list_models(slot_key=key.key)}
    assert {row["version"], *(one["version"] for one in row["members"])} <= versions
    assert row["version"] in {v.version for v in tracking_of(settings).versions(key)}
    assert named.results["version"] == row["version"]
    assert named.info["about"]["simulated"] is True
    record = next(r for r in store_of(settings).list_ensembles() if r.name == row["name"])
    assert record.active is row["active"]

    # Members that are gone do not matter; and it can be made again.
    gone = EnsemblePredictor(
        ["lost", *named.made_of.models], composed=named.made_of.composed, home=home
    )
    np.testing.assert_array_equal(gone.raw(frame), whole.raw(frame))
    found = reproduce(whole.bundle, History.open(settings.source, home=tmp_path / "again"))
    assert found.byte_equal, found.sentence()
