"""Composed ensembles: one graph that says what its members say together, written as a bundle."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from market.timeframes import instant_ms
from ml_pipeline import bundling
from ml_pipeline.blend_nodes import Blend
from ml_pipeline.composed import TOLERANCE, compose
from ml_pipeline.errors import ExportError, LearningError, ParityError
from ml_pipeline.export import score, score_and_novelty
from ml_pipeline.fit import Fitted, fit, fit_baseline
from ml_pipeline.lineage import lineage
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES
from ml_pipeline.tasks import TASKS
from models.common.blender import ask_all, weights_of
from models.common.blending import PROBABILITIES, blend_heads
from models.common.predictor import EnsemblePredictor, load_model
from models.common.regimes import COLUMNS, NAMES, Regimes
from models.common.slot import Slot
from tests.learning.planted import SYMBOLS, planted_panel, split_of

KINDS = tuple(TASKS)
WEIGHTS = (0.2, 0.9, 0.4)
WAYS: dict[str, dict[str, Any]] = {
    "weighted_avg": {},
    "voting": {},
    "stacking": {"intercept": 0.01},
    "logistic": {"intercept": -0.02, "logistic": True},
}


@cache
def panel() -> Panel:
    return planted_panel(1.0, days=8)


@cache
def members(kind: str) -> dict[str, Fitted]:
    """A baseline, a linear model, and one of fewer columns in another order."""
    split = split_of(panel(), kind)
    linear = next(r for r in RECIPES[kind] if r.estimator.startswith("ml_pipeline.linear"))
    few = replace(linear, name="few", features=linear.features[9::-1])
    return {
        "base": fit_baseline(kind, panel(), split),
        "linear": fit(linear, panel(), split, 0),
        "few": fit(few, panel(), split, 0),
    }


def composed(kind: str, way: str = "weighted_avg", weights: Any = WEIGHTS) -> Fitted:
    method = "stacking" if way == "logistic" else way
    return compose(members(kind), weights, method, panel(), **WAYS[way])


def write(home: Path, kind: str, fitted: Fitted, version: str) -> str:
    """Write a fit as a bundle, as a turn does; return its name."""
    split, slot = split_of(panel(), kind), Slot("majors", kind, "5m")
    origin = bundling.Origin(
        slot=slot,
        symbols=SYMBOLS,
        source="simulated",
        simulated=True,
        split=split,
        created_ms=instant_ms("2025-05-21T00:00:00Z"),
        lineage=lineage(panel(), split, kind, fitted.columns),
    )
    folder = home / "models" / slot.scope / kind / version
    about = bundling.metadata(fitted, origin, version)
    bundling.write(folder, fitted, about, panel(), {})
    return f"majors/{kind}/{version}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_the_graph_says_what_its_members_say_together(kind: str, way: str) -> None:
    if kind not in PROBABILITIES and way in ("voting", "logistic"):
        return
    whole = composed(kind, way)
    rows = panel().rows(slice(100, 400))
    told = [score_and_novelty(one.onnx, rows) for one in members(kind).values()]
    weights = np.array(WEIGHTS)[:, None]
    if way in ("weighted_avg", "voting"):
        weights = weights / weights.sum()
    method = "stacking" if way == "logistic" else way
    blend = Blend(kind, method, weights, **WAYS[way])(np.stack([raw for raw, _ in told]))
    output, novelty = score_and_novelty(whole.onnx, rows)
    assert np.abs(output - blend).max() <= TOLERANCE
    assert whole.parity <= TOLERANCE
    np.testing.assert_allclose(novelty, np.max([far for _, far in told], axis=0), rtol=1e-6)
    assert composed(kind, way).onnx == whole.onnx


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_of_it_answers_as_the_ensemble_of_its_members(kind: str, tmp_path: Path) -> None:
    """Also when the members' bundles are gone; and it has the keys of its kind."""
    names = [write(tmp_path, kind, one, version) for version, one in members(kind).items()]
    whole = load_model(write(tmp_path, kind, composed(kind), "ensemble"), home=tmp_path)
    by_hand = EnsemblePredictor(names, WEIGHTS, home=tmp_path)
    frame = pd.DataFrame(panel().X[:50], columns=list(panel().names)).assign(close=100.0)
    for rows in (frame, frame.iloc[7:8]):
        one, other = whole.predict(rows[[*whole.features, "close"]]), by_hand.predict(rows)
        one, other = (a if isinstance(a, dict) else a.as_dict() for a in (one, other))
        assert {*one} == {*other} - {"missing"}
        for name, value in one.items():
            if np.asarray(value).dtype.kind == "f":
                # The risk is a rank: where training probabilities crowd, 1e-7 is some ranks.
                near = 1e-2 if name == "risk" else 1e-5
                np.testing.assert_allclose(value, other[name], rtol=1e-5, atol=near)
            else:
                np.testing.assert_array_equal(value, other[name])
    assert whole.info["dependencies"] == ["base", "linear", "few"]
    assert [one["weight"] for one in whole.info["members"]] == pytest.approx(
        np.divide(WEIGHTS, sum(WEIGHTS)).tolist()
    )
    assert (whole.type, whole.info["method"]) == ("ensemble", "weighted_avg")
    card = (tmp_path / "models" / "majors" / kind / "ensemble" / "README.md").read_text()
    assert "An ensemble by `weighted_avg` of `base` 0.133, `linear` 0.6, `few` 0.267" in card


