"""What a replay served, asked like a model: those answers, at those bars, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market.timeframes import utc
from models.common.errors import FeatureError, ModelNotFound
from models.common.heads import make_head
from models.common.opening import Opening, opening
from models.common.predictor import load_model
from models.common.slot import Slot
from orchestration.service.served import Clock, ServedModel, rows_of
from orchestration.store import Store
from strategies.errors import NotAnswered

MINUTE = 60_000
START = 1_748_390_400_000
SLOT = Slot("majors", "direction", "1m")
RISK = Slot("majors", "risk", "1m")
TABLES = {"a": [0.0, 0.5, 1.0], "b": [0.1, 0.2, 0.4]}


def said(store: Store, slot: Slot, version: str, role: str, bars: range, raw: float, made: int = 0):
    frame = pd.DataFrame(
        {"symbol": "BTC-USDT", "ts_ms": [START + k * MINUTE for k in bars], "raw_0": raw}
    )
    store.add_predictions(slot.key, version, role, frame, made_ms=START + made * MINUTE)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a ledger in which version b follows a at bar 10."""
    opened = Store(f"sqlite:///{tmp_path}/tidewheel.db")
    for version, bar in (("a", 0), ("b", 10)):
        then = opened.at(utc(START + bar * MINUTE).to_pydatetime())
        for slot in (SLOT, RISK):
            head = {"probability_quantiles": TABLES[version]} if slot is RISK else {}
            then.register_model(slot.key, version, recipe=f"recipe-{version}", head=head)
    said(opened, SLOT, "a", "champion", range(10), 0.7)
    said(opened, SLOT, "a", "shadow", range(10, 20), 0.9)
    said(opened, SLOT, "b", "champion", range(10, 18), 0.4)
    said(opened, SLOT, "a", "backfill", range(20, 25), 0.6)
    said(opened, RISK, "a", "champion", range(10), 0.25)
    said(opened, RISK, "b", "champion", range(10, 18), 0.25)
    yield opened
    opened.close()


def model(store: Store, slot: Slot = SLOT, clock: Clock | None = None) -> ServedModel:
    rows = rows_of(store, slot, START, START + 100 * MINUTE)
    return ServedModel(rows, clock or Clock())


def frame(*bars: int, symbol: str = "BTC-USDT", timeframe: str = "1m") -> pd.DataFrame:
    index = pd.DatetimeIndex([utc(START + k * MINUTE) for k in bars])
    made = pd.DataFrame({"return_1": np.zeros(len(bars))}, index)
    made.attrs = {"symbol": symbol, "timeframe": timeframe}
    return made


def closed(bar: int, symbol: str = "BTC-USDT") -> Clock:
    return Clock(symbol, START + (bar + 1) * MINUTE)


def test_each_bar_has_the_answer_of_the_champion_of_its_time(store: Store) -> None:
    asked = model(store, clock=closed(17))
    first, later = asked.predict(frame(9)), asked.predict(frame(10))
    assert (first["direction"], first["probability"]) == ("UP", 0.7)
    assert (later["direction"], later["probability"]) == ("DOWN", 0.4)
    assert later["novelty"] is None
    told = asked.told()
    assert told["answered_by"] == {"recipe-a": 1, "recipe-b": 1}
    assert (told["served"], told["asked"], told["unanswered"]) == (18, 2, 0)


def test_an_answer_is_the_one_that_the_head_of_that_version_gives(store: Store) -> None:
    asked = model(store, RISK, closed(17))
    for bar, version in ((3, "a"), (12, "b")):
        head = make_head("risk", {"probability_quantiles": TABLES[version]})
        assert float(asked.predict(frame(bar))) == float(head.decode_one([0.25], None))
    assert float(asked.predict(frame(3))) != float(asked.predict(frame(12)))
    with pytest.raises(NotAnswered, match="several versions"):
        asked.predict(frame(9, 10))


def test_bars_that_nobody_served_have_no_answer(store: Store) -> None:
    asked = model(store, clock=closed(60))
    for bar in (18, 22, 50):  # shadow, filled in afterwards, never
        with pytest.raises(NotAnswered, match="served nothing of BTC-USDT"):
            asked.predict(frame(bar))
    with pytest.raises(NotAnswered, match="ETH-USDT"):
        asked.predict(frame(3, symbol="ETH-USDT"))
    assert asked.told()["unanswered"] == 4


def test_a_later_bar_than_the_one_looked_at_is_not_answered(store: Store) -> None:
    asked = model(store, clock=closed(5))
    asked.predict(frame(5))
    with pytest.raises(NotAnswered, match="has not closed"):
        asked.predict(frame(6))


def test_a_bare_row_is_about_the_bar_that_is_looked_at(store: Store) -> None:
    clock = closed(4)
    asked = model(store, clock=clock).bind(("return_1",))
    assert asked.predict(np.zeros(1, np.float32))["probability"] == 0.7
    clock.close_ms = START + 12 * MINUTE + 30_000  # of the bar that closed last
    assert asked.predict(np.zeros(1, np.float32))["probability"] == 0.4


def test_several_rows_are_answered_in_arrays(store: Store) -> None:
    answer = model(store, clock=closed(17)).predict(frame(8, 9, 10))
    assert answer["probability"].tolist() == [0.7, 0.7, 0.4]
    assert answer["direction"].tolist() == ["UP", "UP", "DOWN"]


def test_rows_of_another_timeframe_are_refused(store: Store) -> None:
    with pytest.raises(FeatureError, match="5m"):
        model(store, clock=closed(9)).predict(frame(3, timeframe="5m"))


def test_what_was_said_after_the_bar_by_a_later_version_does_not_count(store: Store) -> None:
    """A row of the role champion whose version was not there when the bar closed."""
    said(store, SLOT, "b", "champion", range(3), 0.1, made=-1)
    asked = model(store, clock=closed(17))
    assert asked.predict(frame(2))["probability"] == 0.7
    assert asked.told()["late"] == 3


def test_of_two_champions_at_one_bar_the_first_to_speak_counts(store: Store) -> None:
    said(store, SLOT, "a", "champion", range(15, 16), 0.8, made=99)
    said(store, SLOT, "a", "champion", range(40, 41), 0.8, made=99)
    said(store, SLOT, "b", "champion", range(40, 41), 0.3, made=41)
    asked = model(store, clock=closed(60))
    assert asked.predict(frame(15))["probability"] == 0.4
    assert asked.predict(frame(40))["probability"] == 0.3


def test_load_model_answers_with_it_inside_a_block(store: Store) -> None:
    served = model(store, clock=closed(9))

    def answering(name: str, timeframe: str | None) -> ServedModel:
        if name != "model_001":
            raise ModelNotFound(name)
        return served

    with opening(Opening(None, answering)):
        assert load_model("model_001").predict(frame(3))["direction"] == "UP"
        with pytest.raises(ModelNotFound):
            load_model("model_002")
