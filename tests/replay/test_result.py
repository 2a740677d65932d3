"""How a replay ended is read from ledger rows: what served, its skill, the lines beside it."""

from __future__ import annotations

import json
from collections.abc import Callable

import mlflow
import numpy as np
import pytest
from PIL import Image

from market.timeframes import utc
from orchestration.judge.lines import Line
from orchestration.service.replaying import replay
from orchestration.service.replays.between import look
from orchestration.service.replays.ending import end
from orchestration.service.replays.over_time import cumulative, daily, series
from orchestration.service.replays.picture import picture
from orchestration.service.replays.plan import Plan
from orchestration.service.replays.record import keep_between
from orchestration.service.replays.result import result
from orchestration.service.resources import mlflow_of, store_of
from orchestration.service.watching import WATCH

NewPlan = Callable[..., Plan]
DAY = 86_400_000


def line(loss: np.ndarray) -> Line:
    return Line(
        recipe="one",
        loss=loss,
        raw=loss[..., None],
        version=np.zeros(loss.shape, dtype=np.int32),
        live=np.ones(loss.shape, dtype=bool),
    )


def test_skill_is_of_means_over_symbols_that_both_answered() -> None:
    ts = np.arange(3) * DAY
    nan = np.nan
    base, own = [[1.0, 3.0], [2.0, nan], [nan, nan]], [[1.0, 1.0], [1.0, 5.0], [1.0, 1.0]]
    at, loss, gain = series(ts, line(np.array(own)), line(np.array(base)))
    assert at.tolist() == [0, DAY]
    assert loss.tolist() == [2.0, 2.0]
    assert gain.tolist() == [1.0, 1.0]
    days = daily(at, loss, gain)
    assert [(d["day"], d["skill"], d["times"]) for d in days] == [
        ("1970-01-01", 0.5, 1),
        ("1970-01-02", 0.5, 1),
    ]


def test_the_curve_ends_with_the_whole_and_its_interval_narrows() -> None:
    draw = np.random.default_rng(0)
    ts = np.arange(2000) * 60_000
    loss = 1 + 0.1 * draw.random(2000)
    gain = 0.05 + 0.2 * draw.standard_normal(2000)
    curve = cumulative(ts, loss, gain, horizon=5)
    assert curve[-1]["skill"] == pytest.approx(gain.mean() / loss.mean())
    assert curve[-1]["times"] == 2000
    assert curve[0]["lower"] is None, "too few times for an interval"
    wide, narrow = (curve[k]["upper"] - curve[k]["lower"] for k in (20, -1))
    assert narrow < wide
    assert curve[-1]["lower"] < 0.05 < curve[-1]["upper"]


def test_a_replay_ends_with_figures_a_picture_and_one_run(new_plan: NewPlan) -> None:
    made = new_plan()
    document = replay(made)
    found = end(made)
    (slot,) = found["slots"]
    assert found["simulated"] is True
    assert {row["recipe"] for row in slot["lines"]} == {"baseline", "logistic", "xgboost"}
    assert slot["reigns"][0]["from"] == "2025-05-20T00:00:00+00:00"
    served = [turn["summary"]["slots"][0]["recipe"] for turn in document["turns"]]
    assert {reign["recipe"] for reign in slot["reigns"]} == set(served)
    assert slot["served"]["n"] > 500
    if set(served) == {"baseline"}:
        assert slot["served"]["skill"] == 0
    assert found["cost"]["versions"] == 12
    assert found["cost"]["cpu_a_turn"] > 0
    assert Image.open(found["picture"]).size[0] > 800
    assert json.loads((made.folder / "result.json").read_text()) == found

    mlflow.set_tracking_uri(made.live.tracking_uri)
    tracking = mlflow_of(made.live)
    client = mlflow.MlflowClient(made.live.tracking_uri)
    runs = client.search_runs([tracking.experiment_id])
    assert [run.info.run_name for run in runs] == [f"replay {made.name}"]
    assert runs[0].data.tags["simulated"] == "true"
    assert runs[0].data.metrics["direction.served.n"] == slot["served"]["n"]
    names = {file.path for file in client.list_artifacts(runs[0].info.run_id)}
    assert {"decisions.json", "result.json", "pictures"} <= names
    assert end(made)["mlflow_run"] == runs[0].info.run_id, "ended again: the same run"
    assert end(made, mlflow=False)["mlflow_run"] is None


def test_harm_that_was_undone_between_turns_is_told(new_plan: NewPlan) -> None:
    """The watch keeps its decision with the version that took over; a kill does not lose it."""
    made = new_plan(end="2025-05-20T12:00")
    replay(made)
    (slot_key,) = {model.slot_key for model in store_of(made.settings).list_models()}
    place = "2025-05-20T0000Z_5m_baseline"
    decision = {
        "at": utc(made.end_ms).isoformat(), "who": WATCH, "before": "worse", "reason": "HARM",
        "sentence": f"{place} serves again",
    }  # fmt: skip
    store_of(made.settings).register_model(slot_key, place, decisions=[decision])
    look_again = look(made, made.end_ms)
    assert [line["champion"] for line in look_again["rolled_back"]] == [place]
    keep_between(made, made.end_ms, look_again)
    found = result(made)
    events = found["slots"][0]["events"]
    assert [event["action"] for event in events] == ["install", "HARM"]
    assert events[-1]["sentence"] == f"{place} serves again"
    assert picture(found).startswith(b"\x89PNG")


def test_a_slot_in_which_nothing_served_is_drawn_empty() -> None:
    slot = {"kind": "risk", "reigns": [], "events": [], "drift": [], "cumulative": []}
    slot["lines"] = []
    found = {"slots": [slot], "simulated": True, "symbols": ["BTC-USDT"], "timeframe": "1m"}
    assert picture({**found, "turns": 0, "source_name": "simulated"}).startswith(b"\x89PNG")