def test_what_members_share_is_in_the_graph_once() -> None:
    one = members("volatility")["linear"]
    twice = compose({"a": one, "b": one}, (0.5, 0.5), "weighted_avg", panel())
    assert len(twice.onnx) < len(one.onnx) + 1500
    np.testing.assert_allclose(score(twice.onnx, panel()), score(one.onnx, panel()), rtol=1e-6)
    assert not _unused(twice.onnx)
    assert not _unused(composed("volatility").onnx)


def _unused(content: bytes) -> set[str]:
    graph = onnx.load_from_string(content).graph
    read = {name for node in graph.node for name in node.input}
    ports = {port.name for port in graph.output}
    made = {name for node in graph.node for name in node.output}
    return (made | {tensor.name for tensor in graph.initializer}) - read - ports


def test_weights_of_two_horizons_may_differ() -> None:
    table = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    whole = composed("volatility", weights=table)
    base, linear, _ = (score(one.onnx, panel()) for one in members("volatility").values())
    expected = np.column_stack([base[:, 0], linear[:, 1]])
    np.testing.assert_allclose(score(whole.onnx, panel()), expected, rtol=1e-6)
    told = whole.facts["ensemble"]["members"]
    assert [one["weight"] for one in told] == table


@pytest.mark.parametrize("kind", KINDS)
def test_weights_by_regime_are_in_the_graph(kind: str, tmp_path: Path) -> None:
    """It answers as the ensemble of such a configuration, on rows of every regime."""
    held = regime_panel()
    table = np.random.default_rng(3).dirichlet([0.5, 0.5, 0.5], len(NAMES))
    regimes = Regimes.fit(held.columns(COLUMNS))
    assert np.bincount(regimes.of(held.columns(COLUMNS)), minlength=9).min() > 20
    whole = compose(members(kind), table, "weighted_avg", held, regimes=regimes)
    assert whole.parity <= TOLERANCE
    names = [write(tmp_path, kind, one, version) for version, one in members(kind).items()]
    how = {**regimes.as_dict(), "weights": table.tolist()}
    by_hand = EnsemblePredictor(names, regimes=how, home=tmp_path)
    np.testing.assert_allclose(
        score(whole.onnx, held),
        by_hand.raw(dict(zip(held.names, held.X.T, strict=True))),
        rtol=TOLERANCE,
        atol=TOLERANCE,
    )
    blended = load_model(write(tmp_path, kind, whole, "by-regime"), home=tmp_path)
    assert {*COLUMNS} <= {*blended.features}
    assert blended.info["fit"]["ensemble"]["weights"] == table.tolist()
    assert blended.info["fit"]["ensemble"]["regimes"] == regimes.as_dict()
    if kind in ("risk", "price", "volatility"):
        heads = [blended.info["head"], by_hand_head(by_hand, kind, held)]
        for name, value in heads[1].items():
            np.testing.assert_allclose(heads[0][name], value, rtol=1e-9)


