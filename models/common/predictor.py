"""Predictor: `load_model`, the door through which a strategy meets its models.

It needs numpy and onnxruntime, and takes frames from pandas where they are given; no trainer, no
server, no database. Predictions go on when all of those are down.
"""

from __future__ import annotations

from pathlib import Path

from models.common.base_model import BaseModel
from models.common.ensemble import EnsemblePredictor, config_path
from models.common.model import Model, open_model
from models.common.opening import opening_now

__all__ = ["BaseModel", "EnsemblePredictor", "Model", "load_model"]


def load_model(
    name: str, *, home: str | Path | None = None, timeframe: str | None = None
) -> BaseModel:
    """Return the model that `name` means, verified and ready to predict.

    A champion or challenger is followed: when another version takes its place, the model answers
    with that one from its next prediction on. In a backtest it stays, and in one of what a replay
    served that answers (`models.common.opening`).

    Parameters
    ----------
    name : str
        ``"direction"``, ``"model_001"``, ``"direction_predictor_001"``, ``"BTC-USDT/direction"``,
        ``"…@champion"``, ``"…@challenger"``, a version or an ensemble; see `models.common.names`.
    home : path, optional
        Folder that holds ``models/``; by default ``$TIDEWHEEL_HOME`` or ``./var``.
    timeframe : str, optional
        Which of the kind's timeframes, where there are several; by default the first.

    Raises
    ------
    BadName
        When `name` cannot be a model's.
    ModelNotFound
        When nothing is there by that name; the message says what is.
    BundleError
        When what is there is refused.

    Examples
    --------
    >>> model = load_model("direction")  # doctest: +SKIP
    >>> model.predict(features.iloc[-1:])  # doctest: +SKIP
    {'direction': 'UP', 'confidence': 0.513, 'probability': 0.513, 'novelty': 0.4, …}
    """
    how = opening_now()
    if how is not None and how.answering is not None:
        how.opened[name] = answer = how.answering(name, timeframe)
        return answer
    if not any(mark in name for mark in "/@") and config_path(name, home).exists():
        return EnsemblePredictor.load_config(name, home=home)
    return open_model(name, home=home, timeframe=timeframe)
