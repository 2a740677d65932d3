"""Every gate by itself: what is needed of a ledger of so many days, and what chance allows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ml_pipeline.losses import ece
from orchestration.lifecycle.calibrated import coverage_limits, ece_limit, miscalibrated
from orchestration.lifecycle.gates import promotion_shortfalls, unproven, z_needed, z_of_many
from orchestration.rules import Gates
from tests.deciding.scenes import GATES, incumbent, learner, stand


def test_a_short_ledger_must_speak_louder() -> None:
    needed = [z_needed(days, GATES) for days in (1, 2, 3.5, 7, 14, 20)]
    assert needed == pytest.approx([2.4 * math.sqrt(14 / d) for d in (1, 2, 3.5, 7)] + [2.4] * 2)
    assert z_needed(0, GATES) == z_needed(math.nan, GATES) == math.inf


def test_several_equals_pass_as_seldom_as_one() -> None:
    rng = np.random.default_rng(0)
    for tries in (1, 2, 5):
        best = rng.standard_normal((200_000, tries)).max(axis=1)
        assert np.mean(best >= z_of_many(1.64, tries)) == pytest.approx(0.0505, abs=0.002)
    assert z_of_many(0.0, 3) > 0
    assert z_of_many(50.0, 3) == 50.0
    assert z_needed(14, GATES, tries=3) == z_of_many(2.4, 3)
    assert z_needed(7, GATES, tries=3) == z_of_many(2.4 * math.sqrt(2), 3)


def test_over_a_fallen_champion_days_and_tries_count_for_nothing() -> None:
    assert z_needed(2, GATES, tries=4, fallen=True) == GATES.z_over_drift


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"lower": 0.0}, "the lower bound of its skill, +0.0000, is not above 0"),
        ({"lower": None}, "too few unseen rows"),
        ({"lower": math.nan}, "too few unseen rows"),
        ({"z_champion": 2.39}, "z = 2.39 against the champion's line, 2.40 needed on 14.0 days"),
        ({"z_champion": math.nan}, "z = nan against"),
        ({"z_champion": 3.3, "days_champion": 7.0}, "3.39 needed on 7.0 days"),
        ({"z_champion": 30.0, "days_champion": 1.4}, "1.4 days of ledger with the champion's line"),
        ({"z_champion": None}, "too few bars in common"),
        ({"metrics": {"ece": 0.1, "base_rate": 0.5}}, "its calibration error 0.100"),
        ({"metrics": {"ece": math.nan}}, "its calibration error nan"),
        ({"metrics": {"coverage": 0.8}}, "its interval covers 0.800"),
    ],
)
def test_each_gate_alone_keeps_a_line_out(figures: dict, reason: str) -> None:
    champion = incumbent(learner(1, "champion", recipe="ridge"))
    assert promotion_shortfalls(stand(), champion, GATES) == []
    short = promotion_shortfalls(stand(**figures), champion, GATES)
    assert any(reason in one for one in short), short


def test_a_calibrated_forecast_passes_the_limit_in_about_95_of_100_cases() -> None:
    rng = np.random.default_rng(7)
    rows = 400
    limit = ece_limit(replace(stand(), effective_n=rows, metrics={"base_rate": 0.2}), GATES)
    p = np.full((500, rows), 0.2)
    p += rng.uniform(-0.02, 0.02, p.shape)
    y = rng.uniform(size=p.shape) < p
    passed = np.mean([ece(truth, said) <= limit for truth, said in zip(y, p, strict=True)])
    assert 0.9 < passed < 0.99


def test_calibration_limits_widen_with_few_rows_and_end_at_the_gates() -> None:
    few, many = (replace(stand(), effective_n=n) for n in (100.0, 1e9))
    assert ece_limit(few, GATES) > 5 * GATES.ece_max
    assert ece_limit(many, GATES) == GATES.ece_max
    assert coverage_limits(many, GATES) == pytest.approx((0.87, 0.93), abs=1e-4)
    wide = replace(few, metrics={"coverage": 0.84})
    assert miscalibrated(wide, GATES) == []
    assert "covers 0.840" in miscalibrated(replace(wide, effective_n=1e9), GATES)[0]


def test_proof_is_a_bound_above_what_is_asked() -> None:
    assert unproven(stand(lower=0.004), Gates(skill_above=0.005))
    assert not unproven(stand(lower=0.006), Gates(skill_above=0.005))
