"""Ensembles: blends by formula, missing members said, configurations kept as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.common.blending import blend_raw
from models.common.bundle_writing import write_bundle
from models.common.ensemble_config import kept_names, slot_of
from models.common.errors import EnsembleError, FeatureError, ModelNotFound
from models.common.predictor import EnsemblePredictor, load_model
from models.common.registry import PredictionModelRegistry
from models.common.risk_score import RiskScore
from models.common.schema import FeatureSchema
from models.common.slot import KINDS, Slot
from tests.models import tiny

BIAS = {"a": -1.0, "b": 0.5, "c": 2.0}
PROBABILITIES = ("direction", "risk", "momentum")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    registry = PredictionModelRegistry(home / "models")
    for kind in KINDS:
        for letter, bias in BIAS.items():
            tiny.bundle(registry.root, kind, f"{kind}-{letter}", bias=bias)
        registry.promote(Slot("majors", kind, "1m"), f"{kind}-a")
    return home


def members(kind: str) -> list[str]:
    return [f"{kind}-{letter}" for letter in BIAS]


def frame(rows: int = 1) -> pd.DataFrame:
    return pd.DataFrame(tiny.ROWS[:rows], columns=list(tiny.NAMES)).assign(close=100.0)


def raw(home: Path, kind: str) -> list[np.ndarray]:
    models = [load_model(name, home=home) for name in members(kind)]
    return [model.raw(frame()).astype(float) for model in models]  # type: ignore[attr-defined]


def test_weighted_probabilities_are_averaged_as_log_odds(home: Path) -> None:
    weights = [0.5, 0.3, 0.2]
    answer = EnsemblePredictor(members("direction"), weights, home=home).predict(frame())
    odds = [np.log(p / (1 - p)) for p in raw(home, "direction")]
    expected = 1 / (1 + np.exp(-np.average(odds, axis=0, weights=weights).item()))
    assert answer["probability"] == pytest.approx(expected)
    assert answer["missing"] == []


def test_weights_are_equal_unless_given_and_only_their_ratio_counts(home: Path) -> None:
    names = members("direction")
    equal = EnsemblePredictor(names, home=home).predict(frame())
    assert equal == EnsemblePredictor(names, [7, 7, 7], home=home).predict(frame())
    first = EnsemblePredictor(names, [1, 0, 0], home=home).predict(frame())
    assert first["probability"] == pytest.approx(raw(home, "direction")[0].item())


def test_prices_average_returns_and_log_deviations(home: Path) -> None:
    answer = EnsemblePredictor(members("price"), home=home).predict(frame())
    raws = np.concatenate(raw(home, "price"))
    sigma = np.exp(np.log(raws[:, 1]).mean())
    assert answer["expected_return"] == pytest.approx(raws[:, 0].mean())
    assert answer["predicted_price"] == pytest.approx(100 * np.exp(raws[:, 0].mean()))
    low, high = answer["return_interval"]
    assert high - low == pytest.approx(2 * 1.64 * sigma)


def test_volatilities_average_log_variances(home: Path) -> None:
    answer = EnsemblePredictor(members("volatility"), home=home).predict(frame())
    expected = np.exp(np.concatenate(raw(home, "volatility"))[:, 0].mean() / 2)
    assert answer["predicted_volatility"] == pytest.approx(expected)


def test_votes_are_soft_and_the_hard_count_is_shown(home: Path) -> None:
    ensemble = EnsemblePredictor(members("direction"), method="voting", home=home)
    answer = ensemble.predict(frame())
    assert answer["probability"] == pytest.approx(np.mean(raw(home, "direction")))
    assert answer["votes"] == {"UP": 2, "DOWN": 1}
    assert "votes" not in ensemble.predict(frame(3))
    with pytest.raises(EnsembleError, match="price models do not vote"):
        EnsemblePredictor(members("price"), method="voting", home=home).predict(frame())


def test_stacking_needs_learnt_weights(home: Path) -> None:
    with pytest.raises(EnsembleError, match="stacking needs learnt weights: fit them on ledger"):
        EnsemblePredictor(members("direction"), method="stacking", home=home)
    answer = EnsemblePredictor(members("direction"), [0.2, 0.3, 0.0], "stacking", home=home)
    p = np.array(raw(home, "direction")).ravel()
    assert answer.predict(frame())["probability"] == pytest.approx(
        0.5 + 0.2 * (p[0] - 0.5) + 0.3 * (p[1] - 0.5)
    )


def test_risk_stays_a_number(home: Path) -> None:
    risk = EnsemblePredictor(members("risk"), method="voting", home=home).predict(frame())
    assert isinstance(risk, RiskScore)
    assert 0 < risk < 100
    assert risk["missing"] == []
    assert risk["votes"] == {"event": 2, "no event": 1}
    assert set(EnsemblePredictor(members("risk"), home=home).predict(frame(3))) == {
        "risk",
        "event_probability",
        "missing",
        "novelty",
        "out_of_distribution",
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["weighted_avg", "voting"])
def test_members_that_agree_are_answered_as_one_of_them(home: Path, kind: str, method: str) -> None:
    if method == "voting" and kind not in PROBABILITIES:
        return
    names = [f"majors/{kind}/{kind}-b", f"{kind}-b"]
    blended = EnsemblePredictor(names, method=method, home=home).predict(frame(3))
    alone = load_model(f"{kind}-b", home=home).predict(frame(3))
    for name, value in alone.items():
        if np.asarray(value).dtype.kind == "f":
            np.testing.assert_allclose(blended[name], value, rtol=1e-12)
        else:
            np.testing.assert_array_equal(blended[name], value)


def test_a_missing_member_is_said_and_the_others_scaled_up(home: Path) -> None:
    names = ["direction-a", "gone", "direction-b"]
    ensemble = EnsemblePredictor(names, [0.5, 0.3, 0.2], home=home)
    two = EnsemblePredictor(["direction-a", "direction-b"], [0.5, 0.2], home=home)
    answer = ensemble.predict(frame())
    assert answer["probability"] == pytest.approx(two.predict(frame())["probability"])
    assert answer["missing"] == ["gone"]
    assert "no model 'gone'" in ensemble.missing["gone"]
    with pytest.raises(EnsembleError, match=r"no member .* gone: no model"):
        EnsemblePredictor(["gone"], home=home)
    idle = EnsemblePredictor(["direction-a", "gone"], [0, 1], home=home)
    with pytest.raises(EnsembleError, match="all have weight 0"):
        idle.predict(frame())


def test_members_of_several_kinds_are_blended_kind_by_kind(home: Path) -> None:
    ensemble = EnsemblePredictor(
        models=["model_001", "model_002", "direction-b"], weights=[0.5, 0.3, 0.2], home=home
    )
    answer = ensemble.predict(symbol="BTC-USDT", df=frame())
    assert ensemble.kind == "mixed"
    assert answer["direction"]["direction"] in ("UP", "DOWN")
    assert answer["risk"] < 100
    both = EnsemblePredictor(["model_001", "direction-b"], [0.5, 0.2], home=home)
    assert answer["direction"]["probability"] == both.predict(frame())["probability"]
    with pytest.raises(EnsembleError, match="one kind"):
        EnsemblePredictor(["model_001", "model_002"], [1, 1], "stacking", home=home)


def test_a_kept_ensemble_is_loaded_by_its_name(home: Path) -> None:
    ensemble = EnsemblePredictor(members("direction"), [0.5, 0.3, 0.2], home=home)
    path = ensemble.save_config("ensemble_001")
    assert path == home / "models" / "ensembles" / "ensemble_001.json"
    assert json.loads(path.read_bytes())["weights"] == [0.5, 0.3, 0.2]
    loaded = load_model("ensemble_001", home=home)
    assert loaded.predict(frame()) == ensemble.predict(frame())
    assert (loaded.name, loaded.type, loaded.kind) == ("ensemble_001", "ensemble", "direction")
    assert loaded.info["serving"] == {name: name for name in members("direction")}
    assert loaded.features == list(tiny.NAMES)
    assert "ensembles" not in PredictionModelRegistry(home / "models").scopes("direction")


@pytest.mark.parametrize("name", ["direction", "model_001", "risk_scorer_001"])
def test_an_ensemble_does_not_take_a_champions_name(home: Path, name: str) -> None:
    with pytest.raises(EnsembleError, match="means a champion already"):
        EnsemblePredictor(members("direction"), home=home).save_config(name)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"models": 3, "weights": 1}'])
def test_a_configuration_that_is_none_is_refused(home: Path, content: str) -> None:
    (home / "models" / "ensembles").mkdir(exist_ok=True)
    (home / "models" / "ensembles" / "broken.json").write_text(content)
    with pytest.raises(EnsembleError, match="no ensemble's configuration"):
        load_model("broken", home=home)


@pytest.mark.parametrize(
    ("names", "weights", "method", "reason"),
    [
        ([], None, "weighted_avg", "needs members"),
        (["direction-a", "direction-a"], None, "weighted_avg", "each once"),
        (["direction-a"], [0.5, 0.5], "weighted_avg", "as many weights"),
        (["direction-a"], [-1.0], "weighted_avg", ">= 0"),
        (["direction-a"], [0.0], "weighted_avg", "not all 0"),
        (["direction-a"], [np.nan], "weighted_avg", ">= 0"),
        (["direction-a"], None, "oracle", "no method"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    home: Path, names: list[str], weights: list[float] | None, method: str, reason: str
) -> None:
    with pytest.raises(EnsembleError, match=reason):
        EnsemblePredictor(names, weights, method, home=home)


def test_rows_are_checked_by_each_member(home: Path) -> None:
    ensemble = EnsemblePredictor(members("direction"), home=home)
    other_order = frame()[list(tiny.NAMES[::-1])]
    assert ensemble.predict(other_order) == ensemble.predict(frame())
    with pytest.raises(FeatureError, match="missing: rsi_14"):
        ensemble.predict(frame().drop(columns="rsi_14"))
    with pytest.raises(EnsembleError, match="nothing to predict from"):
        ensemble.predict()
    with pytest.raises(ModelNotFound):
        load_model("ensemble_009", home=home)


@pytest.mark.parametrize("method", ["weighted_avg", "voting", "stacking"])
def test_blended_probabilities_stay_probabilities_at_the_edges(method: str) -> None:
    raws = np.array([[[0.0]], [[1.0]], [[1.0]]])
    p = blend_raw("direction", method, raws, np.array([0.6, 0.3, 0.1]))
    assert 0 <= p.item() <= 1
    assert p.item() == pytest.approx(
        blend_raw("direction", method, raws, np.array([0.6, 0.3, 0.1]))
    )


def test_a_member_that_refuses_the_rows_is_left_out_of_this_answer_only(home: Path) -> None:
    """It reads a column that is not there or holds no number: the others go on, and say so."""
    write_fisher(home / "models")
    names = ["direction-a", "fisher", "direction-b"]
    ensemble = EnsemblePredictor(names, [0.5, 0.3, 0.2], home=home)
    two = EnsemblePredictor(["direction-a", "direction-b"], [0.5, 0.2], home=home)
    for rows in (frame(), frame().assign(fisher=np.nan), frame(3).assign(fisher=[1.0, np.inf, 0])):
        answer = ensemble.predict(rows)
        np.testing.assert_allclose(answer["probability"], two.predict(rows)["probability"])
        assert answer["missing"] == ["fisher"]
        assert "fisher" in answer["reasons"]["fisher"]
    whole = ensemble.predict(frame().assign(fisher=0.5))
    assert whole["missing"] == []
    assert "reasons" not in whole
    assert whole["probability"] != pytest.approx(two.predict(frame())["probability"])
    assert ensemble.missing == {}


def test_an_answer_by_kind_stays_one_where_a_kind_refuses(home: Path) -> None:
    write_fisher(home / "models")
    mixed = EnsemblePredictor(["fisher", "risk-a"], home=home)
    assert {*mixed.predict(frame().assign(fisher=0.5))} == {"direction", "risk", "missing"}
    answer = mixed.predict(frame())
    assert {*answer} == {"risk", "missing", "reasons"}
    assert answer["missing"] == ["fisher"]


def write_fisher(root: Path) -> None:
    names = ("return_1", "rsi_14", "fisher")
    schema = FeatureSchema(names, {name: name for name in names}, dict.fromkeys(names, "–"))
    slot = Slot("majors", "direction", "1m")
    write_bundle(
        root / "majors" / "direction" / "fisher",
        onnx=tiny.graph("direction", 1.0),
        metadata=tiny.metadata(slot, "fisher"),
        schema=schema,
        metrics={},
        readme="# fisher\n",
        probe=tiny.ROWS,
    )


def test_results_are_kept_beside_the_configuration(home: Path) -> None:
    ensemble = EnsemblePredictor(members("direction"), about={"simulated": True}, home=home)
    ensemble.save_config("ensemble_005")
    assert ensemble.results == {}
    path = ensemble.save_results({"skill": np.float64(0.01), "lower": -0.002})
    assert path == home / "models" / "ensembles" / "ensemble_005_results.json"
    loaded = load_model("ensemble_005", home=home)
    assert loaded.results == {"name": "ensemble_005", "skill": 0.01, "lower": -0.002}  # type: ignore[attr-defined]
    assert loaded.info["about"] == {"simulated": True}
    assert "ensemble_005" in kept_names(home)
    assert "ensemble_005_results" not in kept_names(home)
    ensemble.save_results({"auc": float("nan"), "members": [np.array([1.0, np.inf])]})
    assert ensemble.results == {"name": "ensemble_005", "auc": None, "members": [[1.0, None]]}
    with pytest.raises(EnsembleError, match="cannot be kept as JSON"):
        ensemble.save_results({"when": object()})
    with pytest.raises(EnsembleError, match="taken for results"):
        ensemble.save_config("mine_results")
    path.write_text("{")
    with pytest.raises(EnsembleError, match="holds no results"):
        _ = ensemble.results


def test_the_composed_bundle_answers_while_a_member_is_gone(home: Path) -> None:
    names = ["direction-a", "gone"]
    ensemble = EnsemblePredictor(names, composed="majors/direction/direction-c", home=home)
    answer, alone = (
        model.predict(frame(3)) for model in (ensemble, load_model("direction-c", home=home))
    )
    np.testing.assert_array_equal(answer["probability"], alone["probability"])
    assert answer["missing"] == []
    assert "gone" in ensemble.missing
    assert tuple(ensemble.info["serving"]) == ensemble.serving
    np.testing.assert_array_equal(ensemble.raw(frame(3))[:, 0], alone["probability"])
    without = EnsemblePredictor(names, composed="majors/direction/lost", home=home)
    assert without.predict(frame())["missing"] == ["gone"]
    whole = EnsemblePredictor(
        ["direction-a"], composed="majors/direction/direction-c", home=home
    ).predict(frame(3))
    assert whole["probability"][0] != alone["probability"][0]


def test_tables_of_different_length_have_no_mean_and_it_is_said_why(home: Path) -> None:
    quantiles = {"probability_quantiles": np.linspace(0, 1, 51).tolist()}
    tiny.bundle(home / "models", "risk", "risk-older", head=quantiles)
    ensemble = EnsemblePredictor(["risk-a", "risk-older"], home=home)
    with pytest.raises(EnsembleError, match=r"tables of 101, 51 numbers.*train the older members"):
        ensemble.predict(frame())


def test_a_slot_does_not_take_the_name_of_somebodys_own_ensemble(home: Path) -> None:
    own = EnsemblePredictor(members("direction"), home=home)
    own.save_config("ensemble_006")
    slots = EnsemblePredictor(
        members("direction"), about={"slot": "majors/direction/1m"}, home=home
    )
    with pytest.raises(EnsembleError, match=r"ensemble_006.json is not the ensemble of majors"):
        slots.save_config("ensemble_006")
    slots.save_config("ensemble_008")
    slots.save_config("ensemble_008")
    assert slot_of("ensemble_008", home) == "majors/direction/1m"
    assert slot_of("ensemble_006", home) is None
