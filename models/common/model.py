"""Model: one version, or whichever version is in service, ready to predict."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.common.base_model import BaseModel
from models.common.bound import BoundModel, Columns
from models.common.bundle import Bundle
from models.common.errors import BundleError, ModelNotFound
from models.common.heads import Answer
from models.common.names import Address, resolve
from models.common.opening import opening_now
from models.common.regimes import RegimeConfidence, read_regimes, regimes_path
from models.common.registry import ROLES, PredictionModelRegistry
from models.common.rows import Seen, check_definitions, check_timeframe, close_in, to_matrix
from models.common.slot import Slot

if TYPE_CHECKING:
    from models.forecasters.forecaster import Forecaster

LOOK_S = 0.2
"""Seconds between two looks at the link."""
RETRY_S = 5.0
"""Seconds until a refused version is tried again."""

_log = logging.getLogger(__name__)


class Model(BaseModel):
    """The model at an address; follows the link there when it moves.

    Every prediction is made whole by one version. `predict` may be called from many threads: one
    of them loads a new version between two of its predictions, the others go on with the old.
    A new version that is refused is logged once, and the old one stays.

    Parameters
    ----------
    address : Address
        A version, or a link to the one in service.
    registry : PredictionModelRegistry
        The folder that it lies in.

    Raises
    ------
    BundleError
        When the bundle there is refused.
    """

    def __init__(self, address: Address, registry: PredictionModelRegistry) -> None:
        self._address = address
        self._registry = registry
        self._lock = threading.Lock()
        self._version = address.version()
        self._refused: tuple[str, str] | None = None
        self._bundle = self._read(self._version)
        self._look_at = time.monotonic() + LOOK_S

    @property
    def kind(self) -> str:
        """Kind of model, one of `models.common.slot.KINDS`."""
        return self._current().kind

    @property
    def slot(self) -> Slot:
        """The slot that it serves."""
        return self._current().slot

    @property
    def version_id(self) -> str:
        """The version that answers now."""
        return self._current().version_id

    @property
    def refused(self) -> str | None:
        """Why the version that the link leads to is not the one that answers; None when it is."""
        self._current()
        refused = self._refused
        return refused[1] if refused else None

    @property
    def features(self) -> list[str]:
        """Columns that `predict` reads, in order: what to ask the feature manager for."""
        return list(self._current().schema.names)

    @property
    def info(self) -> Mapping[str, Any]:
        """Metadata of the version that answers now."""
        return MappingProxyType(self._current().metadata)

    @property
    def bundle(self) -> Bundle:
        """The version that answers now, to make several calls with the same one."""
        return self._current()

    @property
    def regimes(self) -> RegimeConfidence | None:
        """What its confidence is worth by regime, read anew; None where nothing is known of it.

        Learnt by the last turn for what serves its slot: not for its other lines.

        Examples
        --------
        >>> rows = fm.get_features("BTC-USDT", "5m", [*model.features, *COLUMNS])  # doctest: +SKIP
        >>> model.regimes.adjust(model.predict(rows), rows)  # doctest: +SKIP

        Raises
        ------
        EnsembleError
            When the file is damaged.
        """
        bundle = self._current()
        found = read_regimes(regimes_path(self._registry.root, bundle.slot))
        line = (found.about or {}).get("line") if found else None
        return found if line in (None, bundle.metadata["recipe"]) else None

    @property
    def forecaster(self) -> Forecaster:
        """What forecasts many steps, over histories or live: of a forecaster's version only.

        Raises
        ------
        BundleError
            The version is of another kind.

        Examples
        --------
        >>> load_model("autoregressive").forecaster.predict(candles)  # doctest: +SKIP
        """
        return self._current().forecaster

    def predict(self, features: Any, *, close: Any = None) -> Answer:
        """Return the answers to the rows of `features`; see `BaseModel.predict`.

        Raises
        ------
        FeatureError
            When columns are missing, reordered, not finite, or of another timeframe.
        PredictionError
            When the graph's output cannot be this kind's.
        """
        return self.tell(features, close)[0]

    def tell(self, features: Any, close: Any = None) -> tuple[Answer, Any, Bundle]:
        """Return what `predict` does, the output it was made of, and the version that said it.

        The output is K floats for one row, else float64 [N, K]; see `orchestration.recorder`.
        """
        bundle = self._current()
        matrix = matrix_for(bundle, features, seen=bundle.seen)
        if close is None and bundle.head.reads_close:
            close = close_in(features)
        return *bundle.runner.tell(matrix, close), bundle

    def raw(self, features: Any) -> NDArray[np.float32]:
        """Return the graph's raw output [N, K] for the rows of `features`."""
        bundle = self._current()
        return bundle.runner.run(matrix_for(bundle, features))

    def novelty(self, features: Any) -> NDArray[np.float64] | None:
        """Return how far the rows of `features` lie from the training rows, [N]; above 1 is far.

        None where the bundle is older than novelty.
        """
        bundle = self._current()
        return bundle.runner.novelty(matrix_for(bundle, features))

    def bind(self, columns: Columns | Sequence[str]) -> BoundModel:
        """Return this model for rows that always hold the same `columns`: the quickest way to ask.

        Parameters
        ----------
        columns : FeatureProgram or sequence of str
            What a row holds, in order; the model's own columns may stand anywhere among them. Of a
            feature program its timeframe and definitions are checked as well.

        Raises
        ------
        FeatureError
            When a column is missing, or defined otherwise than in training.

        Examples
        --------
        >>> program = FeatureProgram(model.features)  # doctest: +SKIP
        >>> quick = model.bind(program)  # doctest: +SKIP
        >>> quick.predict(program.push(bar))  # doctest: +SKIP
        {'direction': 'UP', 'confidence': 0.513, 'probability': 0.513, 'novelty': 0.4, …}
        """
        return BoundModel(self, columns)

    def __repr__(self) -> str:
        return f"<Model {self._bundle.key}>"

    def _current(self) -> Bundle:
        if time.monotonic() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._look_at = time.monotonic() + LOOK_S
                self._follow()
            finally:
                self._lock.release()
        return self._bundle

    def _follow(self) -> None:
        version = self._address.version()
        if version == self._version:
            self._refused = None
            return
        try:
            bundle = self._read(version)
        except BundleError as error:
            if self._refused is None or self._refused[0] != version:
                _log.warning("%s; %s stays in service", error, self._bundle.key)
            self._refused = version, str(error)
            self._look_at = time.monotonic() + RETRY_S
            return
        self._bundle, self._version, self._refused = bundle, version, None

    def _read(self, version: str) -> Bundle:
        """Return the version if it is sound and of the slot that the link is for."""
        bundle = self._registry.read(self._address.folder / version)
        role, _, timeframe = self._address.entry.partition("-")
        linked = version != self._address.entry and role in ROLES and bool(timeframe)
        if linked and timeframe != bundle.slot.timeframe:
            raise BundleError(
                f"bundle {bundle.folder} refused: it is of {bundle.slot}, "
                f"and {self._address.entry} leads to {timeframe} bars only"
            )
        return bundle


