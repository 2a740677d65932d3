"""The prediction engine and its database: rows of ledger and cache, and days without a database."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from models.common.opening import Opening, opening
from models.common.slot import Slot
from orchestration.engine import PredictionConfig, PredictionEngine
from orchestration.said import drain
from orchestration.service.served import Clock, ServedModel, rows_of
from orchestration.spool import Spool
from orchestration.store import Store
from orchestration.store.records import AnswerRecord
from strategies.errors import NotAnswered
from tests.predicting import house

SLOT = "majors/price/1h"


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return house.candles()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    house.serve(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def make(home: Path) -> Iterator[Callable[..., PredictionEngine]]:
    """Return a maker of engines whose clock stands after the last candle they are shown."""
    made: list[PredictionEngine] = []

    def engine(url: str, clock: Callable[[], float] = house.clock, **more: Any) -> PredictionEngine:
        config = PredictionConfig(home=home, database_url=url, **more)
        made.append(PredictionEngine(config, clock=clock))
        return made[-1]

    yield engine
    for one in made:
        one.close()


def registered(url: str) -> Store:
    store = Store(url)
    store.register_model(SLOT, "v1", status="champion", serves_from_ms=0, simulated=True)
    return store


def rows(store: Store) -> list[tuple[str, int, str, float]]:
    found = store.ledger(SLOT)
    names = ("symbol", "ts_ms", "role", "raw_0")
    return list(zip(*(found[name] for name in names), strict=True)) if len(found) else []


def opened(candles: pd.DataFrame, place: int = -1) -> int:
    return int(pd.DatetimeIndex(candles.index).asi8[place])


def waits_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_answer_is_a_row_of_the_ledger_once(
    database_url: str, make: Callable[..., PredictionEngine], candles: pd.DataFrame
) -> None:
    store = registered(database_url)
    engine = make(database_url)
    for _ in range(3):
        said = engine.predict(candles)
    assert engine.sync()
    ((symbol, ts, role, expected),) = rows(store)
    assert (symbol, ts, role) == ("BTC-USDT", opened(candles), "champion")
    assert expected == said.values["expected_return"]
    health = engine.health()
    assert (health["database"], health["written"], health["waiting"]) == ("up", 1, 0)
    nameless = candles.copy()
    nameless.attrs = {}
    engine.predict(nameless)
    engine.sync()
    assert len(rows(store)) == 1, "without a symbol there is no place in the ledger"
    store.close()


def test_another_process_gets_the_same_bits_without_computing_and_records_what_it_says(
    database_url: str, make: Callable[..., PredictionEngine], candles: pd.DataFrame
) -> None:
    silent = make(database_url, record=False)
    first = silent.predict(candles)
    assert silent.sync()
    store = registered(database_url)
    assert rows(store) == []
    other = make(database_url)
    assert other.sync()
    again = other.predict(candles)
    assert again.cached
    assert again.as_dict() == first.as_dict() | {"cached": True}
    other.sync()
    assert len(rows(store)) == 1
    other.predict(candles)
    assert other.health()["waiting"] == 0
    store.close()


def test_the_table_is_bounded_and_what_is_none_of_ours_is_passed_over(
    database_url: str, make: Callable[..., PredictionEngine], candles: pd.DataFrame
) -> None:
    store = Store(database_url)
    store.keep_answers([AnswerRecord("x/price/1h/v1", "A", 0, "f", {"some": "thing"}, 0)], 10)
    engine = make(database_url, cache_rows=5, record=False)
    for stop in range(2000, 2012):
        engine.predict(candles.iloc[:stop])
    assert engine.sync()
    kept = store.kept_answers()
    assert [row.ts_ms for row in kept] == [opened(candles.iloc[:s]) for s in range(2007, 2012)]
    assert engine.health()["cached"] == 5
    assert {row.version for row in kept} == {f"{SLOT}/v1"}
    store.close()


def test_an_ensemble_that_is_on_answers_and_one_that_is_off_does_not(
    database_url: str, make: Callable[..., PredictionEngine], home: Path, candles: pd.DataFrame
) -> None:
    from models.common.ensemble import EnsemblePredictor

    EnsemblePredictor(["majors/price/v1"], home=home).save_config("ensemble_001")
    store = registered(database_url)
    store.save_ensemble("ensemble_001", {"slot": SLOT})
    engine = make(database_url, ensembles=True)
    assert engine.predict(candles).version == "v1"
    store.set_ensemble_active("ensemble_001")
    engine.sync()
    assert engine.predict(candles).model_name == "ensemble_001"
    without = make(database_url)
    for _ in range(2):
        assert without.predict(candles).version == "v1"
        without.sync()
    store.set_ensemble_active("ensemble_001", active=False)
    engine.sync()
    assert engine.predict(candles).version == "v1"
    store.close()


def test_in_a_walk_forward_backtest_it_tells_what_was_served_and_nothing_else(
    tmp_path: Path, make: Callable[..., PredictionEngine], candles: pd.DataFrame
) -> None:
    url = f"sqlite:///{tmp_path}/replay.db"
    store = Store(url)
    head = {"interval_q": 1.64, "sign_slope": 0.5}
    opens = [opened(candles, -3), opened(candles, -2)]
    begun = pd.Timestamp(opens[0], unit="ms", tz="UTC").to_pydatetime()
    store.at(begun).register_model(SLOT, "v1", status="champion", head=head, recipe="ridge")
    said = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": opens, "raw": [[0.5, 0.1], [-0.5, 0.1]]})
    store.add_predictions(SLOT, "v1", "champion", said)
    served = rows_of(store, Slot.parse(SLOT), opens[0], opens[1] + 1)
    engine = make(url)
    with opening(Opening(answering=lambda *_: ServedModel(served, Clock("BTC-USDT", 2**52)))):
        first, second = (engine.predict(candles.iloc[:stop]) for stop in (-2, -1))
        with pytest.raises(NotAnswered):
            engine.predict(candles)
    assert first.price == pytest.approx(candles["close"].iloc[-3] * math.exp(0.5))
    assert (first.direction, second.direction) == ("UP", "DOWN")
    assert first.model_name == f"{SLOT}@served"
    engine.sync()
    assert len(rows(store)) == 2
    assert engine.health()["cached"] == 0
    store.close()


# ---------------------------------------------------------------- without a database


def test_a_database_that_is_not_there_yet_is_not_waited_for(
    tmp_path: Path, make: Callable[..., PredictionEngine], candles: pd.DataFrame
) -> None:
    """Its folder is a file until somebody mends that."""
    place = tmp_path / "records"
    place.write_text("not a folder")
    url = f"sqlite:///{place}/tidewheel.db"
    engine = make(url)
    said = engine.predict(candles)
    assert engine.predict(candles).cached
    assert not engine.sync()
    assert engine.health()["database"] == "down"
    assert engine.health()["waiting"] == 1
    place.unlink()
    store = registered(url)
    assert engine.sync()
    assert engine.health() | {"database": "up", "waiting": 0, "written": 1} == engine.health()
    assert rows(store)[0][3] == said.values["expected_return"]
    assert len(store.kept_answers()) == 1
    store.close()


def test_rows_of_a_process_that_ended_without_a_database_are_spooled(
    tmp_path: Path, make: Callable[..., PredictionEngine], home: Path, candles: pd.DataFrame
) -> None:
    (tmp_path / "records").write_text("not a folder")
    url = f"sqlite:///{tmp_path}/records/tidewheel.db"
    engine = make(url)
    engine.predict(candles)
    engine.close()
    engine.close()
    (tmp_path / "records").unlink()
    store = registered(url)
    assert drain(Spool(home / "spool"), store) == 1
    assert len(rows(store)) == 1
    store.close()


def test_a_locked_database_holds_nobody_up(
    tmp_path: Path, make: Callable[..., PredictionEngine], candles: pd.DataFrame
) -> None:
    url = f"sqlite:///{tmp_path}/tidewheel.db"
    store = registered(url)
    engine = make(url)
    engine.predict(candles.iloc[:2000])
    assert engine.sync()
    holder = sqlite3.connect(tmp_path / "tidewheel.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    syncing = threading.Thread(target=engine.sync)
    engine.predict(candles.iloc[:2001])
    syncing.start()
    slowest = 0.0
    for stop in range(2002, len(candles) + 1):
        began = time.perf_counter()
        assert engine.predict(candles.iloc[:stop]).price
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 1.0
    assert syncing.is_alive()
    holder.execute("ROLLBACK")
    holder.close()
    syncing.join()
    assert engine.sync()
    assert len(store.kept_answers()) == len(candles) - 2000 + 1
    # The ledger takes only what was said in time; the clock of this test stands at the end.
    assert [row[1] for row in rows(store)] == [opened(candles)]
    store.close()


def test_a_server_that_is_stopped_and_started_again(
    postgres_server: Any, make: Callable[..., PredictionEngine], home: Path, candles: pd.DataFrame
) -> None:
    url = postgres_server.url
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    store = registered(url)
    store.close()
    before, after = candles.iloc[:-1], candles
    now = [house.NOW_S - 3600]
    engine = make(url, lambda: now[0])
    engine.predict(before)
    assert engine.sync()
    now[0] = house.NOW_S
    postgres_server.stop()
    try:
        said = engine.predict(after)
        assert not said.cached
        assert engine.predict(after).cached
        assert not engine.sync()
        assert engine.health()["database"] == "down"
        # One that starts now answers as well, and with the same bits.
        late = make(url)
        assert late.predict(after).as_dict() == said.as_dict()
        assert not late.sync()
    finally:
        postgres_server.start()
    waits_for(engine.sync)
    waits_for(late.sync)
    store = Store(url)
    assert [row[1] for row in rows(store)] == [opened(candles, -2), opened(candles)]
    assert len(store.kept_answers()) == 2
    assert engine.health()["dropped"] == late.health()["dropped"] == 0
    store.close()
