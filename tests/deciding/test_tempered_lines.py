"""Lines of volatility: gates ask the tempered z, people are told both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml_pipeline.skill import hac_mean, judging_lag
from ml_pipeline.tempered import tempered_difference
from models.common.slot import Slot
from orchestration.judge.lines import Lines, lines_of
from orchestration.judge.verdicts import standings
from orchestration.lifecycle.gates import faded, promotion_shortfalls, unproven, z_words
from tests.deciding.scenes import GATES, base, incumbent, learner, stand
from tests.deciding.test_judge_verdicts import direction, market, model, rows

SLOT, BARS, HORIZON = Slot("majors", "volatility", "5m"), 4000, 48


def told(seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What three recipes said of ln variance and what came, [bars, symbols, 2]."""
    rng = np.random.default_rng(seed)
    expected = rng.standard_normal((BARS, 2, 2)) - 12
    came = expected + 0.7 * rng.standard_normal(expected.shape)
    sizes = {"baseline": 0.3, "a": 0.25, "b": 0.1}
    said = {k: expected + s * rng.standard_normal(expected.shape) for k, s in sizes.items()}
    return said, came


def volatility(*names: str) -> Lines:
    said, came = told()
    head = {"median_log_variance": -12.0}
    models = {f"d_{k}": model(f"d_{k}", k, head=head) for k in names}
    parts = [rows(f"d_{k}", said[k], np.exp(came)) for k in names]
    return lines_of(SLOT, pd.concat(parts), models)


def test_figures_are_those_of_the_definition_on_the_same_rows() -> None:
    found = standings(volatility("a", "b", "baseline"), "a", seed=0)
    said, came = told()
    flat = [x.reshape(-1, 2) for x in (came, said["a"], said["b"])]
    ahead = tempered_difference(*flat).reshape(BARS, 2).mean(axis=1)
    z = hac_mean(ahead, judging_lag(HORIZON, BARS), HORIZON).z
    assert found["b"].tempered_z_champion == pytest.approx(z)
    assert found["b"].tempered_z_champion != pytest.approx(found["b"].z_champion, rel=0.01)
    assert found["a"].tempered_z_champion is None
    assert 0 < found["b"].tempered_lower < found["b"].skill
    assert f"z {found['b'].z:.2f} (tempered {found['b'].tempered_z:.2f})" in found["b"].words()
    assert found["baseline"].tempered_z == 0.0


def test_bars_that_one_did_not_answer_count_for_neither() -> None:
    said, came = told()
    models = {f"d_{k}": model(f"d_{k}", k) for k in ("b", "baseline")}
    late = said["b"][1000:]
    parts = [
        rows("d_b", late, np.exp(came[1000:]), 1000),
        rows("d_baseline", said["baseline"], np.exp(came)),
    ]
    found = standings(lines_of(SLOT, pd.concat(parts), models), None, seed=0)["b"]
    flat = [x[1000:].reshape(-1, 2) for x in (came, said["baseline"], said["b"])]
    ahead = tempered_difference(*flat).reshape(-1, 2).mean(axis=1)
    assert found.tempered_z == pytest.approx(
        hac_mean(ahead, judging_lag(HORIZON, BARS - 1000), HORIZON).z
    )


def test_other_kinds_have_none_and_are_asked_for_their_own_z() -> None:
    p, _ = market(BARS)
    a = standings(direction(BARS, a=p, baseline=np.full(p.shape, 0.5)), None, seed=0)["a"]
    assert (a.tempered_z, a.tempered_lower, a.tempered_z_champion) == (None, None, None)
    assert (a.sure_z, a.sure_lower, a.sure_z_champion) == (a.z, a.lower, a.z_champion)


def test_gates_ask_the_tempered_figures_and_say_both() -> None:
    champion = incumbent(learner(1, "champion", "svm"))
    calm = stand(z_champion=0.4, tempered_z=3.0, tempered_lower=0.01, tempered_z_champion=2.5)
    assert promotion_shortfalls(calm, champion, GATES) == []
    assert z_words(calm) == "z = 2.50 (tempered; of the whole loss 0.40)"
    loud = replace(calm, z_champion=5.0, tempered_z_champion=0.4)
    (why,) = promotion_shortfalls(loud, champion, GATES)
    assert "z = 0.40 (tempered; of the whole loss 5.00)" in why


def test_nothing_is_proven_of_what_lost_to_the_baseline() -> None:
    calm = {"tempered_z": 3.0, "tempered_lower": 0.01}
    assert unproven(stand(lower=-0.02, **calm), GATES) == []
    assert unproven(stand(skill=-0.01, lower=-0.02, **calm), GATES)
    assert unproven(stand(lower=0.01, tempered_z=1.0, tempered_lower=-0.01), GATES)


def test_a_champion_stays_by_what_it_came_by() -> None:
    assert faded(stand(z=-0.5), GATES)
    assert faded(stand(z=-0.5, tempered_z=1.0, tempered_lower=0.0), GATES) == ""
    assert faded(stand(z=0.5, tempered_z=-1.0, tempered_lower=-0.1), GATES)
    assert not base(1).sure_lower
