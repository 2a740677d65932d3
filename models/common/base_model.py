"""Base model: what every model can be asked, whether it is one version or an ensemble."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from models.common.heads import Answer


class BaseModel(ABC):
    """Something that predicts from feature rows."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Kind of model, one of `models.common.slot.KINDS`, or ``"mixed"``."""

    @property
    @abstractmethod
    def features(self) -> list[str]:
        """Columns that `predict` reads, in order: what to ask the feature manager for."""

    @property
    @abstractmethod
    def info(self) -> Mapping[str, Any]:
        """Metadata of what answers now, as they were written.

        ``status`` is the one that it was made with; bundles never change. Whether it is champion
        today say the links of its slot, and the store.
        """

    @abstractmethod
    def predict(self, features: Any, *, close: Any = None) -> Answer:
        """Return the answers to the rows of `features`.

        Parameters
        ----------
        features : DataFrame, Series, mapping or array
            N rows with at least the columns `features`, in that order.
        close : float or array [N], optional
            Closing prices, for kinds that predict a price; by default the column ``close``.

        Returns
        -------
        dict or RiskScore
            The kind's answer (`models.common.heads`): scalars for one row, arrays for more. Also
            ``novelty``, the distance from the training rows in units of what is ordinary, and
            ``out_of_distribution``, whether that is above 1; None where the bundle cannot tell.
        """

    @property
    def name(self) -> str:
        """The model's own name."""
        return str(self.info.get("name", ""))

    @property
    def type(self) -> str:
        """Library or method that made it, such as ``"xgboost"``."""
        return str(self.info.get("type", ""))

    @property
    def config(self) -> dict[str, Any]:
        """Hyper-parameters that it was fitted with."""
        return dict(self.info.get("hyperparams", {}))
