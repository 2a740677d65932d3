"""A bundle's graph, opened: one ONNX Runtime session, on one thread, with the ports of a bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from models.common.errors import BundleError

INPUT, OUTPUT, NOVELTY = "features", "output", "novelty"

# ONNX Runtime's exceptions share no base class of their own.
FAILURES = (
    ort.EPFail,
    ort.EngineError,
    ort.Fail,
    ort.InvalidArgument,
    ort.InvalidGraph,
    ort.InvalidProtobuf,
    ort.ModelRequiresCompilation,
    ort.NoModel,
    ort.NoSuchFile,
    ort.NotFound,
    ort.NotImplemented,
    ort.RuntimeException,
    MemoryError,
    RuntimeError,
)


def open_graph(onnx: bytes, names: Sequence[str], width: int) -> onnxruntime.InferenceSession:
    """Return a session of a graph with one input, an output and, if it was fitted, novelty.

    Parameters
    ----------
    onnx : bytes
        The graph.
    names : sequence of str
        The F feature columns that it reads.
    width : int
        Columns K of its output.

    Raises
    ------
    BundleError
        When ONNX Runtime cannot load the graph, or its inputs and outputs are not those.
    """
    try:
        session = onnxruntime.InferenceSession(onnx, _options(), providers=["CPUExecutionProvider"])
    except FAILURES as error:
        raise BundleError(f"ONNX Runtime cannot load the graph: {first_line(error)}") from error
    _check_ports("input", session.get_inputs(), INPUT, len(names))
    _check_columns(session.get_modelmeta().custom_metadata_map, names)
    outputs = session.get_outputs()
    novelty = [port for port in outputs[1:] if port.name == NOVELTY]
    _check_ports("output", [port for port in outputs if port not in novelty], OUTPUT, width)
    if novelty:
        _check_ports("second output", novelty, NOVELTY, 1)
    return session


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its name where it says nothing."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # A strategy predicts one row at a time: waking a second thread costs more than the graph.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _check_ports(what: str, ports: list[Any], name: str, width: int) -> None:
    found = ", ".join(f"{port.name} {port.type}{port.shape}" for port in ports)
    wanted = f"one {what} {name} tensor(float)[N, {width}]"
    if len(ports) != 1 or ports[0].name != name or ports[0].type != "tensor(float)":
        raise BundleError(f"the graph has {what} {found}; a bundle has {wanted}")
    shape = ports[0].shape
    fixed = shape[-1] if shape else None
    if len(shape) != 2 or isinstance(shape[0], int) or (isinstance(fixed, int) and fixed != width):
        raise BundleError(f"the graph has {what} {found}; a bundle has {wanted}, N left open")


def _check_columns(notes: dict[str, str], names: Sequence[str]) -> None:
    """Refuse a graph that notes other columns than the schema, or another order of them."""
    if "columns" in notes and notes["columns"] != json.dumps(list(names)):
        raise BundleError(
            "the graph was made for other columns than feature_schema.json lists, or for another "
            "order of them"
        )
