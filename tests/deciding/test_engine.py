"""The ledger's arithmetic: who predicts which bar, what settles it, and what a track is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from market.source import open_source
from ml_pipeline.panel import Panel
from orchestration import engine
from orchestration.engine import recording
from orchestration.store.store import Store
from tests.deciding.ledgers import DIRECTION, MINUTE, START, START_MS, say


def test_outcomes_are_stored_when_the_horizon_has_passed_and_once(store: Store) -> None:
    candles = open_source("simulated:seed=7").fetch(
        "BTC-USDT", "1m", START, START + pd.Timedelta("1h")
    )
    bars = [10, 20, 53, 54, 55, 59]
    say(store, DIRECTION, "v1", "champion", {("BTC-USDT", bar): [0.6] for bar in bars})
    at = START_MS + 60 * MINUTE
    new = engine.resolve(store, DIRECTION, {"BTC-USDT": candles}, START_MS, at)
    # Bar t is known when bar t + 5 has closed: of 60 bars the last known one is bar 54.
    assert new == 4
    assert engine.resolve(store, DIRECTION, {"BTC-USDT": candles}, START_MS, at) == 0
    ledger = store.ledger(DIRECTION.key).set_index("ts_ms")
    close = candles["close"].to_numpy()
    for bar in (10, 20, 53, 54):
        moved = np.sign(close[bar + 5] - close[bar])
        outcome = ledger.loc[START_MS + bar * MINUTE, "outcome_0"]
        assert np.isnan(outcome) if moved == 0 else outcome == (moved > 0)
    assert not ledger.loc[START_MS + 55 * MINUTE, "resolved"]


def test_a_bar_whose_horizon_has_a_hole_is_settled_as_void(store: Store) -> None:
    candles = open_source("simulated:seed=7").fetch(
        "BTC-USDT", "1m", START, START + pd.Timedelta("1h")
    )
    holed = candles.drop(candles.index[12])
    say(store, DIRECTION, "v1", "champion", {("BTC-USDT", bar): [0.6] for bar in (10, 20)})
    engine.resolve(store, DIRECTION, {"BTC-USDT": holed}, START_MS, START_MS + 60 * MINUTE)
    ledger = store.ledger(DIRECTION.key)
    assert ledger["resolved"].tolist() == [True, True]
    assert ledger["outcome_0"].isna().tolist() == [True, False]


def test_a_symbol_without_candles_stays_open(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("BTC-USDT", 3): [0.6]})
    assert engine.resolve(store, DIRECTION, {}, START_MS, START_MS + 60 * MINUTE) == 0
    assert len(store.unresolved(DIRECTION.key, START_MS + 60 * MINUTE)) == 1


def test_the_champion_comes_first_and_what_is_out_does_not_predict(store: Store) -> None:
    for version, status in (
        ("a", "challenger"),
        ("b", "champion"),
        ("c", "archived"),
        ("d", "unproven"),
    ):
        store.register_model(DIRECTION.key, version, status=status)
    assert [m.version for m in engine.in_service(store, DIRECTION)] == ["b", "d", "a"]


def bars_of(*symbols: str, bars: range) -> Panel:
    """Return a panel without features: each symbol at each bar."""
    ts = np.repeat(START_MS + np.array(bars, dtype=np.int64) * MINUTE, len(symbols))
    owner = np.tile(np.arange(len(symbols), dtype=np.int16), len(bars))
    nothing = np.empty((len(ts), 0), dtype=np.float32)
    return Panel("1m", symbols, (), ts, owner, nothing, np.ones(len(ts)), {})


def test_a_symbol_whose_candles_came_late_is_predicted_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.register_model(DIRECTION.key, "v1", status="champion", serves_from_ms=START_MS + MINUTE)
    registry: Any = SimpleNamespace(folder=lambda *_: None, read=lambda _: None)
    monkeypatch.setattr(recording, "raw_output", lambda _, panel: np.full((len(panel), 1), 0.6))
    alone = bars_of("B", bars=range(4))
    assert engine.record(store, registry, DIRECTION, alone, START_MS).rows == 3
    both = bars_of("A", "B", bars=range(6))
    assert engine.record(store, registry, DIRECTION, both, START_MS).rows == 5 + 2
    assert engine.record(store, registry, DIRECTION, both, START_MS).rows == 0


def test_bars_before_a_promotion_by_hand_are_those_of_the_champion_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users got what served then, though it is recorded only now."""
    began = {"serves_from_ms": START_MS}
    at, back = START_MS + 2 * MINUTE, START_MS + 4 * MINUTE
    old = {"status": "challenger", "reign_ended_ms": at}
    store.register_model(DIRECTION.key, "old", **began, **old)
    store.register_model(DIRECTION.key, "new", status="champion", reign_began_ms=at, **began)
    registry: Any = SimpleNamespace(folder=lambda *_: None, read=lambda _: None)
    monkeypatch.setattr(recording, "raw_output", lambda _, panel: np.full((len(panel), 1), 0.6))
    engine.record(store, registry, DIRECTION, bars_of("A", bars=range(4)), START_MS)

    def said(version: str) -> list[str]:
        return store.ledger(DIRECTION.key, version)["role"].tolist()

    assert said("old") == ["champion"] * 2 + ["shadow"] * 2
    assert said("new") == ["shadow"] * 2 + ["champion"] * 2
    # And back again, at once.
    store.register_model(DIRECTION.key, "old", status="champion", reign_began_ms=back)
    store.register_model(DIRECTION.key, "new", status="challenger", reign_ended_ms=back)
    engine.record(store, registry, DIRECTION, bars_of("A", bars=range(6)), START_MS)
    assert said("old")[4:] == ["champion"] * 2
    assert said("new")[4:] == ["shadow"] * 2


def test_bars_before_one_that_was_written_live_are_predicted_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strategy that predicts live writes the bars it saw, and no others."""
    store.register_model(DIRECTION.key, "v1", status="champion", serves_from_ms=START_MS + MINUTE)
    say(store, DIRECTION, "v1", "champion", {("B", 3): [0.9]})
    registry: Any = SimpleNamespace(folder=lambda *_: None, read=lambda _: None)
    monkeypatch.setattr(recording, "raw_output", lambda _, panel: np.full((len(panel), 1), 0.6))
    panel = bars_of("A", "B", bars=range(5))
    assert engine.record(store, registry, DIRECTION, panel, START_MS).rows == 4 + 3
    assert engine.record(store, registry, DIRECTION, panel, START_MS).rows == 0
    own = store.ledger(DIRECTION.key).query("symbol == 'B'")
    assert own["raw_0"].tolist() == [0.6, 0.6, 0.9, 0.6]


def test_a_model_of_features_that_are_not_here_is_named_and_the_others_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bundle knows a column of the user's own that means nothing in this process."""
    for version in ("v1", "v2"):
        store.register_model(DIRECTION.key, version, status="challenger", serves_from_ms=START_MS)
    schemas = {"v1": {"my_own": "0" * 16}, "v2": {"rsi_14": "0" * 16}}
    run = SimpleNamespace(run=lambda X: np.full((len(X), 1), 0.6, np.float32))
    head = SimpleNamespace(check=lambda raw: None)

    def read(version: str) -> Any:
        schema = SimpleNamespace(hashes=schemas[version], names=())
        return SimpleNamespace(key=version, schema=schema, runner=run, head=head)

    registry: Any = SimpleNamespace(folder=lambda _, version: version, read=read)
    said = engine.record(store, registry, DIRECTION, bars_of("B", bars=range(4)), START_MS)
    assert said.rows == 4
    assert "my_own (unknown or refused in this process" in said.broken["v1"]
