"""Between two turns: new bars are predicted with the same bits as a turn's, once, and settled."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.program import FeatureProgram
from market.errors import SourceTimeout
from market.source import open_source
from market.timeframes import Instant
from models.common.predictor import load_model
from models.common.slot import Slot
from orchestration.lifecycle.promotion import By, promote
from orchestration.recorder import Recorder
from orchestration.said import Said
from orchestration.service import resources, steps
from orchestration.service.errors import NothingFetched
from orchestration.service.predicting import predict
from orchestration.service.refs import Json
from orchestration.service.resources import candles_of, places_of, registry_of, store_of
from orchestration.service.turn import run_turn
from orchestration.service.work import predict_lock, turn_lock
from orchestration.settings import Settings, load_settings
from orchestration.spool import Spool
from orchestration.store.records import ROLE_OF_STATUS

NOW = "2025-05-20T00:00:00Z"
SOON = "2025-05-20T01:30:20Z"
ROOT = Path(__file__).parents[2]
SMALL = {
    "source": "simulated:seed=7", "symbols": "BTC-USDT,ETH-USDT", "timeframe": "1m", "days": 3,
    "kinds": "direction",
}  # fmt: skip


@pytest.fixture(scope="module")
def turned(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which one turn was run."""
    home = tmp_path_factory.mktemp("turned") / "home"
    shutil.copytree(blank, home)
    run_turn(load_settings(home=home, **SMALL), NOW)
    return home


@pytest.fixture
def settings(turned: Path, tmp_path: Path, forget_resources: Callable[[], None]) -> Settings:
    """A home of the test's own, after that turn."""
    shutil.copytree(turned, tmp_path / "home", symlinks=True)
    return load_settings(home=tmp_path / "home", **SMALL)


def ledger_of(settings: Settings) -> pd.DataFrame:
    (slot,) = {model.slot_key for model in store_of(settings).list_models()}
    return store_of(settings).ledger(slot)