def open_model(name: str, *, home: str | Path | None = None, timeframe: str | None = None) -> Model:
    """Return the model that `name` means: `load_model` without the ensembles."""
    how = opening_now()
    if how is not None and how.answering is not None:
        raise ModelNotFound(
            f"{name!r} cannot be opened as a bundle here, where only what was really served may "
            "answer; ask load_model for the kind, such as load_model('direction')"
        )
    registry = PredictionModelRegistry(None if home is None else Path(home) / "models")
    address = resolve(name, registry, timeframe)
    if how is not None:  # the version of now, to the end of the block
        address = Address(address.folder, address.version())
    model = Model(address, registry)
    if timeframe is not None and model.slot.timeframe != timeframe:
        raise ModelNotFound(
            f"{name!r} is a model of {model.slot.timeframe} bars, not {timeframe}; "
            "leave timeframe out, or name another version"
        )
    if how is not None:
        how.opened[name] = model
    return model


def matrix_for(
    bundle: Bundle, features: Any, *, ordered: bool = True, seen: Seen | None = None
) -> NDArray[np.float32]:
    """Return what the graph of `bundle` reads of `features`; see `models.common.rows.to_matrix`."""
    schema = bundle.schema
    if type(features) is not np.ndarray:  # an array has nothing noted on it
        check_timeframe(features, bundle.slot.timeframe, bundle.key)
        check_definitions(features, schema.hashes)
    return to_matrix(features, schema.names, ordered=ordered, twins=schema.twins, seen=seen)
