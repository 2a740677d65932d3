"""The ledger's arithmetic: who predicts which bar, what settles it, and what a track is."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from market.source import open_source
from ml_pipeline.panel import Panel
from models.common.slot import Slot
from orchestration import engine
from orchestration.settings import load_settings
from orchestration.store.store import Store

MINUTE = 60_000
START = pd.Timestamp("2025-05-20", tz="UTC")
START_MS = int(START.timestamp() * 1000)
DIRECTION = Slot("majors", "direction", "1m")
VOLATILITY = Slot("majors", "volatility", "1m")


@pytest.fixture
def store(blank: Path, tmp_path: Path) -> Store:
    shutil.copytree(blank, tmp_path / "home")
    return Store(load_settings(home=tmp_path / "home").store_url)


def say(store: Store, slot: Slot, version: str, role: str, raws: dict, **facts: object) -> None:
    """Register a version and store what it said: raw numbers by (symbol, bar)."""
    store.register_model(slot.key, version, **facts)
    rows = [(s, START_MS + bar * MINUTE, list(raw)) for (s, bar), raw in raws.items()]
    store.add_predictions(
        slot.key, version, role, pd.DataFrame(rows, columns=["symbol", "ts_ms", "raw"])
    )


def came(store: Store, slot: Slot, outcomes: dict) -> None:
    rows = [(s, START_MS + bar * MINUTE, list(values)) for (s, bar), values in outcomes.items()]
    store.add_outcomes(slot.key, pd.DataFrame(rows, columns=["symbol", "ts_ms", "outcome"]))


def test_a_track_pairs_the_champion_with_the_baseline_bar_by_bar(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.8], ("B", 0): [0.4], ("A", 1): [0.6]})
    say(store, DIRECTION, "v0", "baseline", {("A", 0): [0.5], ("B", 0): [0.5], ("A", 1): [0.5]})
    came(store, DIRECTION, {("A", 0): [1.0], ("B", 0): [1.0], ("A", 1): [np.nan]})
    track = engine.track(store, DIRECTION)
    assert track.ts.tolist() == [START_MS]  # bar 1 did not move: it does not count
    gain = np.log(2) - (-np.log(0.8) - np.log(0.4)) / 2
    assert track.gain == pytest.approx([gain])
    assert track.score.tolist() == [0.5]  # one of two was right
    assert track.plain.tolist() == [0.5]  # a coin is right every other time


def test_a_track_follows_the_champion_of_the_time(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.9]})
    say(store, DIRECTION, "v2", "champion", {("A", 1): [0.2]})
    say(store, DIRECTION, "v3", "shadow", {("A", 0): [0.1], ("A", 1): [0.9]})
    say(store, DIRECTION, "v0", "baseline", {("A", 0): [0.5]})
    came(store, DIRECTION, {("A", 0): [1.0], ("A", 1): [1.0]})
    track = engine.track(store, DIRECTION)
    assert track.score.tolist() == [1.0, 0.0]
    # At bar 1 nobody else was the baseline: the champion was, and is compared with itself.
    assert track.gain.tolist() == pytest.approx([np.log(2) + np.log(0.9), 0.0])


def test_a_regressors_score_is_its_relative_gain(store: Store) -> None:
    say(store, VOLATILITY, "v1", "champion", {("A", 0): [0.0, 0.0]})
    say(store, VOLATILITY, "v0", "baseline", {("A", 0): [1.0, 1.0]})
    came(store, VOLATILITY, {("A", 0): [1.0, 1.0]})
    track = engine.track(store, VOLATILITY)
    assert track.score.tolist() == [1.0]  # no loss against some
    assert track.plain.tolist() == [0.0]


def test_an_empty_ledger_is_an_empty_track(store: Store) -> None:
    track = engine.track(store, DIRECTION)
    assert len(track) == 0
    assert track.gain.dtype == np.float64


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


def test_a_risk_event_means_the_same_for_the_champion_and_its_baseline(store: Store) -> None:
    slot = Slot("majors", "risk", "1m")
    low, high = {"event_threshold": 0.01}, {"event_threshold": 0.02}
    say(store, slot, "v1", "champion", {("A", 0): [0.5]}, head=high)
    say(store, slot, "v0", "baseline", {("A", 0): [0.5]}, head=low)
    came(store, slot, {("A", 0): [0.015]})
    # Both said one half: whatever an event is, neither is better.
    assert engine.track(store, slot).gain.tolist() == [0.0]
    say(store, slot, "v2", "champion", {("A", 1): [1.0]}, head=high)
    say(store, slot, "v0", "baseline", {("A", 1): [0.5]})
    came(store, slot, {("A", 1): [0.015]})
    assert engine.track(store, slot).gain.tolist() == [0.0, 1.0]


def test_a_champion_does_not_answer_for_the_recipe_before_it(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.1]}, recipe="old")
    say(store, DIRECTION, "v2", "champion", {("A", 1): [0.9]}, recipe="new", status="superseded")
    say(store, DIRECTION, "v3", "champion", {("A", 2): [0.9]}, recipe="new", status="champion")
    say(store, DIRECTION, "v0", "baseline", {("A", bar): [0.5] for bar in range(3)})
    came(store, DIRECTION, {("A", bar): [1.0] for bar in range(3)})
    track = engine.track(store, DIRECTION)
    assert track.ts.tolist() == [START_MS + MINUTE, START_MS + 2 * MINUTE]  # its refit counts
    assert track.score.tolist() == [1.0, 1.0]


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
    monkeypatch.setattr(engine, "raw_output", lambda _, panel: np.full((len(panel), 1), 0.6))
    alone = bars_of("B", bars=range(4))
    assert engine.record(store, registry, DIRECTION, alone, START_MS).rows == 3
    both = bars_of("A", "B", bars=range(6))
    assert engine.record(store, registry, DIRECTION, both, START_MS).rows == 5 + 2
    assert engine.record(store, registry, DIRECTION, both, START_MS).rows == 0


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
