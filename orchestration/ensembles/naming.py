"""What the ensembles of turns are called, and how they are told from those made by hand."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from models.common.ensemble_config import kept_names, slot_of
from models.common.slot import Slot

ENSEMBLE = "ensemble"
"""The line of what is composed each turn, and the name that stands in its versions."""

MADE_BY = "turn"
"""Value of ``made_by`` in the configuration of an ensemble that a turn keeps."""


def is_ours(config: Mapping[str, Any]) -> bool:
    """Return whether turns keep an ensemble of this configuration, and may replace it."""
    return config.get("made_by") == MADE_BY


def name_of(
    slot_key: str, known: Mapping[str, Mapping[str, Any]], taken: Container[str] = ()
) -> str:
    """Return the name of a slot's ensemble: the one it has, else the next free ``ensemble_001``.

    Parameters
    ----------
    slot_key
        ``majors/direction/1m``.
    known
        Configurations by the names of the ensembles that are stored.
    taken
        Names of other ensembles, such as files that nobody stored.
    """
    for name, config in sorted(known.items()):
        if config.get("slot") == slot_key and is_ours(config):
            return name
    number = 1
    while (name := f"ensemble_{number:03d}") in known or name in taken:
        number += 1
    return name


def free_name(home: Path, slot_key: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the name to keep a slot's ensemble under, so that no file of a person is replaced.

    That may be another than the one that turns have used: somebody's `save_config` took it over.

    Parameters
    ----------
    home
        Folder that holds ``models/``.
    slot_key, known
        As in `name_of`.
    """
    files = kept_names(home)
    taken = {name for name in files if slot_of(name, home) != slot_key}
    ours = {name: config for name, config in known.items() if name not in taken}
    return name_of(slot_key, ours, taken)


def config(slot: Slot, weights: Mapping[str, float], method: str, version: str) -> dict[str, Any]:
    """Return the configuration that a turn keeps of its ensemble.

    Parameters
    ----------
    weights
        By version of the members.
    method
        ``weighted_avg``, ``voting`` or ``stacking``.
    version
        The version of the slot that is the same ensemble as one graph.
    """
    return {
        "slot": slot.key,
        "models": [f"{slot.scope}/{slot.kind}/{member}" for member in weights],
        "weights": list(weights.values()),
        "method": method,
        "version": version,
        "made_by": MADE_BY,
    }
