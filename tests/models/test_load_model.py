"""`load_model`: every name it understands, and what it says to the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.common.errors import BadName, BundleError, FeatureError, ModelNotFound
from models.common.model import Model, open_model
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import KINDS, SEED_NAMES, Slot
from tests.models import tiny


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("built")
    models = home / "models"
    registry = PredictionModelRegistry(models)
    for kind in KINDS:
        tiny.bundle(models, kind, f"{kind}-v1")
        registry.promote(Slot("majors", kind, "1m"), f"{kind}-v1")
    tiny.bundle(models, version="challenger-v2", bias=1.0)
    registry.link(Slot("majors", "direction", "1m"), "challenger", "challenger-v2")
    tiny.bundle(models, version="slow-v1", timeframe="5m")
    registry.promote(Slot("majors", "direction", "5m"), "slow-v1")
    tiny.bundle(models, version="btc-v1", scope="BTC-USDT")
    registry.promote(Slot("BTC-USDT", "direction", "1m"), "btc-v1")
    return home


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    """Return a home of its own for one test."""
    return shutil.copytree(built, tmp_path / "home", symlinks=True)


def frame(rows: int = 3, **more: object) -> pd.DataFrame:
    return pd.DataFrame(tiny.ROWS[:rows], columns=list(tiny.NAMES)).assign(**more)


NAMES = {
    "direction": "direction-v1",
    "model_001": "direction-v1",
    "model_002": "risk-v1",
    "model_003": "price-v1",
    "model_004": "momentum-v1",
    "model_005": "volatility-v1",
    "direction_predictor": "direction-v1",
    "direction_predictor_001": "direction-v1",
    "risk_scorer_007": "risk-v1",
    "majors/direction": "direction-v1",
    "majors/direction/1m": "direction-v1",
    "majors/direction/5m": "slow-v1",
    "BTC-USDT/direction": "btc-v1",
    "BTC-USDT/model_001": "btc-v1",
    "direction@champion": "direction-v1",
    "direction@challenger": "challenger-v2",
    "majors/direction@challenger": "challenger-v2",
    "majors/direction/1m@challenger": "challenger-v2",
    "model_001@challenger": "challenger-v2",
    "challenger-v2": "challenger-v2",
    "majors/direction/challenger-v2": "challenger-v2",
    "slow-v1": "slow-v1",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_is_understood(home: Path, name: str) -> None:
    assert open_model(name, home=home).version_id == NAMES[name]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_by_both_its_names(home: Path, kind: str) -> None:
    row = frame(1, close=100.0)
    assert load_model(kind, home=home).predict(row) == load_model(
        SEED_NAMES[kind], home=home
    ).predict(row)


def test_the_home_is_taken_from_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(home))
    assert load_model("risk").kind == "risk"


def test_a_timeframe_may_be_chosen(home: Path) -> None:
    assert open_model("direction", home=home, timeframe="5m").version_id == "slow-v1"
    with pytest.raises(ModelNotFound, match="model of 5m bars, not 1m"):
        load_model("slow-v1", home=home, timeframe="1m")
    with pytest.raises(ModelNotFound, match="no champion yet"):
        load_model("direction", home=home, timeframe="1h")


def test_a_version_called_like_a_standing_name_wins(home: Path) -> None:
    tiny.bundle(home / "models", "risk", "model_001")
    assert open_model("model_001", home=home).kind == "risk"


def test_the_only_scope_is_meant_and_of_several_one_must_be_named(tmp_path: Path) -> None:
    registry = PredictionModelRegistry(tmp_path / "models")
    for scope in ("ETH-USDT", "XRP-USDT"):
        tiny.bundle(registry.root, scope=scope, version=f"{scope}-v1")
        registry.promote(Slot(scope, "direction", "1m"), f"{scope}-v1")
        if scope == "ETH-USDT":
            assert open_model("direction", home=tmp_path).slot.scope == "ETH-USDT"
    with pytest.raises(ModelNotFound, match="say which, as in ETH-USDT/direction"):
        load_model("direction", home=tmp_path)


def test_a_version_name_of_several_slots_must_be_said_in_full(home: Path) -> None:
    for kind in ("risk", "direction"):
        tiny.bundle(home / "models", kind, "2025-05-28T0000Z_1m_baseline")
    with pytest.raises(ModelNotFound, match="majors/direction/2025"):
        load_model("2025-05-28T0000Z_1m_baseline", home=home)
    model = open_model("majors/risk/2025-05-28T0000Z_1m_baseline", home=home)
    assert model.kind == "risk"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("model_009", "no model 'model_009'"),
        ("model_000", "no model 'model_000'"),
        ("nonsense", "no model 'nonsense'"),
        ("DOGE-USDT/direction", "no champion yet"),
        ("risk@challenger", "no challenger yet"),
        ("a/b/c/direction", "no model"),
    ],
)
def test_a_name_with_nothing_behind_it_says_what_there_is(
    home: Path, name: str, reason: str
) -> None:
    with pytest.raises(ModelNotFound, match=reason):
        load_model(name, home=home)


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc/passwd", "/etc/passwd", "direction@", "x@emperor", "a//b", "a\0b"]
)
def test_a_name_that_climbs_is_no_name(home: Path, name: str) -> None:
    with pytest.raises(BadName):
        load_model(name, home=home)


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="tidewheel cycle"):
        load_model("direction", home=tmp_path)


def test_a_damaged_champion_is_refused_at_the_door(home: Path) -> None:
    (home / "models/majors/direction/direction-v1/probe.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match=r"direction-v1 refused: probe\.json is damaged"):
        load_model("direction", home=home)


def test_the_model_describes_itself(home: Path) -> None:
    model = load_model("direction", home=home)
    assert isinstance(model, Model)
    assert model.features == list(tiny.NAMES)
    assert (model.name, model.type, model.config) == ("direction-v1", "xgboost", {"max_depth": 3})
    assert model.info["trained_through"] == "2025-05-27T00:00:00Z"
    assert model.raw(frame()).shape == (3, 1)
    assert "majors/direction/1m/direction-v1" in repr(model)
    with pytest.raises(TypeError):
        model.info["name"] = "other"  # type: ignore[index]


# ---------------------------------------------------------------- what it reads


@pytest.mark.parametrize(
    "rows",
    [
        frame(1),
        frame(1, symbol="BTC-USDT", close=100.0),
        frame(1).astype("float64"),
        frame(1).iloc[0],
        dict(zip(tiny.NAMES, tiny.ROWS[0].tolist(), strict=True)),
        dict(zip(tiny.NAMES[::-1], tiny.ROWS[0, ::-1].tolist(), strict=True)),
        tiny.ROWS[:1],
        tiny.ROWS[0],
        tiny.ROWS[0].tolist(),
    ],
)
def test_one_row_in_any_form_gets_the_same_answer(home: Path, rows: object) -> None:
    answer = load_model("direction", home=home).predict(rows)
    assert answer["probability"] == pytest.approx(tiny.probability(0.0), abs=1e-6)
    assert answer["direction"] == "UP"


def test_many_rows_get_arrays(home: Path) -> None:
    model = load_model("direction", home=home)
    many = model.predict(frame())
    columns = {name: frame()[name].to_numpy() for name in tiny.NAMES}
    np.testing.assert_array_equal(model.predict(columns)["probability"], many["probability"])
    for i in range(3):
        assert model.predict(frame().iloc[i : i + 1])["probability"] == many["probability"][i]


def test_price_takes_the_close_from_the_frame_or_from_the_caller(home: Path) -> None:
    model = load_model("price", home=home)
    assert model.predict(frame(1))["predicted_price"] is None
    in_frame = model.predict(frame(1, close=100.0))
    assert in_frame == model.predict(frame(1), close=100.0)
    assert in_frame["predicted_price"] == pytest.approx(100 * np.exp(in_frame["expected_return"]))
    series, mapping = frame(1, close=100.0).iloc[0], frame(1, close=100.0).iloc[0].to_dict()
    assert model.predict(series) == model.predict(mapping) == in_frame
    for close in (0.0, -1.0, np.nan, [1.0, 2.0]):
        with pytest.raises(FeatureError, match="positive price"):
            model.predict(frame(1), close=close)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (frame(1).drop(columns="rsi_14"), "1 of the model's 3 columns are missing: rsi_14"),
        (frame(1).drop(columns="rsi_14").iloc[0], "missing: rsi_14"),
        ({"return_1": 0.0}, "2 of the model's 3 columns are missing"),
        (frame(1)[list(tiny.NAMES[::-1])], "rsi_14 comes before return_1"),
        (frame(1)[list(tiny.NAMES[::-1])].iloc[0], "another order"),
        (frame(2, rsi_14=[np.nan, 1.0]), r"1 of 3 columns: rsi_14 \(1 of 2 rows\)"),
        (frame(1, rsi_14=np.inf), "NaN or infinity .* rsi_14"),
        (frame(1, rsi_14=1e300), "NaN or infinity .* rsi_14"),
        (frame(1, rsi_14="high"), "not all numbers"),
        (pd.concat([frame(1), frame(1)], axis=1), "more than once: return_1"),
        (frame(0), r"shape \(0, 3\)"),
        (np.zeros((2, 4)), r"shape \(2, 4\); this model reads \[rows, 3\]"),
        (np.zeros((1, 2, 3)), "shape"),
        ("rows", "not all numbers"),
        (None, "columns|shape|numbers"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(home: Path, rows: object, reason: str) -> None:
    with pytest.raises(FeatureError, match=reason):
        load_model("direction", home=home).predict(rows)


def test_rows_of_another_timeframe_are_refused(home: Path) -> None:
    rows = frame(1)
    rows.attrs["timeframe"] = "5m"
    with pytest.raises(FeatureError, match="features are of 5m bars"):
        load_model("direction", home=home).predict(rows)
    assert load_model("slow-v1", home=home).predict(rows)["direction"] == "UP"


def test_frames_cut_from_one_table_are_read_by_their_own_labels(home: Path) -> None:
    """Labels are remembered from frame to frame: another table's must not be taken for them."""
    model = load_model("direction", home=home)
    table, wider = frame(), frame(3, close=100.0)
    moved = wider[["close", *tiny.NAMES]]
    for _ in range(2):
        for other in (table, wider, moved, table.copy(), table.rename(columns=str)):
            found = [model.predict(other.iloc[i : i + 1])["probability"] for i in range(3)]
            assert found == [
                pytest.approx(tiny.probability(0.0, row), abs=1e-6) for row in tiny.ROWS
            ]
        with pytest.raises(FeatureError, match="another order"):
            model.predict(table[list(tiny.NAMES[::-1])].iloc[:1])
        with pytest.raises(FeatureError, match="missing: rsi_14"):
            model.predict(table.rename(columns={"rsi_14": "rsi_7"}).iloc[:1])
    table.columns = ["return_1", "close_location", "rsi_14"]
    with pytest.raises(FeatureError, match="another order"):
        model.predict(table.iloc[:1])
