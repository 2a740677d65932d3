"""A model bound to columns that never change: each bar costs the graph and little else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.common.bundle import Bundle
from models.common.errors import FeatureError
from models.common.heads import Answer
from models.common.rows import check_definitions, check_timeframe, find_columns

_log = logging.getLogger(__name__)


class Columns(Protocol):
    """What a feature program knows of its columns."""

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of a row, in order."""

    @property
    def hashes(self) -> dict[str, str]:
        """Content hash of each definition."""

    @property
    def timeframe(self) -> str:
        """Bars that they are computed from."""


class Following(Protocol):
    """A model that may change its version between two predictions."""

    @property
    def bundle(self) -> Bundle:
        """The version in service now."""


@dataclass(frozen=True)
class _Serving:
    """A version, and where its columns stand in a row; None where they are the row itself."""

    bundle: Bundle
    positions: NDArray[np.intp] | None


class BoundModel:
    """A model that is asked with rows of always the same columns.

    What `Model.predict` looks up and checks for each frame is looked up once a version here. Values
    are checked every time: NaN and infinity are refused by name.

    It follows the champion as its model does. A new version that reads columns which the rows do
    not hold, or which are defined otherwise, cannot answer here: that is logged once, told by
    `behind`, and the last version that could stays in service, until another one fits. To follow,
    ask for ``model.features`` again and bind anew.

    Parameters
    ----------
    model : Model
        Whose version is asked.
    columns : FeatureProgram or sequence of str
        What a row holds, in order.

    Raises
    ------
    FeatureError
        When the version in service cannot answer from these columns.

    Attributes
    ----------
    names : tuple of str
        What a row holds.
    """

    def __init__(self, model: Following, columns: Columns | Sequence[str]) -> None:
        self._model = model
        known: Any = columns
        self.names: tuple[str, ...] = tuple(getattr(known, "names", known))
        hashes: Mapping[str, str] = getattr(known, "hashes", {})
        # Told as the feature manager tells it on its frames.
        self._attrs = {"definitions": hashes, "timeframe": getattr(known, "timeframe", None)}
        self._serving = self._fit(model.bundle)
        self._behind: tuple[Bundle, str] | None = None

    @property
    def version_id(self) -> str:
        """The version that answers now."""
        return self._current().bundle.version_id

    @property
    def behind(self) -> str | None:
        """Why the version in service is not the one that answers; None when it is."""
        self._current()
        behind = self._behind
        return behind[1] if behind and behind[0] is self._model.bundle else None

    def predict(self, row: ArrayLike, close: float | None = None) -> Answer:
        """Return the answer to `row`; as `Model.predict` does.

        Parameters
        ----------
        row : float array [F] or [N, F]
            Values of `names`, such as a feature program's `push` returns.
        close : float or array [N], optional
            Closing prices, for kinds that predict a price.

        Raises
        ------
        FeatureError
            When it has not as many values as there are names, or one is not finite.
        PredictionError
            When the graph's output cannot be this kind's.
        """
        return self.tell(row, close)[0]

    def tell(self, row: ArrayLike, close: float | None = None) -> tuple[Answer, Any, Bundle]:
        """Return what `predict` does, the output it was made of, and the version that said it."""
        matrix = _matrix(row)
        if matrix.shape[1] != len(self.names):
            raise FeatureError(
                f"a row holds {len(self.names)} columns here, this has shape {np.shape(row)}"
            )
        serving = self._current()
        if serving.positions is not None:
            matrix = matrix.take(serving.positions, axis=1)
        return *serving.bundle.runner.tell(matrix, close), serving.bundle

    def __repr__(self) -> str:
        return f"<BoundModel {self._serving.bundle.key}, {len(self.names)} columns>"

    def _current(self) -> _Serving:
        bundle, serving, behind = self._model.bundle, self._serving, self._behind
        if bundle is serving.bundle or (behind and behind[0] is bundle):
            return serving
        try:
            serving = self._fit(bundle)
        except FeatureError as error:
            _log.warning("%s; %s stays in service for these rows", error, serving.bundle.key)
            self._behind = bundle, str(error)
            return serving
        self._serving, self._behind = serving, None
        return serving

    def _fit(self, bundle: Bundle) -> _Serving:
        note = SimpleNamespace(attrs=self._attrs)
        check_timeframe(note, bundle.slot.timeframe, bundle.key)
        check_definitions(note, bundle.schema.hashes)
        wanted = list(bundle.schema.names)
        if self.names == bundle.schema.names:
            return _Serving(bundle, None)
        return _Serving(
            bundle, np.array(find_columns(list(self.names), wanted, bundle.schema.twins))
        )


def _matrix(row: Any) -> NDArray[np.float32]:
    if type(row) is not np.ndarray or row.dtype != np.float32:
        with np.errstate(over="ignore"):  # becomes infinity, which the runner refuses by name
            try:
                row = np.asarray(row, dtype=np.float32)
            except (TypeError, ValueError) as error:
                raise FeatureError(f"features are not all numbers: {error}") from error
    matrix: NDArray[np.float32] = row[None] if row.ndim == 1 else row
    if matrix.ndim != 2:
        raise FeatureError(f"a row has shape [F] or [N, F], this {row.shape}")
    return matrix
