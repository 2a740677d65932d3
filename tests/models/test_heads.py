"""Heads: raw output becomes the documented answer."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from models.common.errors import HeadError, PredictionError
from models.common.heads import HEADS, Answer, Floats, make_head
from models.common.risk_score import RiskScore, with_novelty
from models.common.slot import EVERY_KIND
from tests.models.tiny import HEAD_PARAMS

RAW = {
    "direction": [[0.6], [0.2], [0.5]],
    "risk": [[0.6], [0.2], [0.5]],
    "momentum": [[0.6], [0.2], [0.5]],
    "price": [[0.01, 0.02], [-0.01, 0.01], [0.0, 0.03]],
    "volatility": [[-9.0, -8.0], [-13.0, -11.0], [-7.0, -6.0]],
    "autoregressive": [[0.01, 0.02], [-0.01, 0.01], [0.0, 0.03]],
    "multi_ohlc": [
        [0.0, 0.02, -0.02, 0.01, 0.02],
        [0.001, 0.001, -0.02, -0.01, 0.01],
        [0.0, -0.01, 0.01, 0.0, 0.03],  # a high below its open, as no graph should say
    ],
}
KEYS = {
    "direction": {"direction", "confidence", "probability"},
    "risk": {"risk", "event_probability"},
    "momentum": {"state", "confidence", "probability"},
    "price": {"predicted_price", "expected_return", "confidence", "interval", "return_interval"},
    "volatility": {
        "predicted_volatility",
        "predicted_volatility_1h",
        "predicted_volatility_4h",
        "confidence",
    },
}
KEYS["autoregressive"] = KEYS["price"]
KEYS["multi_ohlc"] = (KEYS["price"] - {"predicted_price"}) | {
    f"predicted_{side}" for side in ("open", "high", "low", "close")
}


def decode(
    kind: str, raw: Floats, params: dict[str, object], close: Floats | None = None
) -> Answer:
    return make_head(kind, params).decode(raw, close)


def items(answer: object) -> dict[str, object]:
    return answer.as_dict() if isinstance(answer, RiskScore) else dict(answer)  # type: ignore[call-overload]


def test_every_kind_has_a_head() -> None:
    assert set(HEADS) == set(EVERY_KIND)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_many_rows_are_answered_as_each_row_alone(kind: str) -> None:
    raw, close = np.array(RAW[kind]), np.array([100.0, 50.0, 2.0])
    many = decode(kind, raw, HEAD_PARAMS[kind], close)
    assert set(many) == KEYS[kind]
    for i in range(3):
        one = items(decode(kind, raw[i : i + 1], HEAD_PARAMS[kind], close[i : i + 1]))
        assert set(one) == KEYS[kind]
        for name, value in one.items():
            assert isinstance(value, str | float | tuple), name
            if isinstance(value, str):
                assert value == many[name][i]
            else:
                np.testing.assert_array_equal(value, many[name][i])


def test_a_candle_encloses_its_prices_whatever_float32_did() -> None:
    candle = decode("multi_ohlc", np.array(RAW["multi_ohlc"]), HEAD_PARAMS["price"], np.ones(3))
    top = np.maximum(candle["predicted_open"], candle["predicted_close"])
    assert (candle["predicted_high"] >= top).all()
    bottom = np.minimum(candle["predicted_open"], candle["predicted_close"])
    assert (candle["predicted_low"] <= bottom).all()
    np.testing.assert_allclose(candle["predicted_high"][0], np.exp(0.02))
    with pytest.raises(PredictionError, match="not positive"):
        decode("multi_ohlc", np.array([[0, 0, 0, 0, 0.0]]), HEAD_PARAMS["price"])
    with pytest.raises(HeadError, match="interval_q"):
        make_head("multi_ohlc", {"interval_q": 0.0, "sign_slope": 1.0})


def test_direction_and_momentum_say_the_likelier_with_its_probability() -> None:
    assert decode("direction", np.array([[0.2]]), {}) == {
        "direction": "DOWN",
        "confidence": 0.8,
        "probability": 0.2,
    }
    assert decode("momentum", np.array([[0.7]]), {})["state"] == "accelerating"
    assert decode("momentum", np.array([[0.3]]), {})["state"] == "decelerating"


def test_risk_is_a_number_that_remembers_its_probability() -> None:
    risk = decode("risk", np.array([[0.35]]), HEAD_PARAMS["risk"])
    assert risk < 60
    assert risk == pytest.approx(35)
    assert risk["risk"] == pytest.approx(35)
    assert risk["event_probability"] == risk.event_probability == 0.35
    with pytest.raises(KeyError):
        risk["price"]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_a_risk_score_travels_whole(again: object) -> None:
    score = RiskScore(35.0, 0.2, missing=["a"])
    other = again(score)  # type: ignore[operator]
    assert (other, other.as_dict()) == (score, score.as_dict())


def test_an_item_told_again_replaces_the_one_before() -> None:
    score = with_novelty(RiskScore(35.0, 0.2, novelty=None), 1.5)
    assert (score["novelty"], score["out_of_distribution"]) == (1.5, True)


def test_risk_below_sixty_is_the_calmest_sixty_percent_of_training() -> None:
    rng = np.random.default_rng(3)
    training = rng.beta(2, 8, 5000)
    params = {"probability_quantiles": np.quantile(training, np.linspace(0, 1, 101)).tolist()}
    risk = decode("risk", training[:, None], params)["risk"]
    assert np.mean(risk < 60) == pytest.approx(0.6, abs=0.01)
    assert 0 <= risk.min() < risk.max() <= 100
    assert np.all(np.diff(risk[np.argsort(training)]) >= 0)


def test_risk_of_a_probability_shared_by_many_training_rows_is_the_middle_of_theirs() -> None:
    constant = {"probability_quantiles": [0.2] * 101}
    assert decode("risk", np.array([[0.2]]), constant) == 50
    half = {"probability_quantiles": [0.1] * 51 + [0.3] * 50}
    assert decode("risk", np.array([[0.1]]), half) == pytest.approx(25, abs=1)
    assert decode("risk", np.array([[0.05]]), half) == 0
    assert decode("risk", np.array([[0.9]]), half) == 100


def test_price_interval_and_confidence_follow_their_formulas() -> None:
    raw = np.array([[0.01, 0.02]])
    answer = decode("price", raw, HEAD_PARAMS["price"], np.array([100.0]))
    assert answer["predicted_price"] == pytest.approx(100 * np.exp(0.01))
    assert answer["interval"] == pytest.approx(100 * np.exp([0.01 - 0.0328, 0.01 + 0.0328]))
    assert answer["confidence"] == pytest.approx(1 / (1 + np.exp(-0.25)))
    flat = decode("price", np.array([[0.0, 0.02]]), HEAD_PARAMS["price"], np.array([100.0]))
    assert (flat["predicted_price"], flat["confidence"]) == (100, 0.5)


def test_price_without_a_close_keeps_to_returns() -> None:
    answer = decode("price", np.array([[0.01, 0.02]]), HEAD_PARAMS["price"])
    assert answer["predicted_price"] is answer["interval"] is None
    assert answer["expected_return"] == 0.01


def test_volatility_is_the_root_of_the_variance_and_confidence_is_looked_up() -> None:
    answer = decode("volatility", np.array(RAW["volatility"]), HEAD_PARAMS["volatility"])
    np.testing.assert_allclose(answer["predicted_volatility_1h"] ** 2, np.exp([-9.0, -13.0, -7.0]))
    np.testing.assert_allclose(answer["predicted_volatility_4h"] ** 2, np.exp([-8.0, -11.0, -6.0]))
    assert answer["confidence"].tolist() == [0.6, 0.7, 0.5]


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("direction", [[1.2]]),
        ("direction", [[np.nan]]),
        ("risk", [[-0.1]]),
        ("momentum", [[np.inf]]),
        ("price", [[0.0, 0.0]]),
        ("price", [[np.nan, 1.0]]),
        ("volatility", [[-9.0, np.nan]]),
        ("volatility", [[300.0, -9.0]]),
    ],
)
def test_output_that_cannot_be_is_refused(kind: str, raw: list[list[float]]) -> None:
    with pytest.raises(PredictionError):
        make_head(kind, HEAD_PARAMS[kind]).check(np.array(raw))


@pytest.mark.parametrize(
    ("kind", "params", "reason"),
    [
        ("wind", {}, "wind"),
        ("risk", {}, "lacks probability_quantiles"),
        ("risk", {"probability_quantiles": [0.5, 0.1]}, "ascending"),
        ("risk", {"probability_quantiles": [0.5, 1.1]}, "ascending"),
        ("risk", {"probability_quantiles": [0.5, None]}, "finite"),
        ("risk", {"probability_quantiles": "abc"}, "list of finite"),
        ("risk", {"probability_quantiles": 0.5}, "list of finite"),
        ("price", {"interval_q": 1.6}, "lacks sign_slope"),
        ("price", {"interval_q": 0, "sign_slope": 1}, "interval_q > 0"),
        ("price", {"interval_q": [1.6, 1.7], "sign_slope": 1}, "one finite number"),
        ("volatility", {"confidence_edges": [1], "confidence_values": [0.5]}, "need 2"),
        ("volatility", {"confidence_edges": [1], "confidence_values": [0.5, 1.5]}, "between"),
    ],
)
def test_head_parameters_that_cannot_be_are_refused(
    kind: str, params: dict[str, object], reason: str
) -> None:
    with pytest.raises(HeadError, match=reason):
        make_head(kind, params)
