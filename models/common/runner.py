"""ONNX runner: one graph in one ONNX Runtime session, on one thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.common.errors import FeatureError, PredictionError
from models.common.graph import FAILURES, INPUT, NOVELTY, OUTPUT, first_line, open_graph
from models.common.heads import Answer, Head
from models.common.one_row import OneRow
from models.common.risk_score import with_novelty


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
    """Runs one graph: float32 [N, F] in, float32 [N, K] out; and, where it has it, novelty [N, 1].

    Parameters
    ----------
    onnx : bytes
        The graph, with one input ``features``, an output ``output`` and, if novelty was
        fitted, an output ``novelty``.
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
        self._session = open_graph(onnx, self.names, head.width)
        self._outputs = [port.name for port in self._session.get_outputs()]
        self._thread = threading.local()

    def run(self, features: ArrayLike) -> NDArray[np.float32]:
        """Return the graph's raw output [N, K] for `features` [N, F].

        Raises
        ------
        FeatureError
            When the matrix is not [N, F], N >= 1, or holds NaN or infinity.
        PredictionError
            When the graph fails on it.
        """
        raw: NDArray[np.float32] = self._run(self._matrix(features), [OUTPUT])[0]
        return raw

    def novelty(self, features: ArrayLike) -> NDArray[np.float64] | None:
        """Return how far each row lies from the training rows, [N]; None if the graph cannot say.

        It is in units of the limit: above 1 is out of distribution, where one in a hundred of the
        rows after training lay.
        """
        if not self.has_novelty:
            return None
        return _novelty(self._run(self._matrix(features), [NOVELTY])[0])

    @property
    def has_novelty(self) -> bool:
        """Whether the graph has the second output."""
        return len(self._outputs) > 1

    def _one_row(self) -> OneRow:
        """Return this thread's own places for one row."""
        found: OneRow | None = getattr(self._thread, "one_row", None)
        if found is None:
            widths = dict(zip(self._outputs, (self.head.width, 1), strict=False))
            found = OneRow(self._session, INPUT, len(self.names), widths)
            self._thread.one_row = found
        return found

    def _matrix(self, features: ArrayLike) -> NDArray[np.float32]:
        matrix = np.ascontiguousarray(features, dtype=np.float32)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.names) or not len(matrix):
            raise FeatureError(
                f"features have shape {matrix.shape}; this model reads [rows, {len(self.names)}]"
            )
        if not np.isfinite(matrix).all():
            raise FeatureError(_holes(matrix, self.names))
        return matrix

    def _run(self, matrix: NDArray[np.float32], outputs: list[str]) -> list[NDArray[np.float32]]:
        try:
            answers: list[NDArray[np.float32]] = self._session.run(outputs, {INPUT: matrix})
        except FAILURES as error:
            raise PredictionError(f"the graph failed: {first_line(error)}") from error
        width = self.head.width if outputs[0] == OUTPUT else 1
        if answers[0].shape != (len(matrix), width):
            raise PredictionError(
                f"the graph answered {answers[0].shape}, not {(len(matrix), width)}"
            )
        return answers

    def forecast(
        self, features: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return what `run` and `novelty` do, in double precision and checked.

        Raises
        ------
        FeatureError, PredictionError
            As `run`, and where a probability is none or a number not finite.
        """
        raw, *novelty = self._run(self._matrix(features), self._outputs)
        exact = raw.astype(np.float64)
        self.head.check(exact)
        return exact, _novelty(novelty[0]) if novelty else None

    def answer(self, features: ArrayLike, close: ArrayLike | None = None) -> Answer:
        """Return the kind's answer for `features` [N, F]: scalars for one row, else arrays of N.

        Every answer has ``novelty`` and ``out_of_distribution`` besides; both are None where the
        bundle is older than novelty.

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
        return self.tell(features, close)[0]

    def tell(self, features: ArrayLike, close: ArrayLike | None = None) -> tuple[Answer, Any]:
        """Return what `answer` does, and the graph's output that it was made of.

        The output is K floats for one row, else float64 [N, K]: what a ledger keeps.
        """
        matrix = self._matrix(features)
        if len(matrix) == 1:
            return self._tell_one(matrix, close)
        raw, novelty = self.forecast(matrix)
        prices = None if close is None else check_close(close, len(raw))
        return with_novelty(self.head.decode(raw, prices), novelty), raw

    def _tell_one(self, matrix: NDArray[np.float32], close: Any) -> tuple[Answer, list[float]]:
        try:
            raw, *more = self._one_row()(matrix)
        except FAILURES as error:
            raise PredictionError(f"the graph failed: {first_line(error)}") from error
        if type(close) is not float or not close > 0:
            close = None if close is None else float(check_close(close, 1)[0])
        said: list[float] = raw[0].tolist()
        answer = self.head.decode_one(said, close)
        novelty = more[0].item() if more else None
        if novelty is not None and not novelty >= 0:
            _novelty(more[0])
        return with_novelty(answer, novelty), said

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


def _novelty(answered: NDArray[np.float32]) -> NDArray[np.float64]:
    novelty = answered[:, 0].astype(np.float64)
    if not novelty.min() >= 0:
        raise PredictionError("the graph's novelty is negative or no number")
    return novelty


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


def _holes(matrix: NDArray[np.float32], names: Sequence[str], most: int = 8) -> str:
    counts = np.count_nonzero(~np.isfinite(matrix), axis=0)
    bad = np.flatnonzero(counts)
    shown = ", ".join(f"{names[i]} ({counts[i]} of {len(matrix)} rows)" for i in bad[:most])
    return (
        f"NaN or infinity in {len(bad)} of {len(names)} columns: {shown}"
        f"{', …' if len(bad) > most else ''}; give rows beyond every "
        "look-back, in which functions of your own have a value"
    )
