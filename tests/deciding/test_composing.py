"""The ensemble of a turn: composed of its fits by what was known, and a line like any other."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from market.timeframes import timeframe_ms
from ml_pipeline.errors import ExportError
from ml_pipeline.history import History
from ml_pipeline.reproduce import reproduce
from models.common.predictor import EnsemblePredictor, Model, load_model
from models.common.regimes import regimes_path
from orchestration.ensembles import ENSEMBLE, MADE_BY, METHODS, Choice, Evidence
from orchestration.lifecycle.gates import Contender
from orchestration.lifecycle.retiring import Memory, remember
from orchestration.rules import Gates
from orchestration.service import composing
from orchestration.service.beginning import turn_at
from orchestration.service.composing import known_lines
from orchestration.service.deciding import members_of
from orchestration.service.refs import Json, TurnRef
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.service.retraining import meaning
from orchestration.service.turn import run_turn
from orchestration.settings import Settings, load_settings
from serving import ensembles
from tests.deciding.planted import FIRST, PLANTED, SLOT, NewSettings
from tests.deciding.scenes import stand


@dataclass
class Home:
    settings: Settings
    reports: list[Json]

    @property
    def rows(self) -> list[Json]:
        """The row of the slot's ensemble in each turn."""
        return [report["ensembles"][0] for report in self.reports]


@pytest.fixture(scope="module")
def two_turns(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after two turns, which the tests only look at."""
    home = tmp_path_factory.mktemp("composed") / "home"
    shutil.copytree(blank, home)
    small = {"home": home, "symbols": "BTC-USDT,ETH-USDT", "days": 3, "kinds": "direction"}
    settings = load_settings(**small, timeframe="1m", **PLANTED)
    moments = (FIRST + pd.Timedelta(hours=12 * k) for k in range(2))
    return Home(settings, [run_turn(settings, at.isoformat()) for at in moments])


def test_an_ensemble_is_a_line_like_any_other(two_turns: Home) -> None:
    settings, (first, second) = two_turns.settings, two_turns.rows
    assert [report["failures"] for report in two_turns.reports] == [[], []]
    version = first["version"]
    assert version.endswith("_ensemble")
    assert sorted(member["recipe"] for member in first["members"]) == ["lightgbm", "logistic"]
    # Judged on the holdout beside the others, and published with its members named.
    (slot,) = two_turns.reports[0]["slots"]
    assert version in {row["version"] for row in slot["contenders"]}
    model = store_of(settings).get_model(f"{SLOT.key}/{version}")
    assert model.status != "refused"
    about = registry_of(settings).read(registry_of(settings).folder(SLOT, version)).metadata
    assert about["members"] == model.facts["members"]
    assert [one["version"] for one in about["members"]] == [m["version"] for m in first["members"]]
    # Its ledger begins with its first holdout and goes on in shadow.
    ledger = store_of(settings).ledger(SLOT.key, version)
    assert {"backfill", "shadow"} <= {*ledger["role"]} or "champion" in {*ledger["role"]}
    (line,) = [
        row for row in two_turns.reports[1]["slots"][0]["lines"] if row["recipe"] == ENSEMBLE
    ]
    assert line["days"] > 0
    assert second["version"] != version


def test_its_bytes_answer_as_its_members_do_together(two_turns: Home) -> None:
    same_answers(two_turns.settings, two_turns.rows[-1])


def same_answers(settings: Settings, row: Json) -> None:
    """Compare the version's graph with the members that its configuration names."""
    registry = registry_of(settings)
    bundle = registry.read(registry.folder(SLOT, row["version"]))
    together = load_model(row["name"], home=settings.home)
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        rng.normal(0, 1, (64, len(bundle.schema.names))), columns=bundle.schema.names
    )
    one = bundle.runner.run(rows.to_numpy(np.float32))[:, 0]
    two = np.asarray(together.predict(rows)["probability"])
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_weights_by_regime_are_composed_and_kept(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_regime(turn: TurnRef, evidence: Evidence) -> Choice:
        walked, choice = composing.weighed_by(turn.settings.gates, evidence, 0)
        table = tuple(map(tuple, walked.weights["by_regime"].tolist()))
        return replace(choice, method="by_regime", table=table)

    monkeypatch.setattr(composing, "weighed", by_regime)
    settings = new_settings(**PLANTED)
    report = run_turn(settings, FIRST.isoformat())
    assert report["failures"] == []
    (row,) = report["ensembles"]
    kept = json.loads((settings.models_dir / "ensembles" / f"{row['name']}.json").read_text())
    assert np.shape(kept["regimes"]["weights"]) == (9, 2)
    same_answers(settings, row)


def test_members_that_are_gone_do_not_matter(two_turns: Home) -> None:
    settings, row = two_turns.settings, two_turns.rows[-1]
    named = load_model(row["name"], home=settings.home)
    assert isinstance(named, EnsemblePredictor)
    whole = load_model(f"{SLOT.scope}/direction/{row['version']}", home=settings.home)
    assert isinstance(whole, Model)
    names, version = ["lost", *named.made_of.models], named.made_of.composed
    without = EnsemblePredictor(names, composed=version, home=settings.home)
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(64, len(whole.features))))
    rows.columns = pd.Index(whole.features)
    np.testing.assert_array_equal(without.raw(rows), whole.raw(rows))
    assert without.predict(rows)["missing"] == []


