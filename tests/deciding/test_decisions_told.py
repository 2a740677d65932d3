"""Decisions can be read back: by turns and by people, the newest first, each with its figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from models.common.slot import Slot
from orchestration.lifecycle.decide import Decision, decide
from orchestration.lifecycle.intent import DECISIONS
from orchestration.service.decisions import list_decisions
from orchestration.service.resources import store_of
from orchestration.settings import load_settings
from orchestration.store.store import Store
from serving import cli, decisions
from tests.deciding.scenes import GATES, base, incumbent, learner, lines, stand

DIRECTION, RISK = Slot("majors", "direction", "1m"), Slot("majors", "risk", "1m")


def written(store: Store, slot: Slot, day: int, decision: Decision) -> None:
    turn_id = f"2025-05-{day:02d}T1200Z_majors_1m"
    store.begin_turn(turn_id, {})
    store.register_model(slot.key, decision.champion, simulated=True)
    figures = {**decision.figures, "before": decision.before, "statuses": decision.statuses}
    store.add_decision(
        turn_id, slot.key, decision.champion, figures, decision.action, decision.sentence
    )


def kept(slot: Slot) -> Decision:
    old = learner(1, "champion", recipe="ridge")
    standings = lines(stand("ridge", z_champion=None), stand(z_champion=0.8))
    return decide(slot.key, [old, base(2), learner(2)], standings, incumbent(old), GATES)


@pytest.fixture
def home(store: Store, tmp_path: Path) -> Path:
    for day in (1, 2, 3):
        written(store, DIRECTION, day, kept(DIRECTION))
    written(store, RISK, 2, kept(RISK))
    said = {"at": "2025-05-02T18:00:00+00:00", "action": "promote", "who": "ada", "reason": "mine",
            "before": None, "sentence": "v9 serves majors/risk/1m"}  # fmt: skip
    store.register_model(RISK.key, "v9", **{DECISIONS: [said]})
    return tmp_path / "home"


def test_the_last_ones_of_turns_and_people_come_first(home: Path) -> None:
    settings = load_settings(home=home)
    told = [(row["at"][:13], row["slot"].split("/")[1], row["by"])
            for row in list_decisions(settings)]  # fmt: skip
    assert told == [
        ("2025-05-03T12", "direction", "turn"),
        ("2025-05-02T18", "risk", "ada"),
        ("2025-05-02T12", "risk", "turn"),
        ("2025-05-02T12", "direction", "turn"),
        ("2025-05-01T12", "direction", "turn"),
    ]
    assert [row["slot"] for row in list_decisions(settings, "risk", 1)] == [RISK.key]
    assert list_decisions(settings, RISK.key)[0]["sentence"].endswith("; mine")
    assert list_decisions(settings, "price") == []


def test_every_figure_is_there_and_the_table_says_what_was_needed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tidewheel", "decisions", "--home", str(home), "--slot", "direction"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--limit", "1", "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    (row,) = json.loads(capsys.readouterr().out)
    line = next(line for line in row["lines"] if line["line"] == "xgboost")
    assert (line["z_champion"], line["z_needed"], line["days_champion"]) == (0.8, 2.4, 14.0)
    assert line["lacks"] == ["z = 0.80 against the champion's line, 2.40 needed on 14.0 days"]
    assert row["gates"]["z_promote"] == 2.4
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert "SIMULATED" in out.splitlines()[0]
    assert "is no successor: z = 0.80 against the champion's line, 2.40 needed" in out


def test_a_home_without_decisions_says_what_to_do() -> None:
    assert list(decisions.shown([])) == ["nothing was decided yet; run a turn: tidewheel cycle"]


def test_the_last_decision_before_a_turn_is_not_its_own(home: Path) -> None:
    found = store_of(load_settings(home=home)).list_decisions(
        DIRECTION.key, limit=1, before="2025-05-03T1200Z_majors_1m"
    )
    assert [row.turn_id for row in found] == ["2025-05-02T1200Z_majors_1m"]
