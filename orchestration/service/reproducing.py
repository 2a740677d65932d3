"""Reproducing a version of a home: its bundle, from MLflow if need be, is fitted again."""

from __future__ import annotations

import time
from typing import Any

from features.besides import DEFAULT_BENCHMARK, Besides
from ml_pipeline.history import History
from ml_pipeline.reproduce import reproduce
from models.common.slot import Slot
from orchestration.lifecycle.sync import sound_bundle
from orchestration.service.listing import pick_any
from orchestration.service.resources import candles_of, registry_of, source_of, tracking_of
from orchestration.settings import Settings

Json = dict[str, Any]


def reproduce_version(settings: Settings, name: str) -> Json:
    """Fit a version again from its own lineage, and say how it compares.

    Parameters
    ----------
    settings
        The home; its source must be the one that the version was trained on.
    name
        A version, the beginning of one, or anything `load_model` understands.

    Returns
    -------
    dict
        `ml_pipeline.reproduce.Reproduction.as_dict`, and ``seconds``.

    Raises
    ------
    UnknownModel, AmbiguousModel
        `name` does not mean exactly one version.
    SyncRefused
        Neither the folder nor MLflow holds a sound copy.
    NotReproducible
        See `ml_pipeline.reproduce.reproduce`.
    """
    started = time.perf_counter()
    row = pick_any(settings, name)
    bundle = sound_bundle(
        Slot.parse(row["slot"]), row["version"], tracking_of(settings), registry_of(settings)
    )
    besides = Besides(bundle.metadata.get("benchmark") or DEFAULT_BENCHMARK)
    history = History(source_of(settings), candles_of(settings), besides=besides)
    found = reproduce(bundle, history).as_dict()
    return {**found, "seconds": round(time.perf_counter() - started, 3)}
