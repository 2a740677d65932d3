"""One row through a graph: its input and outputs are bound once, and the row is copied in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray


class OneRow:
    """A session with places of its own for one row and for what comes of it.

    A call without them makes tensors of its arrays and arrays of its tensors, which costs who asks
    bar by bar one to three µs a model. The places belong to one thread: each has its own.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        The graph.
    source : str
        Name of its input.
    columns : int
        F.
    widths : mapping of str to int
        Columns of each output that is wanted.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        source: str,
        columns: int,
        widths: Mapping[str, int],
    ) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._row = np.zeros((1, columns), dtype=np.float32)
        self._answers = [np.zeros((1, width), dtype=np.float32) for width in widths.values()]
        place = self._row
        self._binding.bind_input(source, "cpu", 0, np.float32, place.shape, place.ctypes.data)
        for name, place in zip(widths, self._answers, strict=True):
            self._binding.bind_output(name, "cpu", 0, np.float32, place.shape, place.ctypes.data)

    def __call__(self, row: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the outputs [1, K] for `row` [1, F]; they hold until this thread's next call."""
        np.copyto(self._row, row)
        self._session.run_with_iobinding(self._binding)
        return self._answers
