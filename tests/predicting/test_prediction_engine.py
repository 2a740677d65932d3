"""Candles in, an answer out: the right model, its features, its interval; and what is refused."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import NotEnoughHistory
from features.program import FeatureProgram
from market.errors import BadCandles
from market.resample import resample
from market.timeframes import utc
from models.common.ensemble import EnsemblePredictor
from models.common.errors import FeatureError, ModelNotFound
from models.common.model import open_model
from models.common.opening import Opening, opening
from models.common.predictor import load_model
from models.common.regimes import COLUMNS, RegimeConfidence, Regimes, regimes_path
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.engine import Prediction, PredictionConfig, PredictionEngine
from orchestration.engine.errors import BadConfig, BadFrame
from orchestration.engine.streams import least_bars
from tests.models import tiny
from tests.predicting import house

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return house.candles()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    house.serve(tmp_path)
    return tmp_path


@pytest.fixture
def engine(home: Path) -> Iterator[PredictionEngine]:
    with PredictionEngine(PredictionConfig(home=home), clock=house.clock) as made:
        yield made


def by_hand(home: Path, candles: pd.DataFrame, name: str = "price") -> dict[str, object]:
    """Return what `load_model` answers to the features of the last candle."""
    model = load_model(name, home=home)
    row = FeatureProgram(model.features, "1h").run(candles)[-1]
    close = float(candles["close"].iloc[-1])
    answer: dict[str, object] = model.predict(
        dict(zip(model.features, row, strict=True)), close=close
    )
    return answer


def test_it_answers_what_the_model_does_and_says_who_it_was(
    engine: PredictionEngine, home: Path, candles: pd.DataFrame
) -> None:
    said, held = engine.predict(candles), by_hand(home, candles)
    assert said.price == pytest.approx(held["predicted_price"], rel=1e-6)
    assert said.interval == pytest.approx(held["interval"], rel=1e-6)
    assert said.confidence == pytest.approx(held["confidence"], rel=1e-6)
    assert said.novelty == pytest.approx(held["novelty"], rel=1e-6)
    assert said.direction == ("UP" if said.values["expected_return"] >= 0 else "DOWN")
    assert (said.model_name, said.version) == ("majors/price/1h", "v1")
    assert (said.kind, said.timeframe, said.symbol) == ("price", "1h", "BTC-USDT")
    assert said.ts == candles.index[-1].to_pydatetime()
    assert said.simulated
    assert not said.cached
    assert said.regime is None


def test_the_same_bar_twice_is_not_computed_again(
    engine: PredictionEngine, candles: pd.DataFrame
) -> None:
    first, second = engine.predict(candles), engine.predict(candles.copy())
    assert (first.cached, second.cached) == (False, True)
    assert second.as_dict() == first.as_dict() | {"cached": True}
    assert engine.health() == {"database": "none", "cached": 1, "hits": 1, "misses": 1}


def test_another_version_is_not_cached(home: Path, candles: pd.DataFrame) -> None:
    engine = PredictionEngine(PredictionConfig(home=home), clock=house.clock)
    first = engine.predict(candles)
    house.serve(home, version="v2", bias=0.01)
    engine._chooser.choose("BTC-USDT", "1h", None)._look_at = 0.0  # type: ignore[attr-defined]
    second = engine.predict(candles)
    assert (second.version, second.cached) == ("v2", False)
    assert second.price != first.price


def test_another_close_another_answer_though_the_row_is_the_same(
    engine: PredictionEngine, candles: pd.DataFrame
) -> None:
    """Features are scale-free: only the close tells a price of 100 from one of 200."""
    doubled = candles * [2.0, 2.0, 2.0, 2.0, 1.0]
    doubled.attrs = candles.attrs
    first, second = engine.predict(candles), engine.predict(doubled)
    assert not second.cached
    assert second.price == pytest.approx(2 * first.price, rel=1e-6)  # type: ignore[operator]


def test_a_frame_that_goes_on_gives_the_bits_of_one_program_that_went_on(
    engine: PredictionEngine, candles: pd.DataFrame
) -> None:
    program = FeatureProgram(house.NAMES, "1h")
    start = 1000
    need = program.settle + 1
    program.run(candles.iloc[start - need : start])
    engine.predict(candles.iloc[:start])
    for stop in (start + 1, start + 2, start + 50):
        said = engine.predict(candles.iloc[:stop])
        assert not said.cached
        row = program.extend(candles.iloc[program.seen + start - need : stop])[-1]
        held = load_model("price", home=engine.config.home).predict(
            dict(zip(house.NAMES, row, strict=True)), close=float(candles["close"].iloc[stop - 1])
        )
        assert said.price == held["predicted_price"]


def test_a_bar_that_was_repaired_since_is_not_gone_on_from(
    engine: PredictionEngine, candles: pd.DataFrame
) -> None:
    engine.predict(candles.iloc[:1500])
    other = candles.iloc[:1501].copy()
    other.iloc[1495] *= [1.01, 1.01, 1.01, 1.01, 1.0]
    other.attrs = candles.attrs
    fresh = PredictionEngine(engine.config, clock=house.clock)
    assert engine.predict(other).as_dict() == fresh.predict(other).as_dict()


def test_an_earlier_moment_is_answered_too(engine: PredictionEngine, candles: pd.DataFrame) -> None:
    late, early = candles, candles.iloc[:1500]
    first = engine.predict(early).price
    engine.predict(late)
    again = engine.predict(early)
    assert again.cached
    assert again.price == first
    fresh = PredictionEngine(PredictionConfig(home=engine.config.home, cache=False))
    assert fresh.predict(early).price == first


def test_a_bar_that_has_not_closed_is_left_out(home: Path, candles: pd.DataFrame) -> None:
    closing = candles.index[-1].timestamp() + 3600
    before = PredictionEngine(PredictionConfig(home=home), clock=lambda: closing - 1)
    after = PredictionEngine(PredictionConfig(home=home), clock=lambda: closing)
    assert before.predict(candles).ts == candles.index[-2].to_pydatetime()
    assert after.predict(candles).ts == candles.index[-1].to_pydatetime()


@pytest.mark.parametrize("shape", ["column", "nanoseconds", "naive", "capitals", "more"])
def test_candles_in_other_shapes(
    engine: PredictionEngine, candles: pd.DataFrame, shape: str
) -> None:
    expected = engine.predict(candles)
    other = candles.copy()
    if shape == "column":
        other = candles.reset_index()
        other["timestamp"] = pd.DatetimeIndex(candles.index).asi8
    elif shape == "nanoseconds":
        other.index = pd.DatetimeIndex(candles.index).as_unit("ns")
    elif shape == "naive":
        other.index = pd.DatetimeIndex(candles.index).tz_localize(None)
    elif shape == "capitals":
        other = candles.rename(columns=str.title).astype(str)
    elif shape == "more":
        other["trades"] = 3
    other.attrs = candles.attrs
    assert engine.predict(other).as_dict() == expected.as_dict() | {"cached": True}


def test_shorter_candles_are_made_into_the_bars_that_models_read(home: Path) -> None:
    short = house.candles(timeframe="15m")
    config = PredictionConfig(home=home, timeframe="1h")
    closing = short.index[-1].timestamp() + 900
    engine = PredictionEngine(config, clock=lambda: closing)
    said = engine.predict(short)
    assert said.timeframe == "1h"
    hourly = resample(short, "15m", "1h")
    hourly.attrs = house.candles().attrs
    assert said.price == PredictionEngine(config, clock=lambda: closing).predict(hourly).price
    # Without its last quarter the last hour has not closed.
    assert engine.predict(short.iloc[:-1]).ts == utc(int(said.ts.timestamp() * 1000) - house.HOUR)
    with pytest.raises(BadFrame, match="candles are of 1h and 15m bars are asked for"):
        PredictionEngine(PredictionConfig(home=home, timeframe="15m")).predict(hourly)


def test_the_least_history_gives_what_all_of_it_gives() -> None:
    """Ninety hourly days are enough for the slowest average that the recipes read."""
    long = house.candles(start="2024-06-01T00:00Z")
    program = FeatureProgram(("rsi_14", "macd_histogram_pct", *COLUMNS), "1h")
    least = least_bars(program)
    assert least == 199 + math.ceil(0.85 * 2073) + 1 < 90 * 24
    whole, short = program.run(long)[-1], program.run(long.iloc[-least:])[-1]
    assert np.allclose(short, whole, rtol=1e-7, atol=1e-8)


# ---------------------------------------------------------------- who answers


def test_a_symbols_own_model_before_a_pooled_one(home: Path, candles: pd.DataFrame) -> None:
    house.serve(home, scope="BTC-USDT", version="own")
    engine = PredictionEngine(PredictionConfig(home=home), clock=house.clock)
    assert engine.predict(candles).model_name == "BTC-USDT/price/1h"
    assert engine.predict(candles, "ETHUSDT").model_name == "majors/price/1h"
    with pytest.raises(ModelNotFound, match="no price model serves DOGE-USDT"):
        engine.predict(candles, "DOGE-USDT")


def test_without_a_symbol_the_kinds_only_model_answers(
    engine: PredictionEngine, candles: pd.DataFrame
) -> None:
    nameless = candles.copy()
    nameless.attrs = {}
    said = engine.predict(nameless)
    assert said.symbol is None
    assert said.model_name == "majors/price/1h"
    config = PredictionConfig(home=engine.config.home, symbol="btc/usdt")
    assert PredictionEngine(config, clock=house.clock).predict(nameless).symbol == "BTC-USDT"


def test_a_strategy_has_its_own_bundle(home: Path, candles: pd.DataFrame) -> None:
    house.serve(home, "direction", "d1")
    tiny.bundle(home / "models", "price", "v9", timeframe="1h", bias=0.1, schema=house.schema())
    config = PredictionConfig(home=home, bundles={"trend": "direction", "fixed": "v9"})
    engine = PredictionEngine(config, clock=house.clock)
    trend = engine.predict(candles, strategy="trend")
    assert (trend.kind, trend.price, trend.interval) == ("direction", None, None)
    assert trend.direction == trend.values["direction"]
    assert engine.predict(candles, strategy="fixed").version == "v9"
    assert engine.predict(candles, strategy="another").version == "v1"


@pytest.mark.parametrize("kind", ["direction", "risk", "momentum", "volatility"])
def test_every_kind(home: Path, candles: pd.DataFrame, kind: str) -> None:
    house.serve(home, kind)
    engine = PredictionEngine(PredictionConfig(home=home, model_type=kind), clock=house.clock)
    said = engine.predict(candles)
    assert said.kind == kind
    assert said.price is None
    assert (said.confidence is None) == (kind == "risk")
    assert (said.direction is None) == (kind != "direction")
    assert json.loads(json.dumps(said.as_dict()))["values"]


def test_an_ensemble_answers_a_strategy_and_its_members_are_part_of_the_key(
    home: Path, candles: pd.DataFrame
) -> None:
    tiny.bundle(home / "models", "price", "v2", timeframe="1h", bias=0.1, schema=house.schema())
    EnsemblePredictor(["majors/price@champion", "majors/price/v2"], home=home).save_config(
        "ensemble_001"
    )
    config = PredictionConfig(home=home, bundles={"both": "ensemble_001"})
    engine = PredictionEngine(config, clock=house.clock)
    bare = candles.copy()
    bare.attrs = {"symbol": "BTC-USDT"}
    said = engine.predict(bare, strategy="both")
    assert said.model_name == "ensemble_001"
    assert said.version.startswith("ensemble_001:")
    assert said.simulated, "its members learnt on a simulated market"
    one, two = (
        by_hand(home, candles, f"majors/price/{v}")["expected_return"] for v in ("v1", "v2")
    )
    assert said.values["expected_return"] == pytest.approx((one + two) / 2, rel=1e-5)  # type: ignore[operator]
    again = engine.predict(bare, strategy="both")
    assert again.cached
    assert again.price == said.price
    house.serve(home, version="v3", bias=0.2)
    model = engine._chooser.choose("BTC-USDT", "1h", "both")
    for member in model._members.values():  # type: ignore[attr-defined]
        member._look_at = 0.0
    moved = engine.predict(bare, strategy="both")
    assert not moved.cached
    assert moved.version != said.version


def test_confidence_is_that_of_the_regime_where_it_was_learnt(
    home: Path, candles: pd.DataFrame
) -> None:
    house.serve(home, "direction", "d1", bias=0.3)
    config = PredictionConfig(home=home, model_type="direction")
    plain = PredictionEngine(config, clock=house.clock).predict(candles)
    edges = Regimes((0.0, 1e9), (-1e9, 1e9))
    learnt = RegimeConfidence(edges, tuple(0.5 if k == 4 else 1.0 for k in range(9)))
    path = regimes_path(home / "models", Slot("majors", "direction", "1h"))
    path.write_text(json.dumps(learnt.as_dict()))
    engine = PredictionEngine(config, clock=house.clock)
    said = engine.predict(candles)
    assert said.regime == "usual/flat"
    odds = math.log(plain.confidence / (1 - plain.confidence))  # type: ignore[operator]
    assert said.confidence == pytest.approx(1 / (1 + math.exp(-odds / 2)))
    assert engine.predict(candles).cached
    # Regimes take more history than this model: with less it answers without.
    least = least_bars(FeatureProgram((*house.NAMES, *COLUMNS), "1h"))
    assert least < 90 * 24
    short = engine.predict(candles.iloc[-(least - 1) :])
    assert (short.regime, short.confidence) == (None, pytest.approx(plain.confidence, abs=1e-6))
    unaware = PredictionConfig(home=home, model_type="direction", regime_aware=False)
    assert PredictionEngine(unaware, clock=house.clock).predict(candles).regime is None
    # What was learnt since makes another answer.
    path.write_text(json.dumps(RegimeConfidence(edges, (0.25,) * 9).as_dict()))
    engine._versions._known.clear()
    other = engine.predict(candles)
    assert not other.cached
    assert other.confidence < said.confidence  # type: ignore[operator]
    path.write_text("{")
    engine._versions._known.clear()
    assert engine.predict(candles).regime is None


def test_in_a_backtest_its_models_answer_and_nothing_is_kept(
    home: Path, candles: pd.DataFrame, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    house.serve(other, version="then", bias=0.1)
    config = PredictionConfig(home=home, database_url=f"sqlite:///{tmp_path}/t.db")
    with PredictionEngine(config, clock=house.clock) as engine:
        now = engine.predict(candles)
        with opening(Opening(home=other)) as models:
            then = engine.predict(candles)
            assert not engine.predict(candles).cached
        assert then.version == "then"
        assert models.opened
        assert engine.predict(candles).version == now.version == "v1"
        assert engine.health()["cached"] == 1


# ---------------------------------------------------------------- what is refused


def test_what_is_refused_says_what_to_do(engine: PredictionEngine, candles: pd.DataFrame) -> None:
    with pytest.raises(
        NotEnoughHistory, match=r"rsi_14 must settle, and here are 90 .* give 491 or more"
    ):
        engine.predict(candles.iloc[-90:])
    with pytest.raises(BadFrame, match="is list"):
        engine.predict([1.0, 2.0])  # type: ignore[arg-type]
    holed = candles.copy()
    holed.iloc[-3, 3] = np.nan
    holed.attrs = candles.attrs
    with pytest.raises(BadCandles, match=r"1 hold what cannot be.*repair"):
        engine.predict(holed)
    with pytest.raises(BadFrame, match="not in order"):
        engine.predict(candles.iloc[::-1])
    with pytest.raises(BadCandles, match="lack the columns"):
        engine.predict(candles[["open", "close"]])
    wrong = candles.copy()
    wrong.attrs = {"timeframe": "5m"}
    with pytest.raises(BadFrame, match="1h apart and say that they are of 5m"):
        engine.predict(wrong)
    assert engine.predict(candles).price, "a refusal leaves nothing behind"


def test_a_refusal_in_mid_stream_is_forgotten(
    engine: PredictionEngine, candles: pd.DataFrame
) -> None:
    engine.predict(candles.iloc[:1500])
    bad = candles.iloc[:1502].copy()
    bad.iloc[-1, 2] = 1e9
    bad.attrs = candles.attrs
    elsewhere = candles.iloc[:900].copy()
    elsewhere.iloc[-5, 2] = 1e9
    elsewhere.attrs = candles.attrs
    for refused in (bad, elsewhere):
        with pytest.raises(BadCandles):
            engine.predict(refused)
    fresh = PredictionEngine(engine.config, clock=house.clock)
    fresh.predict(candles.iloc[:1500])
    after = candles.iloc[:1510]
    assert engine.predict(after).as_dict() == fresh.predict(after).as_dict()


def test_features_of_another_definition_are_refused(tmp_path: Path, candles: pd.DataFrame) -> None:
    tiny.bundle(tmp_path / "models", "price", timeframe="1h")  # its hashes are made up
    PredictionModelRegistry(tmp_path / "models").promote(Slot("majors", "price", "1h"), "v1")
    engine = PredictionEngine(PredictionConfig(home=tmp_path), clock=house.clock)
    with pytest.raises(FeatureError, match="defined otherwise"):
        engine.predict(candles)


def test_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = PredictionConfig(model_registry_path=tmp_path / "models", model_type="basic")
    assert (config.home, config.model_type) == (tmp_path, "price")
    assert PredictionModelRegistry(config).root == tmp_path / "models"
    with pytest.raises(BadConfig, match="no registry"):
        PredictionConfig(model_registry_path=tmp_path)
    with pytest.raises(BadConfig, match="say one of the two"):
        PredictionConfig(home=tmp_path, model_registry_path=tmp_path / "x" / "models")
    with pytest.raises(BadConfig, match="cache_rows"):
        PredictionConfig(home=tmp_path, cache_rows=0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEWHEEL_PREDICTION__KIND", "direction")
    monkeypatch.setenv("TIDEWHEEL_PREDICTION__BUNDLES", '{"trend": "risk"}')
    read = PredictionConfig.from_config_manager()
    assert (read.home, read.model_type, dict(read.bundles)) == (
        tmp_path, "direction", {"trend": "risk"},
    )  # fmt: skip
    assert read.database_url == f"sqlite:///{tmp_path}/tidewheel.db"
    assert "sqlite" not in repr(read)


def test_a_prediction_comes_back_from_json_with_all_its_bits(
    engine: PredictionEngine, candles: pd.DataFrame
) -> None:
    said = engine.predict(candles)
    back = Prediction.from_dict(json.loads(json.dumps(said.as_dict())))
    assert back.as_dict() == said.as_dict()
    assert back.interval == said.interval


SCRIPT = """
import sys
from orchestration.engine import PredictionConfig, PredictionEngine
from tests.predicting import house
from pathlib import Path
before = set(sys.modules)
engine = PredictionEngine(PredictionConfig(home=Path(sys.argv[1])), clock=house.clock)
assert engine.predict(house.candles()).price > 0
heavy = {"sqlalchemy", "alembic", "mlflow", "prefect", "sklearn", "lightgbm", "torch", "pydantic"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""


def test_a_process_without_a_database_imports_none(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(home)],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_many_threads_get_the_same_answers(engine: PredictionEngine, candles: pd.DataFrame) -> None:
    from concurrent.futures import ThreadPoolExecutor

    stops = [1500 + k for k in range(40)] * 3
    alone = PredictionEngine(PredictionConfig(home=engine.config.home, cache=False))
    expected = {stop: alone.predict(candles.iloc[:stop]).price for stop in sorted(set(stops))}
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda stop: engine.predict(candles.iloc[:stop]).price, stops))
    assert np.allclose(said, [expected[stop] for stop in stops], rtol=1e-6)
    assert open_model("price", home=engine.config.home).version_id == "v1"
