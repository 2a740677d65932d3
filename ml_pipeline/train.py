"""Train models one by one, as the seeds do: definitions in, models out, bundles on disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from features.besides import Besides
from features.errors import FeatureError
from features.model_set import MODEL_SET
from features.twins import Exchange, exchange, refusal, with_units
from market.source import CandleSource
from market.timeframes import Instant, parse_timeframe, timeframe_ms
from ml_pipeline import bundling
from ml_pipeline.errors import RecipeError
from ml_pipeline.history import History
from ml_pipeline.recipes import named
from ml_pipeline.tasks import TASKS
from ml_pipeline.trained import TrainedModel
from ml_pipeline.training import as_asked, train_on
from ml_pipeline.validate import Examined, ValidationPipeline
from models.common.registry import models_folder
from models.common.slot import SEED_NAMES, check_word

_DEFAULT_TIMEFRAME = "1m"
_log = logging.getLogger(__name__)


class TrainingPipeline:
    """Trains models on what a feature manager delivered, and writes them as bundles.

    Safe to call from several threads: fits share nothing, writing takes turns.

    Parameters
    ----------
    models_home
        Folder whose ``models/`` holds the bundles; by default `TIDEWHEEL_HOME`, which is ``var``.
    seed
        Of every fit.
    source, end
        Where candles come from and what counts as now; see `History.open`. They must be those of
        the training data.
    besides
        Benchmark and sentiment, for training data with such columns; a feature manager's are its
        `besides`.
    """

    def __init__(
        self,
        models_home: str | Path | None = None,
        seed: int = 0,
        *,
        source: str | CandleSource | None = None,
        end: Instant | None = None,
        besides: Besides | None = None,
    ) -> None:
        self.models_home = models_home
        self.seed = seed
        self.history = History.open(source, home=models_home, end=end, besides=besides)
        self._writing = threading.Lock()

    def train_model(
        self,
        model_def: Mapping[str, Any] | None = None,
        training_data: Mapping[str, pd.DataFrame] | None = None,
        *,
        model_type: str | None = None,
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        keep: int | None = None,
        tune_seconds: float = 0.0,
    ) -> TrainedModel:
        """Fit one model.

        Parameters
        ----------
        model_def
            ``{"type": "xgboost", "name": "direction_predictor_001", "config": {…}}``. The type is
            xgboost, random_forest, neural_net, svm, gradient_boosting, a kind, or a recipe:
            ``direction/logistic``, or ``logistic`` beside ``"kind": "direction"``. ``config``
            holds hyper-parameters that differ from the recipe's.
        training_data
            Features by symbol, as `FeatureManager.get_features` gives them. They say what to train
            on: symbols, timeframe, columns, how many bars, and up to when. Columns in price or
            volume units are exchanged for their scale-free twins, because a model learns levels
            from them that do not come again; the log says so, and the metadata keep it. The
            candles themselves, which labels and baselines need, are read from the same source.
        model_type, config, name
            The same three without a definition, as the seeds' retraining calls it.
        keep
            How many of the columns are kept, by permutation importance over time folds of the
            training slice; by default all. ``config`` may hold it as well.
        tune_seconds
            How long to search hyper-parameters on the selection slice before; by default not at
            all. ``config`` may hold it as well.

        Raises
        ------
        RecipeError
            For an unknown type, hyper-parameter or column, or data of another source.
        SplitError, FitError
            For too few bars.
        """
        definition = dict(model_def or {})
        word = str(definition.get("type", model_type))
        recipe = named(word, str(definition.get("kind", "")))
        kind = recipe.kind
        frames = _frames(training_data)
        timeframe = _timeframe(frames, self.history.source.name)
        asked = {"keep": keep, "tune_seconds": tune_seconds}
        asked |= definition.get("config", config) or {}
        recipe, tune_seconds = as_asked(recipe, asked)
        usable = _exchange(frames)
        learnt = _learnt(usable.columns, kind, timeframe)
        recipe = replace(recipe, features=learnt or recipe.features)
        own_name = str(definition.get("name", name or f"{SEED_NAMES[kind]}_001"))
        _tell(own_name, usable)
        ends = max(frame.index[-1] for frame in frames.values())
        history = replace(self.history, end=ends + pd.Timedelta(timeframe_ms(timeframe), unit="ms"))
        model = train_on(
            history,
            recipe,
            list(frames),
            timeframe,
            train_bars=max(len(frame) for frame in frames.values()),
            name=own_name,
            seed=self.seed,
            tune_seconds=tune_seconds,
        )
        return replace(model, origin=replace(model.origin, exchanged=usable.exchanged))

    def save_model(self, name: str, model: TrainedModel, days_back: float = 7) -> Path:
        """Write `model` as version `name` of its slot and return the bundle's folder.

        The figures in it are those of the bars of the last `days_back` days that lie after its
        training. Nothing is promoted:
        ``load_model(name)`` finds it by its name.

        Raises
        ------
        BundleError
            When another model has that name already.
        """
        origin = model.origin
        validator = ValidationPipeline(history=replace(self.history, end=origin.created_ms))
        examined = validator.examine(model, origin.symbols, days_back)
        figures = examined.figures
        about = bundling.metadata(model.fitted, origin, check_word(name, "version"), name=name)
        about["performance"] = bundling.performance(figures)
        folder = models_folder(self.models_home) / origin.slot.scope / model.kind / name
        with self._writing:
            return bundling.write(
                folder, model.fitted, about, model.panel, figures, _pictures(name, model, examined)
            )


def _pictures(name: str, model: TrainedModel, examined: Examined) -> dict[str, bytes]:
    """Return the pictures of the model card by name."""
    # Only now: drawing takes a third of a second to import, and most who train do not save.
    from ml_pipeline import pictures

    market = " · simulated market" if model.origin.simulated else ""
    title = f"{model.origin.slot.key} · {name}{market}"
    rows = f"{len(examined.panel):,} unseen rows"
    task, head = TASKS[model.kind], model.fitted.head
    sound = pictures.validation_picture(
        task, head, examined.raw, examined.naive, examined.panel, f"{title} · {rows}"
    )
    looks = pictures.importance_picture(model.fitted.importance, title)
    return {pictures.VALIDATION: sound, pictures.IMPORTANCE: looks}


def usable_columns(names: Sequence[str]) -> Exchange:
    """Return what a model may learn from among `names`: scale-free catalogue features.

    A column in price or volume units is exchanged for the scale-free twin that the catalogue names
    (``sma_20`` → ``close_to_sma_20``, ``atr_14`` → ``natr_14``).

    Raises
    ------
    RecipeError
        For a name that is in no catalogue, or one in price or volume units without a twin.
    """
    try:
        usable = exchange(names)
        without = with_units(usable.columns)
    except FeatureError as error:
        raise RecipeError(f"cannot train on these columns: {error}") from error
    if without:
        raise RecipeError(refusal(without))
    return usable


def _exchange(frames: Mapping[str, pd.DataFrame]) -> Exchange:
    columns = dict.fromkeys(str(name) for frame in frames.values() for name in frame.columns)
    return usable_columns(list(columns))


def _tell(model: str, usable: Exchange) -> None:
    if usable.exchanged:
        _log.warning(
            "%s: columns in price or volume units are exchanged for their scale-free twins, "
            "because a model learns levels from them that do not come again: %s",
            model,
            ", ".join(f"{raw} → {twin}" for raw, twin in usable.exchanged.items()),
        )


def _learnt(columns: Sequence[str], kind: str, timeframe: str) -> tuple[str, ...]:
    """Return what the learner should see: a model's own columns hold its baseline's as well."""
    naive = set(TASKS[kind].columns(timeframe)) - set(MODEL_SET)
    return tuple(name for name in columns if name not in naive)


def _frames(training_data: Mapping[str, pd.DataFrame] | None) -> dict[str, pd.DataFrame]:
    frames = {symbol: frame for symbol, frame in (training_data or {}).items() if len(frame)}
    if not frames:
        raise RecipeError("training_data holds no rows; pass features by symbol")
    return frames


def _timeframe(frames: Mapping[str, pd.DataFrame], source: str) -> str:
    found = {str(f.attrs.get("timeframe", _DEFAULT_TIMEFRAME)) for f in frames.values()}
    sources = {str(frame.attrs.get("source", source)) for frame in frames.values()}
    if len(found) > 1:
        raise RecipeError(f"training data mix timeframes {', '.join(sorted(found))}; pass one")
    if sources != {source}:
        raise RecipeError(
            f"training data come from {', '.join(sorted(sources))}, this pipeline reads {source}; "
            "make it with TrainingPipeline(source=…)"
        )
    return parse_timeframe(found.pop())
