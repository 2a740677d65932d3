"""The back-fill: rows that knew nothing of their bars, the same however they came about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from market.source import open_source
from market.timeframes import DAY_MS, instant_ms, utc
from ml_pipeline.panel import Panel
from models.common.slot import Slot
from orchestration.lifecycle.enrol import lacks_baseline
from orchestration.service.backfill import backfill
from orchestration.service.beginning import begin, turn_at
from orchestration.service.data import make_panel, split_of
from orchestration.service.errors import BadFolds, TakenMoment
from orchestration.service.folding import days_of
from orchestration.service.listing import list_versions
from orchestration.service.resources import places_of, store_of
from orchestration.service.staging import recipe_of
from orchestration.service.steps import fetch
from orchestration.service.turn import run_turn
from orchestration.settings import Settings
from orchestration.store.records import BACKFILL, COMPLETED
from tests.deciding.killed_backfill import DAYS, NOW

SCRIPT = Path(__file__).with_name("killed_backfill.py")
ROOT = SCRIPT.parents[2]
SLOT = Slot("BTC-USDT+ETH-USDT", "direction", "1m")
HALF_DAY_MS, STEP_MS = DAY_MS // 2, 60_000
TWO = "logistic,lightgbm"
Make = Callable[..., Settings]


@pytest.fixture
def elsewhere(tmp_path: Path, forget_resources: Callable[[], None]) -> Callable[[str], None]:
    """Put the home aside under a name, so that the next settings begin a fresh one."""

    def move(name: str) -> None:
        (tmp_path / "home").rename(tmp_path / name)
        forget_resources()

    return move


def stored(settings: Settings) -> dict[str, object]:
    """Everything that a back-fill leaves, without moments."""
    store = store_of(settings)
    return {
        "ledger": store.ledger(SLOT.key).to_json(),
        "models": {m.version: (m.status, m.facts) for m in store.list_models()},
    }


def rows_of(settings: Settings, recipe: str) -> pd.DataFrame:
    rows = store_of(settings).ledger(SLOT.key)
    return rows[rows["version"].str.endswith(f"_{recipe}")]


def test_every_bar_of_the_days_before_is_said_once_by_a_fit_that_did_not_know_it(
    new_settings: Make,
) -> None:
    settings = new_settings(recipes=TWO)
    told: list[tuple[int, int]] = []
    found = backfill(settings, NOW, DAYS, tell=lambda done, total, _: told.append((done, total)))
    assert found["simulated"] is True
    assert found["fitted"] == 9
    assert found["failures"] == found["left_out"] == []
    assert told == [(i, 9) for i in range(1, 10)]

    turn = turn_at(settings, NOW)
    opens = split_of_turn(settings)
    first = -(-(opens - int(DAYS * DAY_MS)) // HALF_DAY_MS) * HALF_DAY_MS
    bars = list(range(first, opens, STEP_MS))
    for recipe in ("baseline", "logistic", "lightgbm"):
        rows = rows_of(settings, recipe)
        for symbol in ("BTC-USDT", "ETH-USDT"):
            assert rows.loc[rows["symbol"] == symbol, "ts_ms"].tolist() == bars
        assert set(rows["role"]) == {BACKFILL}
        assert set(rows["made_ms"]) == {turn.at_ms}
        assert rows["resolved"].all()
    assert rows_of(settings, "logistic")["raw_0"].nunique() > 1000

    for model in store_of(settings).list_models():
        facts = model.facts
        rows = store_of(settings).ledger(SLOT.key, model.version)
        assert model.status == "archived"
        assert facts["backfill"] is True
        assert facts["simulated"] is True
        assert facts["serves_from_ms"] == rows["ts_ms"].min()
        assert instant_ms(facts["trained_through"]) < facts["serves_from_ms"]
        assert facts["filled_rows"] == len(rows)
        assert utc(facts["serves_from_ms"]).strftime("%Y-%m-%dT%H%MZ") in model.version
        assert isinstance(facts["head"], dict)
    assert list_versions(settings) == []  # nothing that could be loaded or promoted

    for line in found["lines"]:
        assert line["folds"] == 3
        assert line["days"] == pytest.approx((opens - first) / DAY_MS, abs=0.01)
        assert (line["skill"] is None) == (line["recipe"] == "baseline")
        if line["skill"] is not None:
            assert line["lower"] <= line["skill"] <= line["upper"]


def split_of_turn(settings: Settings) -> int:
    """Return where the holdout of the turn at `NOW` opens."""
    turn = turn_at(settings, NOW)
    for symbol in settings.symbols:
        fetch(turn, symbol)
    data = make_panel(turn, settings.symbols)
    return split_of(turn, Panel.load(data.folder), "direction").holdout.start_ms


def test_asked_again_nothing_is_done_and_a_longer_one_fits_only_what_is_new(
    new_settings: Make,
) -> None:
    settings = new_settings(recipes="logistic")
    assert backfill(settings, NOW, 1)["fitted"] == 4
    before = stored(settings)
    assert backfill(settings, NOW, 1)["fitted"] == 0
    assert stored(settings) == before
    longer = backfill(settings, NOW, 2)
    assert longer["fitted"] == 4
    assert {line["folds"] for line in longer["lines"]} == {4}


def test_what_is_stored_does_not_depend_on_the_number_of_workers(
    new_settings: Make, elsewhere: Callable[[str], None]
) -> None:
    left = []
    for workers in (1, 3):
        settings = new_settings(recipes=TWO, workers=workers)
        backfill(settings, NOW, DAYS)
        left.append(stored(settings))
        elsewhere(str(workers))
    assert left[0] == left[1]


def killed(home: Path, at: int) -> int:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(home), str(at)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-2000:]
    return done.returncode


def test_killed_and_repeated_it_leaves_the_same_rows(
    new_settings: Make, elsewhere: Callable[[str], None], forget_resources: Callable[[], None]
) -> None:
    quiet = new_settings(recipes=TWO)
    backfill(quiet, NOW, DAYS)
    expected = stored(quiet)
    elsewhere("quiet")
    settings = new_settings(recipes=TWO)
    assert killed(settings.home, 24) == -signal.SIGKILL
    assert 0 < len(store_of(settings).list_models()) < 9
    forget_resources()
    assert killed(settings.home, 0) == 0
    assert stored(settings) == expected


def test_a_fold_that_fails_is_one_failure_and_is_tried_again(new_settings: Make) -> None:
    settings = new_settings(recipes="logistic")
    hasty = settings.model_copy(update={"fit_timeout_s": 0.001})
    found = backfill(hasty, NOW, 1)
    assert found["fitted"] == 0
    assert [f["error"] for f in found["failures"]] == ["FitTimeout"] * 4
    assert store_of(settings).list_models() == []
    assert backfill(settings, NOW, 1)["fitted"] == 4


def files(folder: Path, last_day: float, days: float, bend: float = 0.0) -> str:
    """Write files of a simulated market; `bend` multiplies the prices of the last day."""
    folder.mkdir()
    end = instant_ms(NOW) - int(last_day * DAY_MS)
    for symbol in ("BTC-USDT", "ETH-USDT"):
        candles = open_source("simulated:seed=7").fetch(
            symbol, "1m", utc(end - int(days * DAY_MS)), utc(end)
        )
        late = candles.index >= utc(end - DAY_MS)
        prices = ["open", "high", "low", "close"]
        candles.loc[late, prices] = candles.loc[late, prices] * (1 + bend)
        candles.to_parquet(folder / f"{symbol}_1m.parquet")
    return f"files:{folder}"


def test_candles_after_a_fold_change_nothing_in_it(
    new_settings: Make, tmp_path: Path, elsewhere: Callable[[str], None]
) -> None:
    said = []
    for name, bend in (("straight", 0.0), ("bent", 0.02)):
        source = files(tmp_path / name, 0, 9, bend)
        settings = new_settings(recipes="logistic", source=source, days=4)
        backfill(settings, NOW, DAYS)
        rows = rows_of(settings, "logistic")
        said.append(rows[rows["ts_ms"] < instant_ms(NOW) - DAY_MS]["raw_0"].tolist())
        elsewhere(f"home-{name}")
    assert len(said[0]) > 2000
    assert said[0] == said[1]


def test_short_history_shrinks_the_slices_and_at_last_ends_the_folds(
    new_settings: Make, tmp_path: Path
) -> None:
    settings = new_settings(
        recipes="logistic", source=files(tmp_path / "short", 0, 8), days=4, symbols="BTC-USDT"
    )
    found = backfill(settings, NOW, 6)
    shrunk = {
        m.facts["serves_from_ms"]: m.facts["shrunk"]
        for m in store_of(settings).list_models()
        if m.facts["recipe"] == "logistic"
    }
    assert list(shrunk.values()) == sorted(shrunk.values(), reverse=True)
    assert shrunk[max(shrunk)] == 1.0 > shrunk[min(shrunk)] > 0
    assert found["left_out"]
    assert all("too little history" in said for said in found["left_out"])


def test_a_fold_learns_on_slices_as_long_as_a_turns(new_settings: Make) -> None:
    settings = new_settings(days=12)
    turn = turn_at(settings, NOW)
    for symbol in settings.symbols:
        fetch(turn, symbol)
    panel = Panel.load(make_panel(turn, settings.symbols).folder)
    for name in ("baseline", "xgboost"):
        recipe = recipe_of("direction", name)
        split = split_of(turn, panel, "direction", recipe.train_days if recipe else None)
        expected = (split.train.days, split.calibration.days, split.selection.days)
        assert days_of(turn, "direction", recipe) == pytest.approx(expected)


@pytest.mark.parametrize(("days", "hours"), [(0.2, 12), (2, 0.01), (2, 12.01)])
def test_folds_that_cannot_be_are_refused(new_settings: Make, days: float, hours: float) -> None:
    with pytest.raises(BadFolds):
        backfill(new_settings(), NOW, days, hours)


def test_a_turn_fills_in_before_it_judges_and_only_what_a_line_lacks(new_settings: Make) -> None:
    settings = new_settings(recipes="logistic", backfill_days=1)
    opens = split_of_turn(settings)
    first = run_turn(settings, NOW)
    assert first["status"] == COMPLETED
    rows = rows_of(settings, "logistic")
    filled = rows[rows["ts_ms"] < opens]
    assert set(filled["role"]) == {BACKFILL}
    assert filled["ts_ms"].max() == opens - STEP_MS
    assert filled["resolved"].all()
    assert json.dumps(run_turn(settings, NOW)["changed"]) == "false"

    then = "2025-05-20T12:00:00Z"
    joined = settings.model_copy(update={"recipes": ("logistic", "lightgbm")})
    versions = {m.version for m in store_of(settings).list_models() if "backfill" in m.facts}
    assert run_turn(joined, then)["status"] == COMPLETED
    new = {m.version for m in store_of(settings).list_models() if "backfill" in m.facts} - versions
    lines = [version.rpartition("_")[2] for version in new]
    assert lines.count("lightgbm") >= 2
    assert not (settings.work_dir / first["turn_id"] / "long-panel").exists()

    last = run_turn(joined, "2025-05-21T00:00:00Z")
    made = list((settings.work_dir / last["turn_id"]).glob("long*"))
    assert made == [], "nothing is lacking, so nothing is computed"


def test_a_line_filled_in_before_its_first_turn_still_begins_with_what_that_turn_held_back(
    new_settings: Make,
) -> None:
    settings = new_settings(recipes="logistic")
    opens = split_of_turn(settings)
    backfill(settings, "2025-05-20T12:00:00Z", 1)  # reaches into the holdout of the turn before it
    run_turn(settings, "2025-05-20T00:30:00Z")
    rows = store_of(settings).ledger(SLOT.key, "2025-05-20T0030Z_1m_logistic")
    assert rows["ts_ms"].min() == opens + 30 * STEP_MS


def test_without_the_setting_a_turn_fills_in_nothing(new_settings: Make) -> None:
    settings = new_settings(recipes="logistic")
    run_turn(settings, NOW)
    assert not any("backfill" in m.facts for m in store_of(settings).list_models())


def test_a_turn_does_not_take_over_the_name_of_a_fold(new_settings: Make) -> None:
    settings = new_settings(recipes="logistic")
    fold = "2025-05-18T0000Z_1m_baseline"
    facts = {"backfill": True, "baseline": True, "recipe": "baseline"}
    store_of(settings).register_model(SLOT.key, fold, status="archived", **facts)
    with pytest.raises(TakenMoment, match=f"{fold} is a fold of a back-fill"):
        begin(settings, "2025-05-18T00:00:00Z")
    assert begin(settings, "2025-05-18T00:01:00Z").state == "new"


def test_the_baseline_of_a_fold_is_no_way_back(new_settings: Make) -> None:
    """It has no bundle: a slot that has no other gets one with its first model."""
    settings = new_settings()
    places = places_of(settings)
    assert lacks_baseline(SLOT, places)
    facts = {"backfill": True, "baseline": True, "recipe": "baseline"}
    places.store.register_model(SLOT.key, "d1_baseline", status="archived", **facts)
    assert lacks_baseline(SLOT, places)
    places.store.register_model(SLOT.key, "d2_baseline", baseline=True)
    assert not lacks_baseline(SLOT, places)
