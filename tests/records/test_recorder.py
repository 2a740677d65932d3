"""Live predictions reach the ledger, and never stand in the way of who makes them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market.errors import BadSymbol
from models.common.ensemble import EnsemblePredictor
from models.common.predictor import load_model
from orchestration.recorder import Recorder
from orchestration.said import drain
from orchestration.spool import Spool
from orchestration.store import Store
from orchestration.store.errors import BadRecord, DatabaseDown
from tests.models import tiny

ROOT = Path(__file__).parents[2]
SLOT = "majors/direction/1m"
MINUTE = 60_000
BAR = 1_748_390_400_000  # 2025-05-28T00:00:00Z
ROW = dict(zip(tiny.NAMES, tiny.ROWS[0].tolist(), strict=True))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tiny.bundle(tmp_path / "models")
    return tmp_path


@pytest.fixture
def known(store: Store) -> Store:
    store.register_model(SLOT, "v1", status="champion", serves_from_ms=BAR)
    return store


def at(bar_ms: int) -> Callable[[], float]:
    """Return a clock that stands two seconds after the close of a bar."""
    return lambda: (bar_ms + MINUTE) / 1000 + 2


def recorded(store: Store) -> list[tuple[str, int, str, float]]:
    rows = store.ledger(SLOT)
    return list(zip(rows["symbol"], rows["ts_ms"], rows["role"], rows["raw_0"], strict=True))


def test_the_answer_is_unchanged_and_what_it_was_made_of_is_recorded(
    known: Store, home: Path
) -> None:
    model = load_model(f"{SLOT.rsplit('/', 1)[0]}/v1", home=home)
    with Recorder(known, clock=at(BAR)) as recorder:
        live = recorder.of(model)
        assert live.predict(ROW, symbol="BTC/USDT", ts=BAR) == model.predict(ROW)
        assert live.features == model.features
    raw = model.raw(ROW)[0, 0]
    assert recorded(known) == [("BTC-USDT", BAR, "champion", float(raw))]
    assert known.ledger(SLOT)["made_ms"].tolist() == [BAR + MINUTE + 2000]
    assert (recorder.written, recorder.waiting, recorder.dropped) == (1, 0, 0)


def test_a_bound_model_and_a_frame_are_recorded_too(known: Store, home: Path) -> None:
    model = load_model("majors/direction/v1", home=home)
    with Recorder(known, clock=at(BAR + MINUTE)) as recorder:
        quick = recorder.of(model.bind(tiny.NAMES))
        quick.predict(tiny.ROWS[0], symbol="BTC-USDT", ts=BAR)
        frame = pd.DataFrame(tiny.ROWS[:2], columns=list(tiny.NAMES))
        times = pd.to_datetime([BAR, BAR + MINUTE], unit="ms", utc=True)
        recorder.of(model).predict(frame, symbol="ETH-USDT", ts=times)
        with pytest.raises(BadRecord, match="2 rows and 1 times"):
            recorder.of(model).predict(frame, symbol="ETH-USDT", ts=[BAR])
        with pytest.raises(BadSymbol):
            quick.predict(tiny.ROWS[0], symbol="?", ts=BAR)
    raw = model.raw(tiny.ROWS)[:, 0].astype(np.float64)
    assert recorded(known) == [
        ("BTC-USDT", BAR, "champion", raw[0]),
        ("ETH-USDT", BAR, "champion", raw[0]),
        ("ETH-USDT", BAR + MINUTE, "champion", raw[1]),
    ]


def test_who_writes_a_bar_first_has_written_it(known: Store, home: Path) -> None:
    frame = pd.DataFrame({"symbol": ["BTC-USDT"], "ts_ms": [BAR], "raw_0": [0.25]})
    known.add_predictions(SLOT, "v1", "champion", frame, made_ms=1)
    with Recorder(known, clock=at(BAR)) as recorder:
        live = recorder.of(load_model("majors/direction/v1", home=home))
        for _ in range(3):
            live.predict(ROW, symbol="BTC-USDT", ts=BAR)
    assert recorded(known) == [("BTC-USDT", BAR, "champion", 0.25)]


def test_a_home_is_enough(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEWHEEL_CONFIG", raising=False)
    monkeypatch.chdir(home)
    with Recorder.at_home(home, clock=at(BAR)) as recorder:
        recorder._store.register_model(SLOT, "v1", status="challenger", serves_from_ms=BAR)
        live = recorder.of(load_model("majors/direction/v1", home=home))
        live.predict(ROW, symbol="BTC-USDT", ts=BAR)
    store = Store(f"sqlite:///{home}/tidewheel.db")
    assert [row[:3] for row in recorded(store)] == [("BTC-USDT", BAR, "shadow")]
    store.close()


def test_a_thread_writes_by_itself(known: Store, home: Path) -> None:
    recorder = Recorder(known, every_s=0.02, clock=at(BAR))
    recorder.of(load_model("majors/direction/v1", home=home)).predict(
        ROW, symbol="BTC-USDT", ts=BAR
    )
    deadline = time.monotonic() + 30
    while not recorded(known):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    recorder.close()
    recorder.close()


@pytest.mark.parametrize(
    ("ts", "reason"),
    [
        (BAR + 1, "ts is not the open of a bar"),
        (BAR + MINUTE, "the bar had not closed"),
        (BAR - 2 * 60 * MINUTE, "the bar had closed more than an hour before"),
        (BAR - 5 * MINUTE, "the version was not in service at that bar"),
    ],
)
def test_what_is_no_live_prediction_is_counted_and_left_out(
    known: Store, home: Path, ts: int, reason: str
) -> None:
    with Recorder(known, clock=at(BAR)) as recorder:
        recorder.of(load_model("majors/direction/v1", home=home)).predict(
            ROW, symbol="BTC-USDT", ts=ts
        )
    assert recorder.refused == {reason: 1}
    assert recorded(known) == []


def test_a_version_that_is_not_registered_is_told(store: Store, home: Path) -> None:
    with Recorder(store, clock=at(BAR)) as recorder:
        live = recorder.of(load_model("majors/direction/v1", home=home))
        live.predict(ROW, symbol="BTC-USDT", ts=BAR)
    assert recorder.refused == {f"{SLOT}/v1 is not registered": 1}


def test_an_ensemble_is_refused(known: Store, home: Path) -> None:
    blend = EnsemblePredictor(["majors/direction/v1"], home=home)
    with Recorder(known) as recorder, pytest.raises(BadRecord, match="record its members"):
        recorder.of(blend)  # type: ignore[arg-type]


class Down(Store):
    """A store whose database cannot be reached until it is brought back."""

    back = False

    def get_model(self, name: str):
        if not self.back:
            raise DatabaseDown("the database failed: connection refused")
        return super().get_model(name)


@pytest.fixture
def down(tmp_path: Path) -> Iterator[Down]:
    store = Down(f"sqlite:///{tmp_path}/ledger.db")
    store.back = True
    store.register_model(SLOT, "v1", status="champion", serves_from_ms=BAR)
    store.back = False
    yield store
    store.close()


def test_with_the_database_down_predictions_go_on_and_rows_wait(down: Down, home: Path) -> None:
    recorder = Recorder(down, clock=at(BAR + 9 * MINUTE))
    live = recorder.of(load_model("majors/direction/v1", home=home))
    for k in range(10):
        assert live.predict(ROW, symbol="BTC-USDT", ts=BAR + k * MINUTE)["direction"] == "UP"
    assert not recorder.flush()
    assert recorder.waiting == 10
    down.back = True
    assert recorder.flush()
    assert [row[1] for row in recorded(down)] == [BAR + k * MINUTE for k in range(10)]
    recorder.close()


def test_rows_outlive_a_process_whose_database_was_down(
    down: Down, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = tmp_path / "spool"
    with Recorder(down, spool=spool, clock=at(BAR)) as recorder:
        live = recorder.of(load_model("majors/direction/v1", home=home))
        live.predict(ROW, symbol="BTC-USDT", ts=BAR)
        live.predict(ROW, symbol="ETH-USDT", ts=BAR)
    assert "2 rows are kept in" in caplog.text
    assert recorder.dropped == 0
    (spool / "0-damaged.json").write_text("[[")
    with pytest.raises(DatabaseDown):
        drain(Spool(spool), down)
    down.back = True
    assert drain(Spool(spool), down) == 2
    assert drain(Spool(spool), down) == 0
    assert [row[0] for row in recorded(down)] == ["BTC-USDT", "ETH-USDT"]
    assert [path.name for path in spool.iterdir() if path.name != ".lock"] == ["0-damaged.damaged"]
    # Without a spool the loss is told.
    down.back = False
    with Recorder(down, clock=at(BAR)) as recorder:
        recorder.of(load_model("majors/direction/v1", home=home)).predict(
            ROW, symbol="XRP-USDT", ts=BAR
        )
    assert recorder.dropped == 1
    assert "1 rows dropped" in caplog.text


def test_what_waited_while_another_took_over_has_the_role_in_which_it_was_said(
    store: Store, tmp_path: Path
) -> None:
    """Users got the old champion's answers, though they are written down when it is one no more."""
    swapped = BAR + 2 * MINUTE
    facts = {"serves_from_ms": BAR, "simulated": True}
    store.register_model(SLOT, "old", status="superseded", reign_ended_ms=swapped, **facts)
    store.register_model(SLOT, "new", status="champion", reign_began_ms=swapped, **facts)
    store.register_model(SLOT, "plain", status="baseline", **facts)
    spool = Spool(tmp_path / "spool")
    spool.keep(
        [
            (SLOT, version, "A", ts, [0.6], ts + MINUTE + 1)
            for version in ("old", "new", "plain")
            for ts in range(BAR, BAR + 4 * MINUTE, MINUTE)
        ]
    )
    assert drain(spool, store) == 12
    rows = store.ledger(SLOT).sort_values("ts_ms")
    roles = {version: own["role"].tolist() for version, own in rows.groupby("version")}
    assert roles == {
        "old": ["champion"] * 2 + ["shadow"] * 2,
        "new": ["shadow"] * 2 + ["champion"] * 2,
        "plain": ["baseline"] * 4,
    }


