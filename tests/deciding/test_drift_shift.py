"""Features that moved: PSI and KS beside slow, plain definitions; no spread is no news."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from orchestration.drift import shifted
from orchestration.drift.shift import ks, psi


def test_the_farthest_moved_come_first_and_only_five() -> None:
    rng = np.random.default_rng(0)
    moves = [0.0, 2.0, 0.5, 0.0, 1.0, 0.1, 4.0, 0.0]
    names = [f"moved_{move}_{i}" for i, move in enumerate(moves)]
    before = rng.normal(size=(5000, len(moves))).astype(np.float32)
    now = (rng.normal(size=(800, len(moves))) + moves).astype(np.float32)
    found = shifted(names, before, now)
    assert [s.feature for s in found[:4]] == [names[6], names[1], names[4], names[2]]
    assert len(found) == 5
    assert found[0].psi > 0.25 > 0.1 > found[4].psi
    assert found[0].median_now - found[0].median_before == pytest.approx(4, abs=0.2)


def test_the_measures_are_what_others_compute() -> None:
    rng = np.random.default_rng(1)
    before, now = np.sort(rng.normal(size=2000)), np.sort(rng.normal(0.3, 1.5, size=700))
    assert ks(before, now) == pytest.approx(ks_2samp(before, now).statistic)
    edges = [-np.inf, *np.quantile(before, np.linspace(0.1, 0.9, 9)), np.inf]
    p = (np.histogram(now, edges)[0] + 0.5) / (700 + 5)
    q = (np.histogram(before, edges)[0] + 0.5) / (2000 + 5)
    assert psi(before, now) == pytest.approx(sum((p - q) * np.log(p / q)))
    assert psi(before, before) == 0.0


def test_what_has_no_bins_is_passed_over_and_holes_are_no_values() -> None:
    before = np.tile(np.arange(100, dtype=np.float32)[:, None], (1, 4))
    now = before.copy()
    before[:, 1] = 7.0
    before[:95, 2] = np.nan
    now[:, 3] = np.nan
    now[50:, 0] = np.nan
    (only,) = shifted(["a", "constant", "holed", "gone"], before, now)
    assert only.feature == "a"
    assert only.psi > 1
    assert only.as_dict()["feature"] == "a"
