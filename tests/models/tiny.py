"""Tiny bundles for tests: graphs of a few standard operators, built with onnx.helper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models.common.bundle_writing import write_bundle
from models.common.schema import FeatureSchema
from models.common.slot import Slot

NAMES = ("return_1", "rsi_14", "close_location")
SCHEMA = FeatureSchema(NAMES, {n: f"hash-{n}" for n in NAMES}, dict.fromkeys(NAMES, "–"))
MAJORS = ["BTC-USDT", "ETH-USDT", "XRP-USDT"]
HEAD_PARAMS: dict[str, dict[str, Any]] = {
    "direction": {},
    "risk": {"probability_quantiles": np.linspace(0, 1, 101).tolist()},
    "price": {"interval_q": 1.64, "sign_slope": 0.5},
    "momentum": {},
    "volatility": {"confidence_edges": [-12.0, -8.0], "confidence_values": [0.7, 0.6, 0.5]},
    "autoregressive": {"interval_q": 1.64, "sign_slope": 0.5},
    "multi_ohlc": {"interval_q": 1.64, "sign_slope": 0.5},
}
ROWS = np.array([[0.001, 55.0, 0.4], [-0.002, 30.0, 0.9], [0.0, 70.0, 0.1]], dtype=np.float32)


def graph(
    kind: str = "direction",
    bias: float = 0.0,
    *,
    width: int = len(NAMES),
    opset: int = 17,
    ir: int = 8,
    domain: str = "",
    outputs: int = 1,
    novelty: float | None = None,
) -> bytes:
    """Return an ONNX graph whose answer for a row is its weighted sum plus `bias`, made lawful.

    With `novelty`, that many times the first column's size is a second output.
    """
    columns = 2 if kind in ("price", "volatility") else 1
    weights = np.full((width, columns), 0.01, dtype=np.float32)
    shift = np.full(columns, bias, dtype=np.float32)
    if kind == "volatility":
        shift -= 10
    linear = "linear" if kind != "volatility" else "output"
    nodes = [
        helper.make_node("MatMul", ["features", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], [linear]),
    ]
    extra = []
    if kind == "price":
        weights[:, 0] = 0.0001
        extra = [numpy_helper.from_array(np.array([0, 1], dtype=np.float32), "is_sigma")]
        nodes += [
            helper.make_node("Exp", ["linear"], ["positive"]),
            helper.make_node("Mul", ["positive", "is_sigma"], ["sigma"]),
            helper.make_node("Sub", ["linear", "sigma_linear"], ["return_only"]),
            helper.make_node("Mul", ["linear", "is_sigma"], ["sigma_linear"]),
            helper.make_node("Add", ["return_only", "sigma"], ["output"]),
        ]
        nodes[4], nodes[5] = nodes[5], nodes[4]
    elif kind != "volatility":
        nodes.append(helper.make_node("Sigmoid", ["linear"], ["output"]))
    ports = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", columns])]
    if outputs == 2:
        nodes.append(helper.make_node("Identity", ["output"], ["label"]))
        ports.append(helper.make_tensor_value_info("label", TensorProto.FLOAT, ["N", columns]))
    if novelty is not None:
        extra += [
            numpy_helper.from_array(np.array([0], dtype=np.int64), "first"),
            numpy_helper.from_array(np.array(novelty, dtype=np.float32), "strangeness"),
        ]
        nodes += [
            helper.make_node("Gather", ["features", "first"], ["of_first"], axis=1),
            helper.make_node("Abs", ["of_first"], ["size"]),
            helper.make_node("Mul", ["size", "strangeness"], ["novelty"]),
        ]
        ports.append(helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N", 1]))
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", width])],
        ports,
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(shift, "b"), *extra],
    )
    opsets = [helper.make_opsetid("", opset)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(made, opset_imports=opsets, ir_version=ir)
    return model.SerializeToString()  # type: ignore[no-any-return]


def metadata(slot: Slot, version: str, **more: Any) -> dict[str, Any]:
    """Return metadata for `version` of `slot`, with every required field."""
    return {
        "name": version,
        "type": "xgboost",
        "description": "tiny",
        "created_ts": "2025-05-28T00:00:00Z",
        "version": 1,
        "status": "candidate",
        "kind": slot.kind,
        "scope": slot.scope,
        "timeframe": slot.timeframe,
        "version_name": version,
        "recipe": "tiny",
        "baseline": False,
        "simulated": True,
        "trained_through": "2025-05-27T00:00:00Z",
        "training": {"symbols": MAJORS if slot.scope == "majors" else [slot.scope]},
        "hyperparams": {"max_depth": 3},
        "head": HEAD_PARAMS[slot.kind],
        **more,
    }


def bundle(
    models: Path,
    kind: str = "direction",
    version: str = "v1",
    *,
    scope: str = "majors",
    timeframe: str = "1m",
    bias: float = 0.0,
    novelty: float | None = None,
    schema: FeatureSchema = SCHEMA,
    **more: Any,
) -> Path:
    """Write a tiny bundle where the registry at `models` keeps it; return its folder."""
    slot = Slot(scope, kind, timeframe)
    return write_bundle(
        models / scope / kind / version,
        onnx=graph(kind, bias, width=len(schema.names), novelty=novelty),
        metadata=metadata(slot, version, **more),
        schema=schema,
        metrics={"skill": 0.01},
        readme=f"# {version}\n",
        probe=ROWS[:, : len(schema.names)],
    )


def probability(bias: float, row: np.ndarray = ROWS[0]) -> float:
    """Return what a tiny direction graph with `bias` must answer to `row`."""
    return float(1 / (1 + np.exp(-(0.01 * row.sum() + bias))))