def test_it_is_made_again_to_the_byte(two_turns: Home, tmp_path: Path) -> None:
    settings, row = two_turns.settings, two_turns.rows[-1]
    registry = registry_of(settings)
    bundle = registry.read(registry.folder(SLOT, row["version"]))
    found = reproduce(bundle, History.open(settings.source, home=tmp_path))
    assert found.byte_equal, found.sentence()


def test_it_is_kept_with_its_figures_and_on_only_by_the_gate(two_turns: Home) -> None:
    settings, row = two_turns.settings, two_turns.rows[-1]
    (record,) = store_of(settings).list_ensembles()
    assert (record.name, record.slot_key) == ("ensemble_001", SLOT.key)
    assert record.config["made_by"] == MADE_BY
    assert record.config["version"] == row["version"]
    assert record.active is row["active"] is (row["lower"] > 0 and row["z_best"] >= -0.5)
    assert record.results["methods"].keys() == {*METHODS}
    kept = json.loads((settings.models_dir / "ensembles" / "ensemble_001.json").read_text())
    assert kept["models"] == [f"{SLOT.scope}/direction/{m['version']}" for m in row["members"]]


def test_the_confidence_of_what_serves_is_judged_by_regime(two_turns: Home) -> None:
    row, settings = two_turns.rows[-1], two_turns.settings
    (slot,) = two_turns.reports[-1]["slots"]
    found = row["regimes"]
    assert found["line"] == ("baseline" if slot["baseline"] else slot["recipe"])
    assert len(found["slopes"]) == 9
    assert found["z"] is not None, found["why"]
    assert found["used"] is (found["z"] >= settings.gates.z_learnt)
    path = regimes_path(settings.models_dir, SLOT)
    assert path.exists() is found["used"] is (found["kept"] is not None)


def test_the_command_shows_members_figures_and_reasons(two_turns: Home) -> None:
    rows = ensembles.kept(two_turns.settings)
    assert [row["name"] for row in rows] == ["ensemble_001"]
    assert rows[0]["simulated"] is True
    assert json.loads(json.dumps(rows)) == rows
    assert ensembles.kept(two_turns.settings, "volatility") == []
    wide = Console(width=240, record=True, file=io.StringIO())
    for part in ensembles.shown(rows):
        wide.print(part)
    told, row = wide.export_text(), two_turns.rows[-1]
    assert "SIMULATED market" in told
    assert f"{100 * row['skill']:+.2f} %" in told
    assert row["regimes"]["why"] in told
    assert all(member["recipe"] in told for member in row["members"])


