"""PredictionEngine: candles in, the answer of the model in service out.

::

    config = PredictionConfig.from_config_manager()
    engine = PredictionEngine(config=config)
    prediction = engine.predict(candles)
    print(prediction.price, prediction.confidence, prediction.model_name)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

import pandas as pd

from features.errors import NotEnoughHistory
from models.common.base_model import BaseModel
from models.common.model import Model
from models.common.opening import opening_now
from models.common.slot import KINDS
from orchestration.engine.asking import Version, Versions, frame_of, label_of, learnt_on_simulated
from orchestration.engine.cache import Cache, Key
from orchestration.engine.choosing import Chooser
from orchestration.engine.config import PredictionConfig
from orchestration.engine.keeping import Keeper
from orchestration.engine.prediction import Prediction, made_of
from orchestration.engine.reading import Candles, read
from orchestration.engine.streams import Latest, Streams


class PredictionEngine:
    """Features, the right model, its answer, the cache and the ledger, behind one call.

    May be called from many threads. A frame that continues the one before costs its new bars; the
    same bar asked again costs no features and no graph. With a database, answers go into the
    ledger and into a cache that other processes share, behind the back of who asks: with the
    database down predictions go on, and what waits is written when it is back.

    In a backtest (`models.common.opening`) the models of that backtest answer, and nothing is kept
    or recorded.

    Parameters
    ----------
    config : PredictionConfig, optional
        By default the models of ``$TIDEWHEEL_HOME`` and no database.
    clock : callable
        Seconds since 1970: bars that close later are not read.

    Examples
    --------
    >>> engine = PredictionEngine(PredictionConfig.from_config_manager())  # doctest: +SKIP
    >>> engine.predict(candles, "BTC-USDT").direction  # doctest: +SKIP
    'UP'
    """

    def __init__(
        self,
        config: PredictionConfig | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config or PredictionConfig()
        self._clock = clock
        self._cache = Cache(self.config.cache_rows) if self.config.cache else None
        self._keeper = self._make_keeper()
        self._chooser = Chooser(self.config, self._ensemble_on)
        self._versions = Versions(regime_aware=self.config.regime_aware)
        self._streams = Streams()
        self._simulated: dict[str, bool] = {}

    def predict(
        self, df: pd.DataFrame, symbol: str | None = None, strategy: str | None = None
    ) -> Prediction:
        """Return what the model in service says about what comes after the last closed bar.

        Parameters
        ----------
        df : pandas.DataFrame
            Candles, repaired, oldest first, in any shape that `market.candles.as_candles` accepts;
            with ``benchmark`` and ``sentiment`` if features need them. At least as many as the
            model's features take to settle; more cost nothing. A last bar that has not closed is
            left out.
        symbol : str, optional
            Whose they are; by default ``df.attrs["symbol"]``, then the configuration's. Where
            nobody says so the only model of the kind answers, or the one of ``majors``, and
            nothing is recorded.
        strategy : str, optional
            Who asks: a strategy that the configuration names a bundle for is answered by that.

        Raises
        ------
        BadFrame
            The frame is no candles of one length, or of other bars than the models'.
        market.errors.BadCandles
            Candles that were not repaired.
        features.errors.NotEnoughHistory
            Too few of them; the message says how many it takes.
        models.common.errors.ModelNotFound, BundleError
            No model serves them, or it is refused.
        models.common.errors.FeatureError, PredictionError
            The model cannot answer from these features.
        """
        candles = read(df, symbol, self.config)
        model = self._chooser.choose(candles.symbol, candles.timeframe, strategy)
        if isinstance(model, Model):
            return self._ask_version(self._versions.of(model), candles)
        return self._ask_other(model, candles)

    def sync(self) -> bool:
        """Write what waits to the database and take over what others wrote, now.

        A thread does so every few seconds.

        Returns
        -------
        bool
            Whether the database was there; True without one.
        """
        return self._keeper is None or self._keeper.sync()

    def health(self) -> dict[str, Any]:
        """Return how it stands: database (up, down, none), rows that wait, hits of the cache."""
        told: dict[str, Any] = {"database": "none"}
        if self._keeper is not None:
            told = self._keeper.health()
        if self._cache is not None:
            told |= {"cached": len(self._cache)}
            told |= {"hits": self._cache.hits, "misses": self._cache.misses}
        return told

    def close(self) -> None:
        """Write what waits, and end; rows that the database does not take are spooled."""
        if self._keeper is not None:
            self._keeper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ one version

    def _ask_version(self, version: Version, candles: Candles) -> Prediction:
        latest, regime = self._latest(version, candles)
        simulated = candles.simulated or bool(version.bundle.metadata["simulated"])
        mark = f"{latest.digest.hex()}{version.mark if regime else ''}{'s' if simulated else ''}"
        key = Key(version.key, candles.symbol or "", latest.ts_ms, mark)
        live = opening_now() is None
        row_due = live and self._row_due(version, candles.symbol)
        entry = self._cache.get(key) if live and self._cache is not None else None
        if entry is not None and (entry.noted or not row_due):
            return entry.again
        answer, raw = version.tell(latest, regime=regime)
        if row_due and self._keeper is not None:
            self._keeper.note(version.bundle, str(candles.symbol), latest.ts_ms, raw)
        if entry is not None:  # another process said so, and this one had still to record it
            entry.noted = True
            return entry.again
        said = made_of(
            answer,
            kind=version.bundle.kind,
            model_name=version.bundle.slot.key,
            version=version.bundle.version_id,
            timeframe=candles.timeframe,
            symbol=candles.symbol,
            ts_ms=latest.ts_ms,
            simulated=simulated,
        )
        if live and self._cache is not None:
            self._cache.put(key, said, noted=row_due)
        return said

    def _latest(self, version: Version, candles: Candles) -> tuple[Latest, bool]:
        """Return the latest bar, and whether its regime is known: that takes more history."""
        now_ms = self._clock() * 1000
        stream = self._streams.of(candles.symbol, candles.timeframe, version.with_regimes)
        try:
            return stream.latest(candles, now_ms), version.regimes is not None
        except NotEnoughHistory:
            if version.with_regimes == version.names:
                raise
        stream = self._streams.of(candles.symbol, candles.timeframe, version.names)
        return stream.latest(candles, now_ms), False

    def _row_due(self, version: Version, symbol: str | None) -> bool:
        """Return whether the ledger has a place for what a version says: turns know its kind."""
        recording = self._keeper is not None and self.config.record
        return recording and symbol is not None and version.bundle.kind in KINDS

    # ------------------------------------------------------------------ whatever else answers

    def _ask_other(self, model: BaseModel, candles: Candles) -> Prediction:
        """Ask an ensemble, or what a replay served; the ledger has a place for neither."""
        names = tuple(model.features)
        stream = self._streams.of(candles.symbol, candles.timeframe, names)
        latest = stream.latest(candles, self._clock() * 1000)
        label = label_of(model)
        simulated = candles.simulated or self._is_simulated(label, model)
        mark = f"{latest.digest.hex()}{'s' if simulated else ''}"
        key = Key(label, candles.symbol or "", latest.ts_ms, mark)
        cache = self._cache if opening_now() is None else None
        entry = None if cache is None else cache.get(key)
        if entry is not None:
            return entry.again
        rows = frame_of(latest, stream.program, candles.symbol, candles.timeframe)
        said = made_of(
            model.predict(rows, close=latest.close),
            kind=model.kind,
            model_name=model.name,
            version=label,
            timeframe=candles.timeframe,
            symbol=candles.symbol,
            ts_ms=latest.ts_ms,
            simulated=simulated,
        )
        # A member may have changed its version while it was asked: then nobody knows whose it is.
        if cache is not None and label_of(model) == label:
            cache.put(key, said, noted=True)
        return said

    def _is_simulated(self, label: str, model: BaseModel) -> bool:
        if label not in self._simulated:
            self._simulated[label] = learnt_on_simulated(model, self.config.home)
        return self._simulated[label]

    # ------------------------------------------------------------------ the database

    def _make_keeper(self) -> Keeper | None:
        config = self.config
        if config.database_url is None or not (config.record or config.cache or config.ensembles):
            return None
        return Keeper(config, self._cache, clock=self._clock)

    def _ensemble_on(self, slot_key: str) -> str | None:
        return None if self._keeper is None else self._keeper.ensemble_on(slot_key)
