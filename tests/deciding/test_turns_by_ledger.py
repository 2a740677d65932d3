"""Several turns: what is planted is promoted by its ledger, a random walk's models are not."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from ml_pipeline.errors import FitError
from models.common.slot import Slot
from orchestration.lifecycle.retiring import Memory
from orchestration.service import blending, memory, steps
from orchestration.service.decisions import list_decisions
from orchestration.service.refs import Json
from orchestration.service.resources import store_of, tracking_of
from orchestration.service.turn import run_turn
from orchestration.settings import Settings
from orchestration.store.records import ROLE_OF_STATUS

NewSettings = Callable[..., Settings]
FIRST = pd.Timestamp("2025-05-20T00:00Z")
# The ledger of this small market is some days long: it shall speak in full after one.
YOUNG = {"ledger_days": 1.0, "least_days": 0.5, "z_promote": 2.4}


def turns(settings: Settings, count: int) -> list[Json]:
    """Run turns twelve hours apart; return each one's only slot."""
    found = []
    for k in range(count):
        report = run_turn(settings, (FIRST + pd.Timedelta(hours=12 * k)).isoformat())
        assert report["failures"] == []
        found += report["slots"]
    return found


def test_a_planted_line_is_promoted_by_its_ledger_and_stays(new_settings: NewSettings) -> None:
    settings = new_settings(
        source="simulated:signal=3.0,seed=5", recipes="logistic", gates=YOUNG | {"ledger_days": 2.0}
    )
    slots = turns(settings, 4)
    learnt = [slot["recipe"] == "logistic" for slot in slots]
    assert learnt[-1], [slot["sentence"] for slot in slots]
    assert learnt == sorted(learnt), "once promoted it stays"
    taken = slots[learnt.index(True)]
    assert taken["action"] in ("install", "promote")
    assert taken["lower"] > 0
    # Every figure is kept with the decision, and can be read back.
    decided = list_decisions(settings, "direction")
    assert [row["champion"] for row in reversed(decided)] == [slot["champion"] for slot in slots]
    made = next(row for row in decided if row["champion"] == taken["champion"])
    (line,) = [line for line in made["lines"] if line["line"] == "logistic"]
    assert line["z_champion"] >= line["z_needed"] >= 2.4
    assert line["days_champion"] == pytest.approx(line["days"])
    key = Slot.parse(taken["slot"])
    tags = {v.version: v.tags for v in tracking_of(settings).versions(key)}[taken["champion"]]
    assert float(tags["ledger_lower"]) == pytest.approx(taken["lower"], rel=1e-4)
    assert "holdout_lower" in tags
    # The ledger of the line goes on over its versions.
    assert slots[-1]["days"] > taken["days"] or taken is slots[-1]
    (row,) = [row for row in slots[-1]["lines"] if row["recipe"] == "logistic"]
    assert row["versions"] >= 3
    assert 0 < row["live"] < 1


def test_on_a_random_walk_the_baseline_serves(new_settings: NewSettings) -> None:
    settings = new_settings(source="simulated:random-walk,seed=3", gates=YOUNG)
    slots = turns(settings, 3)
    assert [slot["baseline"] for slot in slots] == [True] * 3
    assert [slot["action"] for slot in slots] == ["install", "refresh", "refresh"]
    store = store_of(settings)
    statuses = [m.status for m in store.list_models(slot_key=slots[0]["slot"])]
    assert "candidate" not in statuses
    assert sorted(s for s in statuses if s in ("challenger", "unproven")) != []
    lines = [m.facts["recipe"] for m in store.list_models() if m.status in ROLE_OF_STATUS]
    assert len(lines) == len(set(lines)), "a line predicts through one version"


def test_an_archived_recipe_is_left_out_with_a_sentence(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(symbols="BTC-USDT")
    turns(settings, 1)
    resting = Memory(resting={"xgboost": 2, "logistic": 1})
    monkeypatch.setattr(memory.Memory, "of", classmethod(lambda cls, figures: resting))
    later = (FIRST + pd.Timedelta(hours=12)).isoformat()
    (slot,) = run_turn(settings, later)["slots"]
    assert [version.rpartition("_")[2] for version in slot["versions_trained"]] == ["baseline"]
    assert slot["left_out"] == [
        "direction/xgboost is left out: it was archived and rests for 2 more turns",
        "direction/logistic is left out: it was archived and rests for 1 more turn",
    ]
    assert slot["champion"]


def test_a_turn_that_was_cut_off_and_overtaken_is_no_longer_running(
    new_settings: NewSettings,
) -> None:
    settings = new_settings(symbols="BTC-USDT")
    begun = steps.begin(settings, FIRST.isoformat())
    run_turn(settings, (FIRST + pd.Timedelta(hours=12)).isoformat())
    turn = store_of(settings).get_turn(begun.turn.turn_id)
    assert turn.status == "failed"
    assert "was completed before it was run again" in turn.summary["failures"][0]["message"]


def test_an_ensemble_that_cannot_be_built_stops_no_other(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = new_settings(symbols="BTC-USDT", kinds="direction,momentum")
    build = blending.ensemble_row

    def refuse(turn, composed, *others) -> Json:
        if composed.kind == "direction":
            raise FitError("it would not blend")
        return build(turn, composed, *others)

    monkeypatch.setattr(blending, "ensemble_row", refuse)
    report = run_turn(settings, FIRST.isoformat())
    assert [row["slot"] for row in report["ensembles"]] == ["BTC-USDT/momentum/1m"]
    (failure,) = report["failures"]
    assert (failure["stage"], failure["subject"]) == ("ensembles", "direction")
