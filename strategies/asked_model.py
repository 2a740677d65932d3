"""A model as a strategy asks it: about the latest closed bar, the quickest way there is."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

from models.common.base_model import BaseModel
from models.common.bound import BoundModel
from models.common.predictor import Model, load_model
from strategies.base_strategy import Features

if TYPE_CHECKING:
    from models.common.heads import Answer

_SHORTEST = "1m"  # of what does not say


class AskedModel:
    """A model, and how to ask it at a bar.

    Live features hand over one float32 row, which a version reads bound to its columns: some
    microseconds. Whoever else answers like a feature manager hands over a frame, of which the last
    row is read, and so do they to an ensemble. The answer is the same.

    Parameters
    ----------
    model : str or BaseModel
        A name as `load_model` takes it, which follows its champion; or a model itself, such as one
        version that stays, or the answers that were really served. One that records what it says
        is told symbol and bar.
    timeframe : str, optional
        Of a name: which of the kind's timeframes, where there are several.

    Attributes
    ----------
    model : BaseModel
        What answers.
    timeframe : str
        Bars that it reads.

    Examples
    --------
    >>> direction = AskedModel("direction")  # doctest: +SKIP
    >>> direction.about("BTC-USDT", fm)["direction"]  # doctest: +SKIP
    'UP'
    """

    def __init__(self, model: str | BaseModel, timeframe: str | None = None) -> None:
        self.model = load_model(model, timeframe=timeframe) if isinstance(model, str) else model
        told = getattr(getattr(self.model, "slot", self.model), "timeframe", None)
        self.timeframe = str(told or self.model.info.get("timeframe") or timeframe or _SHORTEST)
        self._records = "ts" in signature(self.model.predict).parameters
        self._serving: Any = None
        self._bound: BoundModel | None = None

    @property
    def features(self) -> list[str]:
        """Columns that the model reads."""
        return self.model.features

    def about(self, symbol: str, fm: Features, close: float | None = None) -> Answer:
        """Return the model's answer to the latest closed bar.

        Parameters
        ----------
        symbol : str
            Whose bar.
        fm : Features
            What `BaseStrategy.sees` returned.
        close : float, optional
            Close of that bar, for kinds that predict a price.

        Raises
        ------
        NotEnoughHistory
            The model's columns have not settled.
        FeatureError
            They are not what the model was trained on.
        """
        quick: Any = fm
        if not hasattr(fm, "row"):
            rows = fm.get_features(symbol, self.timeframe, self.features).iloc[-1:]
        elif isinstance(self.model, Model):
            bound = self._bind(self.model)
            return bound.predict(quick.row(symbol, self.timeframe, bound.names), close)
        else:
            rows = quick.get_features(symbol, self.timeframe, self.features, lookback_bars=1)
        if self._records:
            recorded: Any = self.model
            return recorded.predict(rows, close, symbol=symbol, ts=rows.index[-1])
        return self.model.predict(rows, close=close)

    def _bind(self, model: Model) -> BoundModel:
        """Return the model bound to its own columns; anew when another version serves."""
        bundle = model.bundle
        if self._bound is None or bundle is not self._serving:
            # Only who is fed live features comes here: the engine is loaded already.
            from features.program import FeatureProgram

            program = FeatureProgram(bundle.schema.names, bundle.slot.timeframe)
            self._bound, self._serving = model.bind(program), bundle
        return self._bound


def declared(*models: AskedModel) -> dict[str, list[str]]:
    """Return the columns of models by timeframe: what a strategy's `features` may say."""
    names: dict[str, list[str]] = {}
    for asked in models:
        known = names.setdefault(asked.timeframe, [])
        known.extend(name for name in asked.features if name not in known)
    return names