def test_mlflow_shows_its_members_as_lineage(two_turns: Home) -> None:
    settings, row = two_turns.settings, two_turns.rows[-1]
    tracking = tracking_of(settings)
    known = {one.version: one for one in tracking.versions(SLOT)}
    found = known[row["version"]]
    assert found.tags["method"] == METHODS[row["method"]].blend
    assert all(member["version"] in found.tags["members"] for member in row["members"])
    run = tracking._client.get_run(found.run_id)
    inputs = {one.model_id for one in run.inputs.model_inputs}
    members = [tracking._find_model(known[m["version"]].run_id).model_id for m in row["members"]]
    assert inputs == {*members}
    (table,) = [f for f in tracking._client.list_artifacts(found.run_id) if "members" in f.path]
    assert table.path == "members.json"


def test_nothing_that_the_holdout_tells_is_known_to_it(new_settings: NewSettings) -> None:
    settings = new_settings(**PLANTED)
    report = run_turn(settings, FIRST.isoformat())
    opens = int(pd.Timestamp(report["slots"][0]["holdout"]["start"]).timestamp() * 1000)
    lines = known_lines(turn_at(settings, FIRST.isoformat()), "direction", opens)
    horizon = 5
    assert len(lines.ts)
    assert int(lines.ts[-1]) + (horizon + 1) * timeframe_ms("1m") <= opens
    whole = known_lines(
        turn_at(settings, FIRST.isoformat()), "direction", int(FIRST.value // 10**6)
    )
    assert whole.ts[-1] > lines.ts[-1], "the holdout is in the ledger by now"


def test_without_a_ledger_there_is_none_and_the_row_says_why(new_settings: NewSettings) -> None:
    report = run_turn(new_settings(**PLANTED | {"backfill_days": 0}), FIRST.isoformat())
    (row,) = report["ensembles"]
    assert (row["name"], row["version"], row["members"], row["active"]) == (None, None, [], False)
    assert "no line has shown skill before the holdout" in row["sentence"]
    assert "0.0 days of ledger" in row["sentence"]


@pytest.mark.parametrize("error", [ExportError, RuntimeError], ids=["ours", "a library's"])
def test_one_that_cannot_be_composed_stops_nobody(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error("the members do not fit together")

    monkeypatch.setattr(composing, "compose", refuse)
    report = run_turn(new_settings(**PLANTED), FIRST.isoformat())
    (failure,) = report["failures"]
    assert (failure["stage"], failure["subject"]) == ("composing", "direction")
    assert report["slots"][0]["champion"]
    assert report["ensembles"][0]["sentence"].startswith("not composed")


def test_the_decision_knows_what_an_ensemble_is_composed_of(two_turns: Home) -> None:
    settings, report = two_turns.settings, two_turns.reports[-1]
    rows = [
        Contender(row["version"], row["recipe"], row["baseline"], row["status"])
        for row in report["slots"][0]["contenders"]
    ]
    turn = turn_at(settings, FIRST.isoformat())
    assert members_of(turn, SLOT, rows) == {"lightgbm", "logistic"}
    assert members_of(turn, SLOT, [row for row in rows if row.line != ENSEMBLE]) == set()


def test_a_flag_on_an_ensemble_asks_for_its_slots_recipes(two_turns: Home) -> None:
    settings, version = two_turns.settings, two_turns.rows[-1]["version"]
    assert meaning(store_of(settings), f"{SLOT.key}/{version}") == (SLOT.key, None)


def test_an_ensemble_takes_no_place_among_the_best_lines() -> None:
    ranked = [ENSEMBLE, "a", "b", "c", "d"]
    known = {name: stand(name, days=20.0) for name in ranked}
    counts = remember(ranked, known, Memory(), Gates(keep_top=3))
    assert counts.below == {"d": 1}
