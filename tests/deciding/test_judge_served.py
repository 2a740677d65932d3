"""The served series: what users got, beside what the baseline said of the same bars."""

from __future__ import annotations

import numpy as np
import pytest

from models.common.slot import Slot
from orchestration.judge.served import track
from orchestration.store.store import Store
from tests.deciding.ledgers import DIRECTION, MINUTE, START_MS, VOLATILITY, came, say


def test_a_track_pairs_the_champion_with_the_baseline_bar_by_bar(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.8], ("B", 0): [0.4], ("A", 1): [0.6]})
    say(store, DIRECTION, "v0", "baseline", {("A", 0): [0.5], ("B", 0): [0.5], ("A", 1): [0.5]})
    came(store, DIRECTION, {("A", 0): [1.0], ("B", 0): [1.0], ("A", 1): [np.nan]})
    found = track(store, DIRECTION)
    assert found.ts.tolist() == [START_MS]  # bar 1 did not move: it does not count
    gain = np.log(2) - (-np.log(0.8) - np.log(0.4)) / 2
    assert found.gain == pytest.approx([gain])
    assert found.score.tolist() == [0.5]  # one of two was right
    assert found.plain.tolist() == [0.5]  # a coin is right every other time


def test_a_track_follows_the_champion_of_the_time(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.9]})
    say(store, DIRECTION, "v2", "champion", {("A", 1): [0.2]})
    say(store, DIRECTION, "v3", "shadow", {("A", 0): [0.1], ("A", 1): [0.9]})
    say(store, DIRECTION, "v0", "baseline", {("A", 0): [0.5], ("A", 1): [0.5]})
    came(store, DIRECTION, {("A", 0): [1.0], ("A", 1): [1.0]})
    found = track(store, DIRECTION)
    assert found.score.tolist() == [1.0, 0.0]
    assert found.gain.tolist() == pytest.approx([np.log(2) + np.log(p) for p in (0.9, 0.2)])


def test_a_regressors_score_is_its_relative_gain(store: Store) -> None:
    say(store, VOLATILITY, "v1", "champion", {("A", 0): [0.0, 0.0]})
    say(store, VOLATILITY, "v0", "baseline", {("A", 0): [1.0, 1.0]})
    came(store, VOLATILITY, {("A", 0): [1.0, 1.0]})
    found = track(store, VOLATILITY)
    assert found.score.tolist() == [1.0]  # no loss against some
    assert found.plain.tolist() == [0.0]


def test_an_empty_ledger_is_an_empty_track(store: Store) -> None:
    found = track(store, DIRECTION)
    assert len(found) == 0
    assert found.gain.dtype == np.float64


def test_a_risk_event_means_the_same_for_the_champion_and_its_baseline(store: Store) -> None:
    slot = Slot("majors", "risk", "1m")
    low, high = {"event_threshold": 0.01}, {"event_threshold": 0.02}
    say(store, slot, "v1", "champion", {("A", 0): [0.5]}, head=high)
    say(store, slot, "v0", "baseline", {("A", 0): [0.5]}, head=low)
    came(store, slot, {("A", 0): [0.015]})
    # Both said one half: whatever an event is, neither is better.
    assert track(store, slot).gain.tolist() == [0.0]
    say(store, slot, "v2", "champion", {("A", 1): [1.0]}, head=high)
    say(store, slot, "v0", "baseline", {("A", 1): [0.5]})
    came(store, slot, {("A", 1): [0.015]})
    assert track(store, slot).gain.tolist() == [0.0, 1.0]


def test_a_champion_does_not_answer_for_the_recipe_before_it(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.1]}, recipe="old")
    say(store, DIRECTION, "v2", "champion", {("A", 1): [0.9]}, recipe="new", status="superseded")
    say(store, DIRECTION, "v3", "champion", {("A", 2): [0.9]}, recipe="new", status="champion")
    say(store, DIRECTION, "v0", "baseline", {("A", bar): [0.5] for bar in range(3)})
    came(store, DIRECTION, {("A", bar): [1.0] for bar in range(3)})
    found = track(store, DIRECTION)
    assert found.ts.tolist() == [START_MS + MINUTE, START_MS + 2 * MINUTE]  # its refit counts
    assert found.score.tolist() == [1.0, 1.0]


def test_a_refit_does_not_answer_for_the_version_that_fell(store: Store) -> None:
    fell = {"status": "superseded", "fell_ms": START_MS + MINUTE}
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.1]}, recipe="a", **fell)
    say(store, DIRECTION, "v2", "champion", {("A", 1): [0.9]}, recipe="a", status="champion")
    say(store, DIRECTION, "v0", "baseline", {("A", bar): [0.5] for bar in range(2)})
    came(store, DIRECTION, {("A", bar): [1.0] for bar in range(2)})
    assert track(store, DIRECTION).score.tolist() == [1.0]


def test_a_bar_that_the_baseline_did_not_answer_is_left_out(store: Store) -> None:
    say(store, DIRECTION, "v1", "champion", {("A", 0): [0.9], ("A", 1): [0.9], ("B", 1): [0.9]})
    say(store, DIRECTION, "v0", "baseline", {("A", 0): [0.5], ("B", 1): [0.5]})
    came(store, DIRECTION, {("A", 0): [1.0], ("A", 1): [0.0], ("B", 1): [1.0]})
    found = track(store, DIRECTION)
    # Counted as a gain of nought, the miss at bar 1 would have halved the gain there.
    assert found.gain.tolist() == pytest.approx([np.log(1.8)] * 2)
    assert found.score.tolist() == [1.0, 1.0]


def test_a_baseline_in_service_is_compared_with_itself(store: Store) -> None:
    say(store, DIRECTION, "v0", "champion", {("A", 0): [0.6]}, baseline=True, status="champion")
    came(store, DIRECTION, {("A", 0): [1.0]})
    assert track(store, DIRECTION).gain.tolist() == [0.0]


def test_what_was_filled_in_afterwards_was_never_served(store: Store) -> None:
    say(store, DIRECTION, "v1", "backfill", {("A", 0): [0.9]})
    say(store, DIRECTION, "v0", "baseline", {("A", 0): [0.5]})
    came(store, DIRECTION, {("A", 0): [1.0]})
    assert len(track(store, DIRECTION)) == 0
