"""A search in a replay is counted in trials: a clock would make it another search every time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestration.service.replaying import replay
from orchestration.service.replays.plan import Plan
from orchestration.service.resources import registry_of


@pytest.mark.slow
def test_a_tuned_replay_is_the_same_twice(new_plan: Callable[..., Plan]) -> None:
    asked = {"tune_seconds": 2, "end": "2025-05-21", "recipes": "direction/xgboost"}
    one, two = (new_plan(home, **asked) for home in ("one", "two"))
    assert replay(one) == replay(two)
    bundles = [b for b in registry_of(one.settings).list_bundles() if not b.metadata["baseline"]]
    assert {b.metadata["fit"]["tuning"]["trials"] for b in bundles} == {2}