@pytest.mark.parametrize(
    "text",
    ["7", "{}", "[7]", '["six"]', '[["slot", "v1"]]', '[["slot", "v1", "A", "b", [1], 2]]'],
)  # fmt: skip
def test_a_file_that_holds_no_rows_does_not_stand_in_the_way(
    known: Store, tmp_path: Path, text: str
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.folder.mkdir()
    (spool.folder / "0-7.json").write_text(text)
    spool.keep([(SLOT, "v1", "BTC-USDT", BAR, [0.5], BAR + MINUTE + 2000)])
    assert drain(spool, known) == 1
    left = [path.name for path in spool.folder.iterdir() if path.name != ".lock"]
    assert left in (["0-7.damaged"], []), "an empty list of rows is no damage"


def test_a_database_that_was_damaged_costs_no_row(home: Path, tmp_path: Path) -> None:
    """A bad disk is a database that is down: rows wait, and the thread lives."""
    file, spool = tmp_path / "ledger.db", tmp_path / "spool"
    store = Store(f"sqlite:///{file}")
    store.register_model(SLOT, "v1", status="champion", serves_from_ms=BAR)
    store.close()
    whole = file.read_bytes()
    for path in tmp_path.glob("ledger.db-*"):
        path.unlink()
    file.write_bytes(b"no database at all, only words" * 999)
    with Recorder(store, spool=spool, clock=at(BAR), every_s=60) as recorder:
        live = recorder.of(load_model("majors/direction/v1", home=home))
        live.predict(ROW, symbol="BTC-USDT", ts=BAR)
        assert not recorder.flush()
    assert (recorder.dropped, len(list(spool.glob("*.json")))) == (0, 1)
    store.close()
    file.write_bytes(whole)
    assert drain(Spool(spool), store) == 1


def test_the_queue_is_bounded(down: Down, home: Path) -> None:
    recorder = Recorder(down, room=5, every_s=60, clock=at(BAR))
    live = recorder.of(load_model("majors/direction/v1", home=home))
    for _ in range(8):
        live.predict(ROW, symbol="BTC-USDT", ts=BAR)
    assert (recorder.waiting, recorder.dropped) == (5, 3)
    recorder.close()
    assert recorder.dropped == 8


def test_many_threads_lose_nothing(known: Store, home: Path) -> None:
    with Recorder(known, every_s=0.01, clock=at(BAR + 59 * MINUTE)) as recorder:
        live = recorder.of(load_model("majors/direction/v1", home=home))

        def predict(symbol: str) -> None:
            for k in range(60):
                live.predict(ROW, symbol=symbol, ts=BAR + k * MINUTE)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(predict, ["A-USDT", "B-USDT", "C-USDT", "D-USDT"]))
    assert len(recorded(known)) == 240


def test_a_process_that_ends_without_a_word_has_written(home: Path) -> None:
    """Nobody need call close: the end of the interpreter does."""
    url = f"sqlite:///{home}/ledger.db"
    store = Store(url)
    store.register_model(SLOT, "v1", status="champion", serves_from_ms=BAR)
    code = f"""
from models.common.predictor import load_model
from orchestration.recorder import Recorder
from orchestration.store import Store
recorder = Recorder(Store({url!r}), clock=lambda: {(BAR + MINUTE) / 1000})
model = recorder.of(load_model("majors/direction/v1", home={str(home)!r}))
model.predict({ROW!r}, symbol="BTC-USDT", ts={BAR})
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert len(recorded(store)) == 1
    store.close()
