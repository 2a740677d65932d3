"""A model fresh from training: it predicts at once, and knows what it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.twins import raw_names
from market.timeframes import instant_ms
from ml_pipeline.bundling import Origin, metadata
from ml_pipeline.fit import Fitted
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import Recipe
from models.common.base_model import BaseModel
from models.common.heads import Answer, make_head
from models.common.rows import close_in, to_matrix
from models.common.runner import OnnxRunner


@dataclass(frozen=True, eq=False)
class TrainedModel(BaseModel):
    """A fitted model with its origin, and the baseline that was fitted beside it.

    It answers as a loaded bundle does, from the very bytes that a bundle would hold.

    Attributes
    ----------
    fitted, baseline
        The model and its naive rival, on the same slices.
    recipe
        How it was made.
    origin
        Where from.
    panel
        Its rows, unseen ones included.
    own_name
        What the caller called it.
    """

    fitted: Fitted = field(repr=False)
    baseline: Fitted = field(repr=False)
    recipe: Recipe = field(repr=False)
    origin: Origin = field(repr=False)
    panel: Panel = field(repr=False)
    own_name: str

    @property
    def kind(self) -> str:
        """direction, risk, price, momentum or volatility."""
        return self.fitted.kind

    @property
    def features(self) -> list[str]:
        """Columns that `predict` reads, in order."""
        return list(self.fitted.columns)

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """The metadata that its bundle would have."""
        about = metadata(self.fitted, self.origin, self.own_name, name=self.own_name)
        return {**about, "features": self.features, "feature_count": len(self.features)}

    @property
    def trained_through_ms(self) -> int:
        """When the last label of the fit was known, epoch ms: later bars are unseen."""
        return instant_ms(self.info["trained_through"])

    def raw(self, features: Any) -> NDArray[np.float32]:
        """Return the graph's raw output [N, K] for the rows of `features`."""
        return self._runner.run(self._matrix(features))

    def novelty(self, features: Any) -> NDArray[np.float64] | None:
        """Return how far the rows of `features` lie from the training rows, [N]; above 1 is far."""
        return self._runner.novelty(self._matrix(features))

    def predict(self, features: Any, *, close: Any = None) -> Answer:
        """Return the answers to the rows of `features`; see `BaseModel.predict`."""
        matrix = self._matrix(features)
        return self._runner.answer(matrix, close_in(features) if close is None else close)

    def _matrix(self, features: Any) -> NDArray[np.float32]:
        return to_matrix(features, self.fitted.columns, twins=self._twins)

    @cached_property
    def _twins(self) -> Mapping[str, str]:
        return raw_names(self.fitted.columns)

    @cached_property
    def _runner(self) -> OnnxRunner:
        head = make_head(self.kind, self.fitted.head)
        return OnnxRunner(self.fitted.onnx, self.fitted.columns, head, self.own_name)
