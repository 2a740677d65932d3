"""What a prediction engine is told: where models are, which of them answer, and what is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from market.symbols import parse_symbol
from market.timeframes import parse_timeframe
from models.common.registry import models_folder, parse_kind
from orchestration.engine.errors import BadConfig

CACHE_ROWS = 10_000


@dataclass(frozen=True)
class PredictionConfig:
    """How a `PredictionEngine` answers.

    Parameters
    ----------
    home : path, optional
        Folder that holds ``models/``; by default ``$TIDEWHEEL_HOME`` or ``./var``.
    model_registry_path : path, optional
        The models folder itself, which is called ``models``: another way to say `home`.
    model_type : str
        Kind that answers, the name of its predictor, or ``"basic"``, which means ``"price"``.
    symbol : str, optional
        Whose candles they are, where neither the call nor the frame says so.
    timeframe : str, optional
        Bars that the models read; shorter candles are made into these. By default the candles'.
    bundles : mapping of str to str
        By strategy, the model that answers it, as `load_model` takes it.
    ensembles : bool
        Whether the ensemble of a slot answers in place of its champion, where one is on. Which is
        on says the database.
    regime_aware : bool
        Whether confidences are those of the bar's regime, where that was learnt.
    cache, cache_rows : bool, int
        Whether answers are kept, and how many: in memory, and in the database so many as well.
    database_url : str, optional
        Where the ledger and the cache are; without one answers are kept in memory only, and
        nothing is recorded. It is opened behind the back of who predicts.
    record : bool
        Whether each answer goes into the ledger.

    Raises
    ------
    BadConfig
        Both folders and not of one home, a registry that is not called ``models``, or no room.
    """

    home: Path | None = None
    model_registry_path: Path | None = None
    model_type: str = "price"
    symbol: str | None = None
    timeframe: str | None = None
    bundles: Mapping[str, str] = field(default_factory=dict)
    ensembles: bool = False
    regime_aware: bool = True
    cache: bool = True
    cache_rows: int = CACHE_ROWS
    database_url: str | None = field(default=None, repr=False)
    record: bool = True

    def __post_init__(self) -> None:
        models = self._models().expanduser().absolute()
        if models.name != "models":
            raise BadConfig(f"{models} is no registry: it is the folder called models of a home")
        if self.cache_rows < 1:
            raise BadConfig(f"cache_rows is {self.cache_rows}; keep 1 or more, or set cache=False")
        self._set("home", models.parent)
        self._set("model_registry_path", models)
        self._set("model_type", parse_kind(self.model_type))
        self._set("bundles", MappingProxyType(dict(self.bundles)))
        if self.symbol is not None:
            self._set("symbol", parse_symbol(self.symbol))
        if self.timeframe is not None:
            self._set("timeframe", parse_timeframe(self.timeframe))

    def _models(self) -> Path:
        if self.model_registry_path is None:
            return models_folder(self.home)
        models = Path(self.model_registry_path)
        if self.home is not None and models_folder(self.home).absolute() != models.absolute():
            raise BadConfig(f"{models} is not the models folder of {self.home}; say one of the two")
        return models

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def from_config_manager(cls, *, home: str | os.PathLike[str] | None = None) -> PredictionConfig:
        """Return what the settings say: ``tidewheel.toml`` and above it the environment.

        Parameters
        ----------
        home : path, optional
            Another home than the settings'.

        Raises
        ------
        orchestration.settings.SettingsError
            One of them is unknown, malformed or out of range.
        """
        from orchestration.settings import load_settings  # who tells all by itself needs none

        settings = load_settings(home=home)
        told = settings.prediction
        return cls(
            home=settings.home,
            model_type=told.kind,
            symbol=told.symbol or None,
            timeframe=told.timeframe or None,
            bundles=told.bundles,
            ensembles=told.ensembles,
            regime_aware=told.regime_aware,
            cache=told.cache,
            cache_rows=told.cache_rows,
            database_url=settings.store_url,
            record=told.record,
        )
