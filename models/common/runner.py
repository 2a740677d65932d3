"""ONNX runner: one graph in one ONNX Runtime session, on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from models.common.errors import BundleError, FeatureError, PredictionError
from models.common.heads import Answer, Head

INPUT, OUTPUT = "features", "output"

# ONNX Runtime's exceptions share no base class of their own.
_FAILURES = (
    ort.EPFail,
    ort.Fail,
    ort.InvalidArgument,
    ort.InvalidGraph,
    ort.InvalidProtobuf,
    ort.NoModel,
    ort.NoSuchFile,
    ort.NotImplemented,
    ort.RuntimeException,
    RuntimeError,
)


@dataclass(frozen=True)
class Prediction:
    """What a runner answers; fields that its kind does not have are None.

    Parameters
    ----------
    values : dict or RiskScore
        The kind's answer, as documented in `models.common.heads`.
    price, confidence, direction : float, float, str, or arrays of them
        The parts of `values` that most callers want. A price model's direction is the sign of
        its expected return.
    model_name : str
        Version that answered.
    """

    values: Answer
    price: Any
    confidence: Any
    direction: Any
    model_name: str


class OnnxRunner:
    """Runs one graph: float32 [N, F] in, float32 [N, K] out.

    Parameters
    ----------
    onnx : bytes
        The graph, with one input ``features`` and one output ``output``.
    names : sequence of str
        The F feature columns, for messages.
    head : Head
        Turns the output into answers; knows K.
    model_name : str
        Name that predictions carry.

    Raises
    ------
    BundleError
        When ONNX Runtime cannot load the graph, or its inputs and outputs are not those.
    """

    def __init__(self, onnx: bytes, names: Sequence[str], head: Head, model_name: str = "") -> None:
        self.names = tuple(names)
        self.head = head
        self.model_name = model_name
        try:
            self._session = onnxruntime.InferenceSession(
                onnx, _options(), providers=["CPUExecutionProvider"]
            )
        except _FAILURES as error:
            raise BundleError(
                f"ONNX Runtime cannot load the graph: {_first_line(error)}"
            ) from error
        _check_ports("input", self._session.get_inputs(), INPUT, len(self.names))
        _check_ports("output", self._session.get_outputs(), OUTPUT, head.width)

    def run(self, features: ArrayLike) -> NDArray[np.float32]:
        """Return the graph's raw output [N, K] for `features` [N, F].

        Raises
        ------
        FeatureError
            When the matrix is not [N, F], N >= 1, or holds NaN or infinity.
        PredictionError
            When the graph fails on it.
        """
        matrix = np.ascontiguousarray(features, dtype=np.float32)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.names) or not len(matrix):
            raise FeatureError(
                f"features have shape {matrix.shape}; this model reads [rows, {len(self.names)}]"
            )
        if not np.isfinite(matrix).all():
            raise FeatureError(_holes(matrix, self.names))
        return self._run(matrix)

    def _run(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            (raw,) = self._session.run([OUTPUT], {INPUT: matrix})
        except _FAILURES as error:
            raise PredictionError(f"the graph failed: {_first_line(error)}") from error
        if raw.shape != (len(matrix), self.head.width):
            raise PredictionError(
                f"the graph answered {raw.shape}, not {(len(matrix), self.head.width)}"
            )
        return raw  # type: ignore[no-any-return]

    def forecast(self, features: ArrayLike) -> NDArray[np.float64]:
        """Return what `run` does in double precision, refused if it cannot be this kind's output.

        Raises
        ------
        FeatureError, PredictionError
            As `run`, and where a probability is none or a number not finite.
        """
        raw = self.run(features).astype(np.float64)
        self.head.check(raw)
        return raw

    def answer(self, features: ArrayLike, close: ArrayLike | None = None) -> Answer:
        """Return the kind's answer for `features` [N, F]: scalars for one row, else arrays of N.

        Parameters
        ----------
        features : float array [N, F]
            Columns in the order of the bundle's schema.
        close : float array [N], optional
            Closing price of each row, for models that predict one.

        Raises
        ------
        FeatureError
            When the matrix or the prices do not fit.
        PredictionError
            When the graph fails or its output cannot be this kind's.
        """
        raw = self.forecast(features)
        return self.head.decode(raw, None if close is None else check_close(close, len(raw)))

    def predict(self, features: ArrayLike, close: ArrayLike | None = None) -> Prediction:
        """Return what `answer` does, as a Prediction with the parts most callers want."""
        values = self.answer(features, close)
        parts = values if isinstance(values, dict) else {}
        direction = parts.get("direction")
        if "expected_return" in parts:
            up = np.where(np.asarray(parts["expected_return"]) >= 0, "UP", "DOWN")
            direction = up if up.ndim else str(up)
        return Prediction(
            values,
            parts.get("predicted_price"),
            parts.get("confidence"),
            direction,
            self.model_name,
        )


def check_close(close: ArrayLike, rows: int) -> NDArray[np.float64]:
    """Return `close` as an array of `rows` prices.

    Raises
    ------
    FeatureError
        When there are more or fewer prices than rows, or one is not positive.
    """
    prices = np.asarray(close, dtype=np.float64).reshape(-1)
    if len(prices) != rows or not (prices > 0).all():
        raise FeatureError(f"close must be {rows} positive prices, one a row; got {len(prices)}")
    return prices


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


def _holes(matrix: NDArray[np.float32], names: Sequence[str], most: int = 8) -> str:
    counts = np.count_nonzero(~np.isfinite(matrix), axis=0)
    bad = np.flatnonzero(counts)
    shown = ", ".join(f"{names[i]} ({counts[i]} of {len(matrix)} rows)" for i in bad[:most])
    return (
        f"NaN or infinity in {len(bad)} of {len(names)} columns: {shown}"
        f"{', …' if len(bad) > most else ''}; give rows beyond every "
        "look-back, in which functions of your own have a value"
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