def test_every_version_in_service_predicts_every_new_bar_and_outcomes_are_settled(
    settings: Settings,
) -> None:
    before = ledger_of(settings)
    found = predict(settings, SOON)
    after = ledger_of(settings)
    assert (found["at"], found["changed"], found["failures"]) == (
        "2025-05-20T01:30:00+00:00", True, [],
    )  # fmt: skip
    (row,) = found["slots"]
    assert row["predictions"] == 90 * 2 * row["versions"] == len(after) - len(before)
    assert row["versions"] >= 2
    new = after[after["ts_ms"] >= pd.Timestamp(NOW).value // 10**6]
    # Of the last five bars of each symbol the outcome is open.
    assert (~new["resolved"]).sum() == 5 * 2 * row["versions"]
    assert row["outcomes"] == found["outcomes"] > 0
    assert set(new["role"]) >= {"champion", "baseline"} or set(new["role"]) >= {
        "champion",
        "shadow",
    }
    assert found["simulated"]
    assert "SIMULATED market" in found["sentence"]
    (watched,) = found["watch"]["slots"]
    assert (watched["slot"], watched["action"]) == (row["slot"], None)
    json.dumps(found, allow_nan=False)


def test_it_says_the_same_bits_as_a_turn_at_that_moment(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(settings.home, tmp_path / "twin", symlinks=True)
    twin = settings.model_copy(update={"home": tmp_path / "twin"})
    for moment in ("2025-05-20T00:15:00Z", "2025-05-20T00:45:00Z", SOON):
        predict(settings, moment)
    with turn_lock(twin):
        turn = steps.begin(twin, SOON).turn
        for symbol in twin.symbols:
            steps.fetch(turn, symbol)
        steps.dataset(turn)
        steps.ledger(turn, "direction")
    ours, turns = ledger_of(settings), ledger_of(twin)
    same = ["symbol", "ts_ms", "version", "role", "resolved", "raw_0", "outcome_0"]
    pd.testing.assert_frame_equal(ours[same], turns[same], check_exact=True)


def test_again_changes_nothing(settings: Settings) -> None:
    predict(settings, SOON)
    before = ledger_of(settings)
    again = predict(settings, SOON)
    assert (again["changed"], again["predictions"], again["outcomes"]) == (False, 0, 0)
    pd.testing.assert_frame_equal(ledger_of(settings), before)


def test_a_strategy_that_records_live_says_the_same_bits(
    settings: Settings, tmp_path: Path
) -> None:
    """Bar by bar through a recorder, or ninety at once between turns: the same rows."""
    shutil.copytree(settings.home, tmp_path / "twin", symlinks=True)
    twin = settings.model_copy(update={"home": tmp_path / "twin"})
    predict(twin, SOON)
    store, begun = store_of(settings), pd.Timestamp(NOW).value // 10**6
    candles = {
        symbol: candles_of(twin).read(symbol, "1m", "2025-05-16T00:00:00Z", SOON[:-3] + "00Z")
        for symbol in settings.symbols
    }
    now = [0.0]
    serving = [m for m in store.list_models() if m.status in ROLE_OF_STATUS]
    with Recorder(store, clock=lambda: now[0]) as recorder:
        for record in serving:
            model = load_model(
                f"{record.slot_key.rsplit('/', 1)[0]}/{record.version}", home=settings.home
            )
            live = recorder.of(model.bind(model.features))
            for symbol, bars in candles.items():
                rows = FeatureProgram(model.features).run(bars)[-90:]
                for k, row in enumerate(rows):
                    now[0] = (begun + (k + 1) * 60_000) / 1000
                    live.predict(row, symbol=symbol, ts=begun + k * 60_000)
    assert recorder.refused == {}
    keys = ["symbol", "ts_ms", "version", "role", "raw_0"]
    ours, flows = ledger_of(settings)[keys], ledger_of(twin)[keys]
    pd.testing.assert_frame_equal(ours, flows, check_exact=True)
    assert predict(settings, SOON)["predictions"] == 0  # it was written first by the strategy


def test_what_a_strategy_said_while_the_database_was_down_comes_first(settings: Settings) -> None:
    (champion,) = store_of(settings).list_models(status="champion")
    begun = pd.Timestamp(NOW).value // 10**6
    said = Said(champion.slot_key, champion.version, "BTC-USDT", begun, [0.125], begun + 61_000)
    Spool(settings.spool_dir).keep([said])
    assert predict(settings, SOON)["changed"]
    rows = ledger_of(settings)
    bar = rows[(rows["version"] == champion.version) & (rows["ts_ms"] == begun)]
    assert bar.set_index("symbol")["raw_0"]["BTC-USDT"] == 0.125
    assert not list(settings.spool_dir.glob("*.json"))


def test_while_a_turn_runs_there_is_nothing_to_do(settings: Settings) -> None:
    with turn_lock(settings):
        found = predict(settings, SOON)
    assert not found["changed"]
    assert found["sentence"].startswith("nothing to do: another turn is running")
    with predict_lock(settings):
        assert "another process predicts" in predict(settings, SOON)["sentence"]


def test_a_turn_waits_for_predictions(settings: Settings) -> None:
    """Both begin at the full hour: the turn must not end because of the other."""
    code = (
        "import sys; from orchestration.settings import load_settings; "
        "from orchestration.service.work import turn_lock; print('waits', flush=True)\n"
        "with turn_lock(load_settings(home=sys.argv[1])): print('turns')"
    )
    with predict_lock(settings):
        turn = subprocess.Popen(
            [sys.executable, "-c", code, str(settings.home)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert turn.stdout is not None
        assert turn.stdout.readline() == "waits\n"
        with pytest.raises(subprocess.TimeoutExpired):
            turn.wait(0.5)
    assert turn.wait(30) == 0
    assert turn.stdout.read() == "turns\n"


def test_before_the_first_turn_there_is_nothing_to_do(
    new_settings: Callable[..., Settings],
) -> None:
    assert "nothing serves yet" in predict(new_settings(), SOON)["sentence"]


def test_that_not_one_version_can_be_read_is_no_silence(settings: Settings) -> None:
    shutil.rmtree(settings.models_dir)
    (row,) = predict(settings, SOON)["slots"]
    assert len(row["broken"]) == row["versions"] > 1
    assert row["predictions"] == 0
    assert row["outcomes"] > 0


class BrokenSource:
    """The simulated market, except that some symbols never answer."""

    def __init__(self, broken: set[str]) -> None:
        self._market = open_source("simulated:seed=7")
        self.name, self.simulated, self.broken = self._market.name, True, broken

    def fetch(self, symbol: str, timeframe: str, start: Instant, end: Instant) -> pd.DataFrame:
        if symbol in self.broken:
            raise SourceTimeout(f"{symbol}: no answer within 10 s")
        return self._market.fetch(symbol, timeframe, start, end)


def test_one_symbol_that_does_not_answer_is_caught_up_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict(settings.model_copy(), NOW)  # nothing new: its candles are there
    assert not whole["changed"]
    broken = BrokenSource({"ETH-USDT"})
    monkeypatch.setattr(resources, "_source", lambda _: broken)
    found = predict(settings, SOON)
    assert [failure["subject"] for failure in found["failures"]] == ["ETH-USDT"]
    versions = found["slots"][0]["versions"]
    assert found["predictions"] == 90 * versions
    broken.broken.clear()
    assert predict(settings, SOON)["predictions"] == 90 * versions
    broken.broken |= {"ETH-USDT", "BTC-USDT"}
    with pytest.raises(NothingFetched, match="no answer within 10 s"):
        predict(settings, "2025-05-20T02:00:00Z")


def test_a_version_whose_bundle_is_refused_is_named_and_the_others_go_on(
    settings: Settings,
) -> None:
    found: Json = {}
    for model in store_of(settings).list_models():
        if model.status in ("challenger", "unproven", "baseline"):
            folder = registry_of(settings).folder(Slot.parse(model.slot_key), model.version)
            (folder / "model.onnx").write_bytes(b"not a graph")
            found = predict(settings, SOON)
            assert list(found["slots"][0]["broken"]) == [model.version]
            assert model.version in found["sentence"]
            assert found["predictions"] == 180 * (found["slots"][0]["versions"] - 1)
            return
    pytest.fail("the turn left one version only")


@pytest.mark.parametrize("at", [1, 3, 5, 7, 8, 9, 10, 11])
def test_killed_anywhere_and_repeated_the_rows_are_the_same(settings: Settings, at: int) -> None:
    wanted = settings.home.parent / "whole"
    shutil.copytree(settings.home, wanted, symlinks=True)
    predict(settings.model_copy(update={"home": wanted}), SOON)
    script = [sys.executable, "-m", "tests.deciding.killed_predict", str(settings.home), SOON]
    killed = subprocess.run(
        [*script, str(at)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert killed.returncode in (-9, 0), killed.stderr
    predict(settings, SOON)
    whole = ledger_of(settings.model_copy(update={"home": wanted}))
    pd.testing.assert_frame_equal(ledger_of(settings), whole)


def test_mlflow_may_be_gone(settings: Settings) -> None:
    shutil.rmtree(settings.home / "mlflow")
    found = predict(settings, SOON)
    assert (found["failures"], found["changed"]) == ([], True)


def test_a_champion_that_does_harm_is_rolled_back_at_once(settings: Settings) -> None:
    """Thirty hours of a champion that is wrong more often than a coin."""
    store, (slot,) = store_of(settings), {m.slot_key for m in store_of(settings).list_models()}
    baseline, harmful = (
        next(m.version for m in store.list_models(slot) if bool(m.facts.get("baseline")) == plain)
        for plain in (True, False)
    )
    begun = pd.Timestamp(NOW).value // 10**6
    promote(Slot.parse(slot), harmful, places_of(settings), By("a test", begun, force=True))
    rng, ts = np.random.default_rng(0), begun + np.arange(1800) * 60_000
    for symbol in settings.symbols:
        up = rng.integers(0, 2, len(ts)).astype(float)
        said = np.where(rng.random(len(ts)) < 0.4, up, 1 - up) * 0.1 + 0.45
        bars = pd.DataFrame({"symbol": symbol, "ts_ms": ts})
        store.add_predictions(slot, harmful, "champion", bars.assign(raw_0=said))
        store.add_predictions(slot, baseline, "baseline", bars.assign(raw_0=0.5))
        store.add_outcomes(slot, bars.assign(outcome_0=up))
    found = predict(settings, begun + 1800 * 60_000)
    assert found["watch"]["rolled_back"] == [slot]
    assert "HARM, rolled back" in found["sentence"]
    assert registry_of(settings).linked(Slot.parse(slot)) != harmful
    assert predict(settings, begun + 1800 * 60_000)["watch"]["rolled_back"] == []