def test_a_row_on_an_edge_is_in_the_same_regime_in_the_graph() -> None:
    regimes = Regimes((0.5, 1.25), (-0.5, 0.5))
    held = regime_panel().rows(slice(0, 25))
    at = [held.names.index(name) for name in COLUMNS]
    X = held.X.copy()
    for i in range(25):
        X[i, at] = (0.5, 1.25, 0.4, 0.6, 2.0)[i // 5], (-1.0, 1.0, 0.0, -1.5, 1.5)[i % 5], 2.0
    held = replace(held, X=X)
    part = regimes.of(held.columns(COLUMNS))
    assert part.tolist()[:5] == [0, 1, 1, 0, 2]  # on an edge is not above it
    raws = np.stack([score(one.onnx, held) for one in members("volatility").values()])
    for who, chosen in ((np.arange(9) % 3, part % 3), (np.arange(9) // 3, part // 3)):
        table = np.eye(3)[who]
        whole = compose(members("volatility"), table, "weighted_avg", held, regimes=regimes)
        expected = raws[chosen, np.arange(25)]
        np.testing.assert_allclose(score(whole.onnx, held), expected, rtol=1e-6)


def by_hand_head(ensemble: EnsemblePredictor, kind: str, held: Panel) -> dict[str, Any]:
    told = ask_all(ensemble._members, dict(zip(held.names, held.X[:2].T, strict=True)))[0]
    weights = weights_of(ensemble.made_of, kind, list(told))
    return vars(blend_heads([one.bundle.head for one in told.values()], weights))


@cache
def regime_panel() -> Panel:
    """The panel with a volatility a bar that is one."""
    held, at = panel(), panel().names.index("har_rv_288")
    X = held.X.copy()
    X[:, at] = np.exp(0.3 * X[:, at])
    return replace(held, X=X)


def test_one_member_of_all_the_weight_is_that_member() -> None:
    for kind in KINDS:
        alone = members(kind)["linear"]
        whole = composed(kind, weights=(0, 1, 0))
        np.testing.assert_allclose(score(whole.onnx, panel()), score(alone.onnx, panel()), 1e-6)
        for name, value in alone.head.items():
            np.testing.assert_allclose(whole.head[name], value, rtol=1e-12)


def test_what_members_agree_on_stays_to_the_digit() -> None:
    threshold = {one.head["event_threshold"] for one in members("risk").values()}
    assert {composed("risk").head["event_threshold"]} == threshold


def test_importance_is_the_members_by_their_weight() -> None:
    shares = composed("direction").importance
    assert sum(shares.values()) == pytest.approx(1.0)
    linear, few = (members("direction")[name].importance for name in ("linear", "few"))
    (name,) = sorted(few)[:1]
    mean = (0.9 * linear[name] + 0.4 * few[name]) / 1.3
    assert shares[name] == pytest.approx(mean)


def test_members_that_do_not_fit_together_are_refused() -> None:
    direction, price = members("direction"), members("price")
    quantiles = members("risk")["base"].head["probability_quantiles"]
    other = {**members("risk")["base"].head, "probability_quantiles": quantiles[::2]}
    older = replace(members("risk")["base"], head=other)
    pair = {"a": direction["base"], "b": direction["linear"]}
    for words, named, weights, method in (
        ("1 member is no ensemble", {"a": direction["base"]}, (1,), "weighted_avg"),
        ("of 2 kinds, direction, price", {**pair, "b": price["base"]}, (1, 1), "weighted_avg"),
        ("need as many weights", pair, (1, 1, 1), "weighted_avg"),
        (">= 0 and not all 0", pair, (0, 0), "weighted_avg"),
        (">= 0 and not all 0", pair, (1, -1), "stacking"),
        ("cannot be blended by 'oracle'", pair, (1, 1), "oracle"),
        ("cannot be blended by 'voting'", price, WEIGHTS, "voting"),
        ("got shape \\(9, 2\\)", direction, np.ones((9, 2)), "weighted_avg"),
        (
            "tables of 101, 51 numbers, .*train the older members",
            {"a": members("risk")["linear"], "b": older},
            (1, 1),
            "weighted_avg",
        ),
    ):
        with pytest.raises(ExportError, match=words):
            compose(named, weights, method, panel())


def test_a_graph_of_other_operators_is_refused() -> None:
    one = members("direction")["linear"]
    model = onnx.load_from_string(one.onnx)
    model.opset_import[0].version = 16
    older = replace(one, onnx=model.SerializeToString())
    with pytest.raises(LearningError, match="another version of the software"):
        compose({"a": one, "b": older}, (1, 1), "weighted_avg", panel())


def test_a_graph_that_differs_from_the_blend_does_not_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ml_pipeline.composed.TOLERANCE", 1e-12)
    with pytest.raises(ParityError, match="it was not exported"):
        composed("volatility")
