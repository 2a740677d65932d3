"""The pooled verdict: several slots tell together what none can tell alone, and seldom wrongly."""

from __future__ import annotations

import numpy as np
import pytest

from orchestration.drift import DAY_MS, Member, Track, pooled
from orchestration.drift.pooled import together

STEP = 5 * 60_000
BARS_A_DAY = DAY_MS // STEP
HORIZON = 5


def record(rng: np.random.Generator, skill: list[float], scale: float = 1.0) -> Track:
    """Gains of overlapping labels, one a day's worth at each skill in turn, and scores of hits."""
    mean = np.repeat(skill, BARS_A_DAY)
    noise = np.convolve(rng.normal(size=len(mean) + HORIZON - 1), np.ones(HORIZON), "valid")
    gain = mean + noise / np.sqrt(HORIZON)
    ts = np.arange(len(mean), dtype=np.int64) * STEP
    return Track(ts, gain * scale, 0.5 + gain, np.full(len(mean), 0.5))


def members(seed: int, skill: list[float], kinds: str = "dmvpr") -> dict[str, Member]:
    names = {"d": "direction", "m": "momentum", "v": "volatility", "p": "price", "r": "risk"}
    rng = np.random.default_rng(seed)
    return {
        f"majors/{names[k]}/5m": Member(names[k], record(rng, skill, 10.0**i), HORIZON)
        for i, k in enumerate(kinds)
    }


def test_together_they_see_a_fade_that_one_alone_does_not() -> None:
    fading = [0.1] * 21 + [-0.07] * 3
    alone, joined = 0, 0
    for seed in range(30):
        slots = members(seed, fading)
        joined += pooled("all", slots, STEP).status in ("DRIFT", "HARM")
        alone += pooled("all", dict(list(slots.items())[:2]), STEP).status in ("DRIFT", "HARM")
    assert joined >= 20
    assert alone <= 15


def test_sound_slots_are_seldom_accused_together() -> None:
    said = [pooled("all", members(seed, [0.05] * 24), STEP).status for seed in range(150)]
    assert sum(status in ("DRIFT", "HARM") for status in said) <= 3


def test_no_kind_outweighs_another() -> None:
    slots = list(members(1, [0.05] * 10).values())
    whole = together(slots, standardised=True)
    first = together(slots[:1], standardised=True)
    last = together(slots[-1:], standardised=True)
    assert first.gain.std() == pytest.approx(1.0)
    assert last.gain.std() == pytest.approx(1.0)
    mean = np.mean([m.track.gain / m.track.gain.std() for m in slots], axis=0)
    np.testing.assert_allclose(whole.gain, mean)


def test_the_pool_of_hits_is_of_those_who_say_up_or_down() -> None:
    verdict = pooled("hits", members(1, [0.05] * 10), STEP)
    assert verdict.figures["slots"] == ["majors/direction/5m", "majors/momentum/5m"]
    assert verdict.figures["bars"] == 10 * BARS_A_DAY


def test_bars_count_that_every_slot_has_and_young_slots_and_baselines_do_not() -> None:
    slots = members(1, [0.05] * 10, "dmv")
    late = slots["majors/momentum/5m"]
    slots["majors/momentum/5m"] = Member("momentum", late.track.part(2 * DAY_MS), HORIZON)
    assert pooled("all", slots, STEP).figures["days"] == 8
    slots["majors/momentum/5m"] = Member("momentum", late.track.part(4 * DAY_MS), HORIZON)
    verdict = pooled("all", slots, STEP)
    assert verdict.figures["slots"] == ["majors/direction/5m", "majors/volatility/5m"]
    slots["majors/volatility/5m"] = Member("volatility", late.track, HORIZON, baseline=True)
    alone = pooled("all", slots, STEP)
    assert alone.status == "LEARNING"
    assert alone.sentence == "a pool needs two slots served by a learner for 7 days; there are 1"
