"""Lines: at each bar what the freshest version in service said, by one meaning of an event."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.losses import log_loss
from models.common.slot import Slot
from orchestration.judge.lines import Lines, lines_of
from orchestration.store.records import ModelRecord
from orchestration.store.store import Store
from tests.deciding.ledgers import DIRECTION, MINUTE, START, START_MS, came, say


def found(store: Store, slot: Slot = DIRECTION) -> Lines:
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    return lines_of(slot, store.ledger(slot.key), models)


def test_a_line_is_its_freshest_version_in_service_bar_by_bar(store: Store) -> None:
    say(store, DIRECTION, "d1_a", "shadow", {("A", 0): [0.9], ("A", 1): [0.9]}, recipe="a")
    say(store, DIRECTION, "d2_a", "champion", {("A", 1): [0.2], ("A", 2): [0.2]}, recipe="a")
    say(store, DIRECTION, "d2_b", "shadow", {("B", 1): [0.7]}, recipe="b")
    came(store, DIRECTION, {(s, bar): [1.0] for s in "AB" for bar in range(3)})
    lines = found(store)
    assert sorted(lines.lines) == ["a", "b"]
    a = lines.lines["a"]
    assert lines.symbols == ("A", "B")
    assert a.raw[:, 0, 0].tolist() == [0.9, 0.2, 0.2]  # the fresher one, as soon as it serves
    assert [lines.versions[k] for k in a.version[:, 0]] == ["d1_a", "d2_a", "d2_a"]
    assert a.loss[:, 0] == pytest.approx(log_loss([1, 1, 1], [0.9, 0.2, 0.2]))
    assert not a.known[:, 1].any()
    assert lines.lines["b"].known.tolist() == [[False, False], [False, True], [False, False]]


def test_what_was_said_in_time_goes_before_what_was_filled_in(store: Store) -> None:
    say(store, DIRECTION, "d1_a", "shadow", {("A", 1): [0.9]}, recipe="a")
    say(store, DIRECTION, "d2_a", "backfill", {("A", 0): [0.2], ("A", 1): [0.2]}, recipe="a")
    came(store, DIRECTION, {("A", bar): [1.0] for bar in range(2)})
    a = found(store).lines["a"]
    assert a.raw[:, 0, 0].tolist() == [0.2, 0.9]
    assert a.live[:, 0].tolist() == [False, True]


def test_a_line_does_not_depend_on_the_order_of_rows(store: Store) -> None:
    for day in range(3):
        bars = {("A", bar): [0.1 * (day + 1)] for bar in range(day, 4)}
        say(store, DIRECTION, f"d{day}_a", "shadow", bars, recipe="a")
    came(store, DIRECTION, {("A", bar): [1.0] for bar in range(4)})
    models = {model.version: model for model in store.list_models()}
    rows = store.ledger(DIRECTION.key)
    one = lines_of(DIRECTION, rows, models).lines["a"]
    other = lines_of(DIRECTION, rows.iloc[::-1], models).lines["a"]
    assert one.raw.tolist() == other.raw.tolist()
    assert one.raw[:, 0, 0] == pytest.approx([0.1, 0.2, 0.3, 0.3])


def test_an_event_is_what_the_baseline_of_the_bar_calls_one(store: Store) -> None:
    slot = Slot("majors", "risk", "1m")
    bars = [("A", 0), ("A", 1)]
    low, high = {"event_threshold": 0.01}, {"event_threshold": 0.02}
    said = {bar: [0.5] for bar in bars}
    say(store, slot, "d1_a", "shadow", said, recipe="a", head={"event_threshold": 0.005})
    say(store, slot, "d1_baseline", "baseline", {bars[0]: [0.0]}, baseline=True, head=high)
    say(store, slot, "d2_baseline", "baseline", {bars[1]: [0.0]}, baseline=True, head=low)
    came(store, slot, {bar: [0.015] for bar in bars})
    lines = found(store, slot)
    assert lines.plain is not None
    assert lines.plain.loss[:, 0].tolist() == [0.0, 1.0], "none for the first, one for the second"
    assert lines.lines["a"].loss[:, 0].tolist() == [0.25, 0.25]
    assert lines.outcome[:, 0, 0].tolist() == [0.0, 1.0]


def test_where_no_baseline_answered_the_freshest_event_counts(store: Store) -> None:
    slot = Slot("majors", "risk", "1m")
    low, high = {"event_threshold": 0.01}, {"event_threshold": 0.02}
    say(store, slot, "d1_baseline", "baseline", {("A", 0): [0.0]}, baseline=True, head=high)
    say(store, slot, "d2_a", "shadow", {("A", 1): [0.0]}, recipe="a", head=low)
    came(store, slot, {("A", 0): [0.015], ("A", 1): [0.015]})
    lines = found(store, slot)
    assert lines.plain is not None
    assert lines.plain.loss[0, 0] == 0.0
    assert lines.lines["a"].loss[1, 0] == 1.0


def test_a_line_that_fell_begins_its_ledger_anew(store: Store) -> None:
    """Weeks before a fall would else bring it back two turns after."""
    fell = {"fell_ms": START_MS + 2 * MINUTE}
    said = {("A", bar): [0.9] for bar in range(3)}
    say(store, DIRECTION, "d1_a", "champion", said, recipe="a", **fell)
    say(store, DIRECTION, "d2_a", "shadow", {("A", bar): [0.2] for bar in (3, 4)}, recipe="a")
    say(store, DIRECTION, "d2_b", "shadow", {("A", bar): [0.7] for bar in range(5)}, recipe="b")
    came(store, DIRECTION, {("A", bar): [1.0] for bar in range(5)})
    lines = found(store)
    assert lines.lines["a"].known[:, 0].tolist() == [False, False, True, True, True]
    assert lines.lines["b"].known.all()
    models = {model.version: model for model in store.list_models(slot_key=DIRECTION.key)}
    record = lines_of(DIRECTION, store.ledger(DIRECTION.key), models, whole=True)
    assert record.lines["a"].known.all()  # a record of what was said forgets nothing


def test_void_and_open_bars_are_in_no_line(store: Store) -> None:
    say(store, DIRECTION, "d1_a", "shadow", {("A", bar): [0.9] for bar in range(3)}, recipe="a")
    came(store, DIRECTION, {("A", 0): [np.nan], ("A", 1): [1.0]})
    lines = found(store)
    assert len(lines.ts) == 2
    assert lines.lines["a"].known[:, 0].tolist() == [False, True]


@pytest.mark.parametrize("kind", ["direction", "risk", "volatility"])
def test_an_empty_ledger_has_no_lines(store: Store, kind: str) -> None:
    lines = found(store, Slot("majors", kind, "1m"))
    assert (lines.lines, lines.plain, len(lines.ts)) == ({}, None, 0)


def test_six_hundred_thousand_rows_take_about_a_second() -> None:
    bars, symbols = 40_000, ("BTC-USDT", "ETH-USDT", "XRP-USDT")
    recipes = ("a", "b", "c", "d", "baseline")
    rng = np.random.default_rng(0)
    ts = START_MS + MINUTE * np.repeat(np.arange(bars), len(symbols))
    parts, models = [], {}
    for recipe in recipes:
        day = np.repeat(np.arange(bars) // 720, len(symbols))
        names = np.array([f"d{k:02d}_{recipe}" for k in range(day.max() + 1)], dtype=object)
        for name in names:
            facts = {"recipe": recipe, "baseline": recipe == "baseline"}
            models[name] = ModelRecord("s", name, name, "superseded", facts, START, START)
        parts.append(
            pd.DataFrame(
                {
                    "symbol": np.tile(np.array(symbols, dtype=object), bars),
                    "ts_ms": ts,
                    "version": names[day],
                    "role": "shadow",
                    "made_ms": ts,
                    "resolved": True,
                    "raw_0": rng.uniform(size=len(ts)),
                    "outcome_0": 1.0,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    assert len(rows) == 600_000
    begun = time.process_time()
    lines = lines_of(DIRECTION, rows, models)
    assert time.process_time() - begun < 3.0
    assert all(line.known.all() for line in lines.lines.values())
