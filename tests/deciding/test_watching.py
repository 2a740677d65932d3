"""Between turns: a champion that does harm is rolled back at once, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from market.timeframes import instant_ms, utc
from models.common.predictor import load_model
from models.common.slot import Slot
from orchestration.lifecycle.intent import DECISIONS
from orchestration.lifecycle.promotion import By, promote
from orchestration.lifecycle.state import champion_in_store
from orchestration.service.resources import places_of, registry_of, store_of, tracking_of
from orchestration.service.turn import run_turn
from orchestration.service.watching import proven_before, watch_now
from orchestration.settings import Settings

NOW = "2025-05-20T00:00:00Z"
BEGUN = instant_ms(NOW)
STEP = 60_000
SLOT = Slot("BTC-USDT", "direction", "1m")
NewSettings = Callable[..., Settings]


def lived(settings: Settings, right: float, hours: float = 30, seed: int = 0) -> str:
    """A learner that serves since the first turn, right so often, beside a baseline that is a coin.

    What it said is planted in the ledger, so that it does as well or as ill as the test needs.
    """
    report = run_turn(settings, NOW)
    baseline = next(v for v in report["slots"][0]["statuses"] if v.endswith("_baseline"))
    learner = next(v for v in report["slots"][0]["statuses"] if v.endswith("_logistic"))
    promote(SLOT, learner, places_of(settings), By("a test", BEGUN, force=True))
    ts = np.arange(BEGUN, BEGUN + int(hours * 60) * STEP, STEP)
    rng = np.random.default_rng(seed)
    up = rng.integers(0, 2, len(ts)).astype(float)
    hit = rng.random(len(ts)) < right
    bars = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": ts})
    said = np.where(hit, up, 1 - up) * 0.1 + 0.45
    store, key = store_of(settings), SLOT.key
    store.add_predictions(key, learner, "champion", bars.assign(raw=[[p] for p in said]))
    store.add_predictions(key, baseline, "baseline", bars.assign(raw=[[0.5]] * len(ts)))
    store.add_outcomes(key, bars.assign(outcome=[[y] for y in up]))
    return learner


def before_it(settings: Settings, right: float | np.ndarray) -> str:
    """The champion before the one that lives now, in shadow since, right so often."""
    store = store_of(settings)
    found = store.ledger(SLOT.key, since_ms=BEGUN)
    own = found[found["role"] == "champion"].drop_duplicates("ts_ms")
    (previous,) = [
        m for m in store.list_models(slot_key=SLOT.key) if m.version.endswith("_xgboost")
    ]
    (champion,) = store.list_models(slot_key=SLOT.key, status="champion")
    store.register_model(SLOT.key, champion.version, previous=previous.version)
    store.register_model(SLOT.key, previous.version, status="challenger", serves_from_ms=BEGUN)
    hit = np.random.default_rng(1).random(len(own)) < right
    up = own["outcome_0"].to_numpy()
    bars = own[["symbol", "ts_ms"]].assign(raw_0=np.where(hit, up, 1 - up) * 0.1 + 0.45)
    store.add_predictions(SLOT.key, previous.version, "shadow", bars)
    return previous.version


@pytest.mark.parametrize(("right", "back"), [(0.6, "_xgboost"), (0.5, "_baseline")])
def test_the_previous_champion_comes_back_if_its_line_is_still_proven(
    new_settings: NewSettings, right: float, back: str
) -> None:
    settings = new_settings(symbols="BTC-USDT")
    lived(settings, right=0.4)
    before_it(settings, right)
    (row,) = watch_now(settings, at(30))["slots"]
    assert row["action"] == "rollback"
    assert row["now"].endswith(back)
    assert tracking_of(settings).champion(SLOT) == row["now"]


def test_what_broke_too_is_no_way_back(new_settings: NewSettings) -> None:
    """The weeks of the line before still speak for it; its last days do not."""
    settings = new_settings(symbols="BTC-USDT")
    lived(settings, right=0.4, hours=96)
    before = before_it(settings, right=np.repeat([0.75, 0.42], 48 * 60))
    champion = champion_in_store(store_of(settings), SLOT)
    assert champion is not None
    assert proven_before(settings, SLOT, champion, instant_ms(at(48)))[0] == before
    assert proven_before(settings, SLOT, champion, instant_ms(at(96))) == []


def test_a_look_is_kept_with_the_last_turn_of_its_own_slot(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT")
    lived(settings, right=0.5)
    store = store_of(settings)
    store.begin_turn("2025-05-21T0000Z_BTC-USDT_1h", {})
    watch_now(settings, at(30))
    assert store.list_drift("2025-05-21T0000Z_BTC-USDT_1h") == []
    (line, *_) = store.list_drift(slot_key=SLOT.key)
    assert line["bars"] == 30 * 60


def test_another_version_of_what_does_harm_is_no_way_back(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT")
    harmful = lived(settings, right=0.4)
    before = before_it(settings, right=0.6)
    store = store_of(settings)
    store.register_model(SLOT.key, before, recipe="logistic")  # a person chose among its versions
    (row,) = watch_now(settings, at(30))["slots"]
    assert row["champion"] == harmful
    assert row["now"].endswith("_baseline")


def at(hours: float) -> str:
    return utc(BEGUN + int(hours * 3_600_000)).isoformat()


def test_a_harmful_champion_is_rolled_back_between_two_turns(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT")
    harmful = lived(settings, right=0.4)
    strategy = load_model(SLOT.key, home=settings.home)
    assert strategy.info["version_name"] == harmful

    found = watch_now(settings, at(30))
    (row,) = found["slots"]
    assert (row["status"], row["action"], row["champion"]) == ("HARM", "rollback", harmful)
    assert found["rolled_back"] == [SLOT.key]
    assert row["harm_evidence"] >= settings.drift.harm_evidence
    assert row["now"].endswith("_baseline")
    assert "worse than the baseline: evidence" in found["sentence"]
    assert f"{row['now']} serves {SLOT} again in place of {harmful}" in row["sentence"]

    assert load_model(SLOT.key, home=settings.home).info["version_name"] == row["now"]
    assert registry_of(settings).linked(SLOT) == row["now"]
    assert tracking_of(settings).champion(SLOT) == row["now"]
    store = store_of(settings)
    left = store.get_model(f"{SLOT.key}/{harmful}")
    assert (left.status, left.facts["fell_ms"]) == ("archived", instant_ms(at(30)))
    (flag,) = store.list_flags()
    assert (flag.name, flag.cleared_at) == (f"{SLOT.key}/{harmful}", None)
    decided = store.get_model(f"{SLOT.key}/{row['now']}").facts[DECISIONS][-1]
    assert (decided["who"], decided["action"]) == ("the watch", "rollback")
    assert decided["because"]["harm_evidence"] == row["harm_evidence"]
    assert decided["reason"].startswith("HARM: worse than the baseline")
    (line, *_) = store.list_drift(slot_key=SLOT.key)
    assert (line["status"], line["action"]) == ("HARM", "rollback")

    again = watch_now(settings, at(30))
    assert (again["rolled_back"], again["slots"][0]["status"]) == ([], "OK")
    assert store.list_drift(slot_key=SLOT.key)[0]["status"] == "HARM", "to be read until the turn"
    assert len(store.list_flags()) == 1

    (slot,) = run_turn(settings, at(30))["slots"]
    assert slot["before"] == row["now"]
    assert slot["champion"] != harmful


def test_a_champion_that_does_no_harm_stays(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT")
    sound = lived(settings, right=0.5)
    found = watch_now(settings, at(30))
    assert (found["rolled_back"], found["slots"][0]["action"]) == ([], None)
    assert found["sentence"] == "1 slot watched, none does harm"
    assert tracking_of(settings).champion(SLOT) == sound
    assert store_of(settings).get_flagged_for_retraining() == []
    (line, *_) = store_of(settings).list_drift(slot_key=SLOT.key)
    assert line["bars"] == 30 * 60
    # What is known only later is not seen before.
    assert watch_now(settings, at(10))["slots"][0]["bars"] == 10 * 60


def test_a_pinned_champion_stays_whatever_it_does(new_settings: NewSettings) -> None:
    settings = new_settings(symbols="BTC-USDT")
    pinned = lived(settings, right=0.4)
    tracking_of(settings).set_tags(SLOT, pinned, {"pinned": "true"})
    found = watch_now(settings, at(30))
    (row,) = found["slots"]
    assert (row["status"], row["action"]) == ("HARM", "pinned")
    assert f"{pinned} is pinned and stays" in found["sentence"]
    assert tracking_of(settings).champion(SLOT) == pinned
    assert store_of(settings).get_flagged_for_retraining() == [f"{SLOT.key}/{pinned}"]


def test_a_home_where_nothing_serves_is_watched_in_vain(new_settings: NewSettings) -> None:
    assert watch_now(new_settings(), NOW)["slots"] == []


def test_nothing_moves_where_somebody_was_faster(
    new_settings: NewSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.service import watching

    settings = new_settings(symbols="BTC-USDT")
    harmful = lived(settings, right=0.4)
    other = next(
        m.version
        for m in store_of(settings).list_models(slot_key=SLOT.key)
        if m.version.endswith("_xgboost")
    )
    sound = watching.proven_before

    def meanwhile(*asked: object) -> list[str]:
        promote(SLOT, other, places_of(settings), By("a person", BEGUN, force=True))
        return sound(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(watching, "proven_before", meanwhile)
    (row,) = watch_now(settings, at(30))["slots"]
    assert row["action"] == "failed"
    assert f"{other} serves by now, and not {harmful}" in row["sentence"]
    assert tracking_of(settings).champion(SLOT) == other
