"""Write one ONNX graph node by node, so that equal models are equal bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ml_pipeline.errors import ExportError

INPUT = "features"
OUTPUT = "output"
NOVELTY = "novelty"
OPSET = 17
ML_OPSET = 3
IR_VERSION = 8
_PRODUCER = "tidewheel"


class Graph:
    """A graph with the input ``features`` [N, F] and the output ``output`` [N, K], both float32.

    Where novelty was fitted there is a second output, ``novelty`` [N, 1].

    Names are numbered in the order of writing and nothing depends on the clock, on hashing or on
    a converter's version: the same model always serialises to the same bytes.

    Parameters
    ----------
    columns
        Names of the F input columns, in order. They are kept in the file's metadata, so that a
        scorer knows what to feed without a second file.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._place = {name: i for i, name in enumerate(self.columns)}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._grafted: dict[bytes, list[str]] = {}

    def index(self, names: Sequence[str]) -> list[int]:
        """Return the places of `names` among the input columns."""
        return [self._place[name] for name in names]

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant tensor and return its name."""
        name = f"c{len(self._constants)}"
        array = np.ascontiguousarray(np.asarray(values, dtype=dtype))
        self._constants.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        name = f"n{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **attributes)
        )
        return name

    def take(self, names: Sequence[str]) -> str:
        """Return the input restricted to `names`, in that order."""
        if tuple(names) == self.columns:
            return INPUT
        return self.add("Gather", INPUT, self.constant(self.index(names), np.int64), axis=1)

    def join(self, parts: Sequence[str]) -> str:
        """Return tensors [N, k] side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def graft(self, onnx_bytes: bytes, columns: Sequence[str]) -> dict[str, str]:
        """Add a whole graph that reads `columns`; return its outputs' tensors by their names.

        What two grafted graphs have in common, a node of the same operator on the same tensors, is
        added once: models of one kind share their baseline and mostly their novelty.

        Raises
        ------
        ExportError
            If the graph was made for other versions of the operators.
        """
        model = onnx.load_from_string(onnx_bytes)
        _check_opsets(model)
        fixed = {tensor.name: tensor for tensor in model.graph.initializer}
        names: dict[str, str] = {"": ""}
        for node in model.graph.node:
            if node.op_type == "Gather" and node.input[0] == INPUT and node.input[1] in fixed:
                places = numpy_helper.to_array(fixed[node.input[1]])
                found = [self._taken([columns[i] for i in places])]
            else:
                inputs = (set(node.input) - {INPUT}) & set(fixed)
                names |= {name: self._shared_constant(fixed[name]) for name in sorted(inputs)}
                if INPUT in node.input:
                    names[INPUT] = self._taken(columns)
                found = self._shared_node(node, [names[name] for name in node.input])
            names |= zip(node.output, found, strict=True)
        return {port.name: names[port.name] for port in model.graph.output}

    def _taken(self, names: Sequence[str]) -> str:
        """Return what `take` does, added once."""
        key = json.dumps(list(names)).encode()
        if key not in self._grafted:
            self._grafted[key] = [self.take(names)]
        return self._grafted[key][0]

    def _shared_constant(self, tensor: onnx.TensorProto) -> str:
        """Return the name of the constant, added unless it is there."""
        copy = onnx.TensorProto()
        copy.CopyFrom(tensor)
        copy.name = ""
        key = copy.SerializeToString(deterministic=True)
        if key not in self._grafted:
            copy.name = f"c{len(self._constants)}"
            self._constants.append(copy)
            self._grafted[key] = [copy.name]
        return self._grafted[key][0]

    def _shared_node(self, node: onnx.NodeProto, inputs: list[str]) -> list[str]:
        """Return the names of the node's outputs, added unless the same is there."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if node.op_type == "Identity":
            return inputs
        copy.name, copy.doc_string = "", ""
        copy.input[:] = inputs
        copy.output[:] = [""] * len(node.output)
        key = copy.SerializeToString(deterministic=True)
        if key not in self._grafted:
            copy.name = f"n{len(self._nodes)}"
            outputs = [copy.name, *(f"{copy.name}_{i}" for i in range(1, len(node.output)))]
            copy.output[:] = outputs
            self._nodes.append(copy)
            self._grafted[key] = outputs
        return self._grafted[key]

    def to_bytes(self, output: str, width: int, novelty: str | None = None) -> bytes:
        """Serialise the graph whose result is the tensor `output` of shape [N, width].

        The tensor `novelty` [N, 1], if there is one, becomes a second output.

        Raises
        ------
        onnx.checker.ValidationError
            If the nodes do not form a valid graph.
        """
        results = {OUTPUT: (output, width)} | ({NOVELTY: (novelty, 1)} if novelty else {})
        last = [
            helper.make_node("Identity", [tensor], [name], name=name)
            for name, (tensor, _) in results.items()
        ]
        graph = helper.make_graph(
            [*self._nodes, *last],
            _PRODUCER,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", len(self.columns)])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", k])
                for name, (_, k) in results.items()
            ],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name=_PRODUCER)
        model.ir_version = IR_VERSION
        helper.set_model_props(model, {"columns": json.dumps(self.columns)})
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _check_opsets(model: onnx.ModelProto) -> None:
    ours = {"": OPSET, "ai.onnx.ml": ML_OPSET}
    found = {opset.domain: opset.version for opset in model.opset_import}
    other = {domain: v for domain, v in found.items() if ours.get(domain) != v}
    if other:
        raise ExportError(
            f"a graph of operators {other} cannot become a part of one of {ours}; it was exported "
            "by another version of the software: train it again"
        )
