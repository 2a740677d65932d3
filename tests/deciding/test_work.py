"""Results of steps: whole or absent, and never from another shape of things."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.service.refs import Decided, Failure, Fit, Fits, Served, TurnRef
from orchestration.service.work import Work, once, prune
from orchestration.settings import load_settings

FITS = Fits("risk", (Fit("v1_baseline", "baseline", True, "/f/v1", 1e-7, 0.5),))


@pytest.fixture
def turn(tmp_path: Path) -> TurnRef:
    settings = load_settings(home=tmp_path)
    return TurnRef(
        "2025-05-20T0000Z_majors_1m", datetime(2025, 5, 20, tzinfo=UTC), "majors", settings
    )


def test_a_result_comes_back_as_it_was(turn: TurnRef) -> None:
    work = Work(turn.folder)
    assert work.load("fit-risk", Fits) is None
    work.save("fit-risk", FITS, 1.25)
    assert work.load("fit-risk", Fits) == FITS
    assert isinstance(work.load("fit-risk", Fits).versions, tuple)


@pytest.mark.parametrize("damage", ["cut", "altered", "shaped otherwise", "not JSON", "a list"])
def test_a_damaged_result_counts_as_absent(turn: TurnRef, damage: str) -> None:
    work = Work(turn.folder)
    work.save("fit-risk", FITS)
    path = work.path("fit-risk")
    content = path.read_text()
    stored = json.loads(content)
    stored["result"]["kind"] = "price"
    path.write_text(
        {
            "cut": content[:-9],
            "altered": json.dumps(stored),
            "shaped otherwise": content,
            "not JSON": "\x00",
            "a list": "[]",
        }[damage]
    )
    assert work.load("fit-risk", Decided if damage == "shaped otherwise" else Fits) is None


def test_a_step_is_done_once_and_again_only_if_its_result_is_no_longer_valid(turn: TurnRef) -> None:
    calls = []

    def make() -> Served:
        calls.append(1)
        return Served("risk", len(calls))

    assert once(turn, "serve", "risk", Served, make).predictions == 1
    assert once(turn, "serve", "risk", Served, make).predictions == 1
    assert once(turn, "serve", "risk", Served, make, lambda ref: False).predictions == 2


def test_success_clears_the_failure_of_the_same_step_only(turn: TurnRef) -> None:
    work = Work(turn.folder)
    for subject in ("risk", "price"):
        work.fail(Failure("serve", subject, "OSError", "no space left"))
    once(turn, "serve", "risk", Served, lambda: Served("risk", 0))
    assert [failure.subject for failure in work.failures()] == ["price"]


def test_what_raises_leaves_no_result(turn: TurnRef) -> None:
    with pytest.raises(ZeroDivisionError):
        once(turn, "serve", "risk", Served, lambda: Served("risk", 1 // 0))
    assert Work(turn.folder).load("serve-risk", Served) is None


def test_seconds_are_summed_by_stage_and_counts_go_up(turn: TurnRef) -> None:
    work = Work(turn.folder)
    work.save("fit-risk", FITS, 1.5)
    work.save("fit-price", FITS, 2.0)
    work.save("fits-risk-forest", FITS.versions[0], 1.5)  # a part of fit-risk
    work.fail(Failure("fetch", "BTC-USDT", "SourceDown", "503"))
    assert [work.count("openings-risk") for _ in range(3)] == [1, 2, 3]
    assert work.seconds() == {"fit": 3.5}


def test_no_name_leaves_the_work_folder(turn: TurnRef) -> None:
    work = Work(turn.folder)
    assert work.path("fetch-../../etc").parent == turn.folder


def test_pruning_keeps_the_report_and_other_scopes(turn: TurnRef) -> None:
    work_dir = turn.settings.work_dir
    older, newer, other = (
        work_dir / name
        for name in (
            "2025-05-19T1200Z_majors_1m",
            "2025-05-20T1200Z_majors_1m",
            "2025-05-19T1200Z_BTC-USDT_1m",
        )
    )
    for folder in (older, newer, other, turn.folder / "panel", turn.folder / "fits"):
        folder.mkdir(parents=True)
    Work(turn.folder).save("fit-risk", FITS)
    prune(turn.settings, turn)
    assert not older.exists()
    assert newer.exists()
    assert other.exists()
    assert [path.name for path in turn.folder.iterdir() if path.is_dir()] == []
    assert Work(turn.folder).load("fit-risk", Fits) == FITS
