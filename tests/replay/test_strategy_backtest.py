"""A strategy's backtest as the service runs it: days, models, trials, and what a replay served."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market.timeframes import utc
from models.common.errors import ModelNotFound
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.service import replaying, resources
from orchestration.service.backtests.choosing import chosen, examples
from orchestration.service.backtests.leaving import leave
from orchestration.service.errors import BadBacktest, BadReplay, BadStrategy
from orchestration.service.replays.plan import Plan
from orchestration.service.resources import source_of, store_of
from orchestration.service.strategy_backtest import Asked, Backtested, backtest
from orchestration.settings import Settings, load_settings
from strategies.costs import Costs
from strategies.run import stamps
from tests.models import tiny

NOW = datetime(2025, 5, 22, tzinfo=UTC)
STEP = 300_000

RULE = '''
from strategies.base_strategy import BaseStrategy, Signal

class Turns(BaseStrategy):
    """LONG and SHORT in turn, every so many closes."""
    name = "turns"

    def __init__(self, every: int = 24):
        self.every, self.closes = every, []

    def detect(self, symbol, price, volume, ts_ms, df, fm):
        self.closes.append(ts_ms)
        turn, left = divmod(ts_ms // 300_000, self.every)
        return None if left else Signal(symbol, "LONG" if turn % 2 else "SHORT", self.name, 0.5)
'''
FOLLOWER = '''
from models.common.predictor import load_model
from strategies.base_strategy import SIDE_OF, BaseStrategy, Signal

class Follower(BaseStrategy):
    """Does what direction says, asked as a strategy of anybody would."""
    name = "follower"
    said: list = []

    def __init__(self, model: str = "direction"):
        self.model = load_model(model)

    def detect(self, symbol, price, volume, ts_ms, df, fm):
        rows = fm.get_features(symbol, "5m", self.model.features, 1)
        answer = self.model.predict(rows)
        self.said.append((symbol, ts_ms, answer["probability"]))
        return Signal(symbol, SIDE_OF[answer["direction"]], self.name, answer["confidence"])
'''


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("TIDEWHEEL_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    resources.forget()
    return load_settings(
        home=tmp_path / "home", source="simulated:seed=7", symbols="BTC-USDT,ETH-USDT",
        timeframe="5m", days=2,
    )  # fmt: skip


def written(folder: Path, text: str, name: str = "own.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def asked(strategy: str, *parameters: str, **more: object) -> Asked:
    return Asked(strategy, parameters, **({"features": "once"} | more))  # type: ignore[arg-type]


# ---------------------------------------------------------------- which strategy


def test_the_examples_of_the_house_are_known_by_module_name_and_class() -> None:
    known = examples()
    assert "ml_enhanced" in known
    kinds = {chosen(word).kind for word in ("ml_enhanced", "MLEnhancedStrategy")}
    assert kinds == {chosen("strategies.ml_enhanced:MLEnhancedStrategy").kind}


@pytest.mark.parametrize(
    ("word", "parameters", "said"),
    [
        ("nothing", (), "there are .*ml_enhanced"),
        ("none.py", (), "there is no file"),
        ("own.py:Nope", (), "there are Turns"),
        ("no.such.module", (), "cannot be imported"),
        ("broken.py", (), "SyntaxError"),
        ("empty.py", (), "a strategy is a subclass of BaseStrategy"),
        ("own.py", ("evry=3",), "it takes every"),
        ("own.py", ("3",), "name=value"),
    ],
)
def test_what_cannot_be_chosen_says_what_can(
    word: str, parameters: tuple[str, ...], said: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, RULE)
    written(tmp_path, "x = = 1", "broken.py")
    written(tmp_path, "x = 1", "empty.py")
    with pytest.raises(BadStrategy, match=said):
        chosen(word, parameters).made()


def test_another_threshold_in_the_code_is_another_idea_and_a_comment_is_not(tmp_path: Path) -> None:
    facts = [
        chosen(written(tmp_path, text, f"{k}.py")).facts()
        for k, text in enumerate((RULE, RULE + "\n# a comment\n", RULE.replace("24", "36")))
    ]
    assert facts[0] == facts[1] != facts[2]


# ---------------------------------------------------------------- days and trials


def test_only_the_days_asked_for_count_and_those_before_are_only_shown(
    settings: Settings, tmp_path: Path
) -> None:
    rule = written(tmp_path, RULE)
    done = backtest(settings, asked(rule, first="2025-05-20", end="2025-05-21"), NOW)
    run = done.result.run
    assert run.bars == 2 * 288
    assert run.equity.index[0] == stamps([1_747_699_200_000 + STEP])[0]
    assert run.equity.iloc[0] == run.initial_cash
    assert len(run.trades) > 10
    assert done.result.run.simulated
    assert "SIMULATED" in str(done.result)


def test_without_days_it_is_the_last_ones(settings: Settings, tmp_path: Path) -> None:
    done = backtest(settings, asked(written(tmp_path, RULE)), NOW)
    assert done.result.run.equity.index[-1] == NOW
    assert done.result.run.bars == 2 * 2 * 288
    for first, end in (("2025-05-21", "2025-05-21"), ("2025-05-21", "2025-05-20")):
        with pytest.raises(BadBacktest, match="no two bars"):
            backtest(settings, asked(written(tmp_path, RULE), first=first, end=end), NOW)


def test_ideas_are_counted_and_the_same_one_again_is_not_new(
    settings: Settings, tmp_path: Path
) -> None:
    rule = written(tmp_path, RULE)
    seen = []
    for parameters, first in (
        (("every=24",), "2025-05-20"), (("every=30",), "2025-05-20"), (("every=24",), "2025-05-21"),
    ):  # fmt: skip
        done = backtest(settings, asked(rule, *parameters, first=first, end="2025-05-22"), NOW)
        seen.append((done.told["trial"]["of"], done.told["trial"]["runs"]))
        assert done.result["performance"]["trials"] == done.told["trial"]["of"]
    assert seen == [(1, 1), (2, 1), (2, 2)]
    deflated, single = (
        done.result["performance"][name] for name in ("deflated_sharpe", "probabilistic_sharpe")
    )
    assert deflated < single
    (first_trial, _) = store_of(settings).list_trials()
    assert first_trial.facts["parameters"] == {"every": 24}
    assert first_trial.market == done.result.run.source


def test_it_leaves_a_folder_that_can_be_read(settings: Settings, tmp_path: Path) -> None:
    done = backtest(settings, asked(written(tmp_path, RULE), first="2025-05-21"), NOW)
    folder = leave(settings, done)
    told = json.loads((folder / "result.json").read_bytes())
    assert told["performance"]["total_return"] == done.result["performance"]["total_return"]
    assert {path.name for path in folder.glob("[!.]*")} == {
        "report.html", "equity.png", "result.json", "trades.csv", "equity.csv",
    }  # fmt: skip
    assert leave(settings, done) == folder


def test_its_folder_lies_in_the_home_whatever_a_strategy_is_called(
    settings: Settings, tmp_path: Path
) -> None:
    rule = written(tmp_path, RULE.replace('name = "turns"', 'name = "../../rsi 30/70"'))
    folder = leave(settings, backtest(settings, asked(rule, first="2025-05-21"), NOW))
    assert folder.parent == settings.home / "backtests"
    assert folder.name.startswith("rsi-30-70-")


# ---------------------------------------------------------------- models


def champion(settings: Settings, through: str) -> None:
    models = settings.models_dir
    names = {"timeframe": "5m", "trained_through": through}
    tiny.bundle(models, "direction", "v1", **names)
    PredictionModelRegistry(models).promote(Slot("majors", "direction", "5m"), "v1")


def test_no_model_is_asked_about_bars_that_it_has_learnt_from(
    settings: Settings, tmp_path: Path
) -> None:
    champion(settings, "2025-05-21T06:00:00+00:00")
    follower = written(tmp_path, FOLLOWER)
    done = backtest(settings, asked(follower, first="2025-05-20", end="2025-05-22"), NOW)
    assert done.result.run.equity.index[0] == datetime(2025, 5, 21, 6, 5, tzinfo=UTC)
    assert "1.2 days are left out: direction has learnt from them" in done.result.notes[0]
    assert done.told["models"]["direction"]["version_name"] == "v1"
    with pytest.raises(BadBacktest, match=r"its own lessons.*--replay"):
        backtest(settings, asked(follower, first="2025-05-20", end="2025-05-21"), NOW)


LATE = FOLLOWER.replace("self.model = load_model(model)", "self.name_of, self.model = model, None")
LATE = LATE.replace(
    "        rows = fm",
    "        self.model = self.model or load_model(self.name_of)\n        rows = fm",
)


def test_nor_a_model_that_is_opened_while_it_runs(settings: Settings, tmp_path: Path) -> None:
    champion(settings, "2025-05-21T06:00:00+00:00")
    late = written(tmp_path, LATE)
    done = backtest(settings, asked(late, first="2025-05-20", end="2025-05-22"), NOW)
    assert done.result.run.equity.index[0] == datetime(2025, 5, 21, 6, 5, tzinfo=UTC)


# ---------------------------------------------------------------- what a replay served


@pytest.fixture
def walked(new_plan: Callable[..., Plan]) -> Plan:
    """A replay of two days, four turns, direction only."""
    made = new_plan(name="walk")
    replaying.replay(made)
    return made


def follow(plan: Plan, folder: Path, **more: object) -> Backtested:
    how = {"replay": "walk"} | more
    return backtest(plan.live, asked(written(folder, FOLLOWER), **how), NOW)


def test_a_walk_forward_backtest_trades_on_what_was_served_then(
    walked: Plan, tmp_path: Path
) -> None:
    done = follow(walked, tmp_path)
    run = done.result.run
    key = "BTC-USDT+ETH-USDT/direction/5m"
    ledger = store_of(walked.settings).ledger(key, roles=("champion",))
    then = {
        (row.symbol, row.ts_ms + STEP): row.raw_0
        for row in ledger.itertuples()
        if walked.first_ms <= row.ts_ms < walked.end_ms  # its first turn looked back, too
    }
    (slot,) = done.told["served"]
    answered = sum(slot["answered_by"].values())
    assert slot["slot"] == key
    assert answered == len(then) == slot["served"]
    assert run.bars == answered + run.unanswered == 2 * 2 * 288
    said = {(s, ts): p for s, ts, p in _said(tmp_path)}
    assert said == then
    assert f"{run.unanswered:,} of {run.bars:,} bars had none" in done.result.notes[0]
    # The live home counts it; the replay's stays as it was.
    assert store_of(walked.live).list_trials()[0].facts["replay"] == "walk"
    assert store_of(walked.settings).list_trials() == []


def _said(folder: Path) -> list[tuple[str, int, float]]:
    """Return what the follower heard."""
    file = str(folder / "own.py")
    (module,) = (m for m in sys.modules.values() if getattr(m, "__file__", None) == file)
    found: list[tuple[str, int, float]] = module.Follower.said
    return found


SEER = FOLLOWER.replace('name = "follower"', 'name = "seer"; exits = (MaxBars(1),)')
SEER = "from strategies.exits import MaxBars\n" + SEER


@pytest.mark.parametrize(("late", "won"), [(0, 1.0), (1, 0.5), (-1, 0.5)])
def test_answers_are_of_their_bar_neither_early_nor_late(
    new_plan: Callable[..., Plan], tmp_path: Path, late: int, won: float
) -> None:
    """Rows that know the next bar win every trade; said of the bar before or after, one of two."""
    plan = new_plan(name="walk", symbols="BTC-USDT")
    plan.settle()
    source, slot = source_of(plan.settings), Slot("BTC-USDT", "direction", "5m")
    candles = source.fetch("BTC-USDT", "5m", utc(plan.first_ms), utc(plan.end_ms + 10 * STEP))
    opens = candles["open"].to_numpy()
    up = (opens[2:] > opens[1:-1])[: 2 * 288]  # of bar t: from the open of t + 1 to that of t + 2
    made = plan.first_ms - 1_000 * STEP
    store = store_of(plan.settings).at(utc(made).to_pydatetime())
    store.register_model(slot.key, "v1", recipe="seer", head={})
    ts = plan.first_ms + STEP * (np.arange(len(up)) + late)
    rows = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": ts, "raw_0": np.where(up, 0.9, 0.1)})
    store.add_predictions(slot.key, "v1", "champion", rows)
    seer = asked(written(tmp_path, SEER), replay="walk", costs=Costs.none())
    done = backtest(plan.live, seer, NOW)
    assert done.result["trading"]["total_trades"] > 200
    assert done.result["trading"]["win_rate"] == pytest.approx(won, abs=0 if won == 1 else 0.1)


def test_a_replay_whose_house_was_moved_is_read_where_it_is(walked: Plan, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere" / "replays" / "walk"
    there.parent.mkdir(parents=True)
    walked.folder.rename(there)
    (there / "candles").unlink()
    (there / "candles").symlink_to(tmp_path / "gone")
    resources.forget()
    done = follow(walked, tmp_path, replay=str(there), symbols="BTC-USDT", first="2025-05-21")
    assert done.result.run.bars == 288
    assert done.told["replay"] == "walk"


def test_only_what_the_replay_had_can_be_asked(walked: Plan, tmp_path: Path) -> None:
    later = follow(walked, tmp_path, first="2025-05-21T00:00Z", symbols="ETH-USDT")
    assert later.result.run.symbols == ("ETH-USDT",)
    assert later.result.run.bars == 288
    with pytest.raises(BadBacktest, match="and not XRP-USDT"):
        follow(walked, tmp_path, symbols="XRP-USDT")
    with pytest.raises(BadBacktest, match="timeframe of the replay walk is 5m, not 1m"):
        follow(walked, tmp_path, timeframe="1m")
    longer = follow(walked, tmp_path, first="2025-05-01", symbols="ETH-USDT", timeframe="5min")
    assert longer.result.run.bars == 2 * 288
    assert "did not serve are left out" in longer.result.notes[0]
    with pytest.raises(BadBacktest, match="the replay went from"):
        follow(walked, tmp_path, first="2025-06-01")
    with pytest.raises(BadReplay, match="there are walk"):
        follow(walked, tmp_path, replay="other")
    rule = written(tmp_path, FOLLOWER)
    for model, why in (
        ("risk", "served direction and no risk"),
        ("direction@challenger", "no champion"),
        ("BTC-USDT/direction", "asks for BTC-USDT"),
        ("direction/1m", "no model"),
        ("2025-05-20T0000Z_5m_xgboost", "no model"),
    ):
        with pytest.raises(ModelNotFound, match=why):
            backtest(walked.live, asked(rule, f"model={model}", replay="walk"), NOW)
