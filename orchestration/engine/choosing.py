"""Choosing: which model answers for a symbol, a length of bars and a strategy."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from models.common.base_model import BaseModel
from models.common.errors import EnsembleError
from models.common.model import Model
from models.common.opening import Opening, opening_now
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from orchestration.engine.config import PredictionConfig

_KEPT = 256
_log = logging.getLogger(__name__)


class Chooser:
    """Opens models, each once; they follow their champions by themselves.

    Parameters
    ----------
    config : PredictionConfig
        Where models are, and which is meant.
    ensemble_on : callable
        Takes a slot's key, returns the ensemble that is on there, if any.
    """

    def __init__(self, config: PredictionConfig, ensemble_on: Callable[[str], str | None]) -> None:
        self._config, self._ensemble_on = config, ensemble_on
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._opened: dict[tuple[object, ...], tuple[Opening | None, BaseModel]] = {}

    def choose(self, symbol: str | None, timeframe: str, strategy: str | None) -> BaseModel:
        """Return the model that answers.

        A strategy's own bundle, where the configuration names one; else the ensemble that is on in
        the slot, where ensembles are wanted; else the champion that serves the symbol: its own, or
        one that was trained on it among others.

        Raises
        ------
        ModelNotFound, BundleError
            There is none, or it is refused.
        """
        name = self._config.bundles.get(strategy) if strategy else None
        if name is not None:
            return self._open(("bundle", name, timeframe), lambda: self._named(name, timeframe))
        found = self._open(("symbol", symbol, timeframe), lambda: self._champion(symbol, timeframe))
        return self._ensemble(found) or found

    def _open(self, key: tuple[object, ...], how: Callable[[], BaseModel]) -> BaseModel:
        # In a backtest other models are meant, and each backtest has its own.
        now = opening_now()
        full = (*key, id(now))
        held = self._opened.get(full)
        if held is not None:
            return held[1]
        model = how()
        with self._lock:
            if len(self._opened) >= _KEPT:
                self._opened.clear()
            self._opened[full] = now, model  # held, so that its id is nobody else's
        return model

    def _named(self, name: str, timeframe: str) -> BaseModel:
        return load_model(name, home=self._home, timeframe=timeframe)

    def _champion(self, symbol: str | None, timeframe: str) -> BaseModel:
        kind = self._config.model_type
        now = opening_now()
        if symbol is None or (now is not None and now.answering is not None):
            return load_model(kind, home=self._home, timeframe=timeframe)
        home = self._home
        registry = PredictionModelRegistry(None if home is None else home / "models")
        slot = registry.select_bundle(symbol, kind, timeframe).slot
        return load_model(slot.key, home=home)

    def _ensemble(self, champion: BaseModel) -> BaseModel | None:
        if not self._config.ensembles or not isinstance(champion, Model):
            return None
        name = self._ensemble_on(champion.slot.key)
        if name is None or name in self._refused:
            return None
        try:
            return self._open(("ensemble", name), lambda: load_model(name, home=self._home))
        except EnsembleError as error:
            _log.warning("%s; the champion answers", error)
            self._refused.add(name)
            return None

    @property
    def _home(self) -> Path | None:
        # A backtest that names another home means that one.
        now = opening_now()
        return None if now is not None and now.home is not None else self._config.home
