"""The finished trials of a search, on disk: a search that was killed goes on from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml_pipeline.panel import Panel
from ml_pipeline.recipe import Recipe
from ml_pipeline.splits import TurnSplit
from models.common.files import replace_file


@dataclass(frozen=True)
class Trial:
    """One choice of hyper-parameters and what came of it.

    Attributes
    ----------
    point
        Where in the space: numbers as they are, choices by their place. Empty for the recipe's own
        hyper-parameters.
    skill
        On the selection slice, against the baseline; None if the fit failed.
    z
        Of the paired difference to the recipe's own hyper-parameters.
    seconds
        Wall time.
    """

    point: dict[str, float]
    skill: float | None
    z: float
    seconds: float

    @classmethod
    def from_json(cls, trial: Mapping[str, Any]) -> Trial:
        """Return the trial that `asdict` made `trial` of; KeyError or TypeError if it is none."""
        skill = trial["skill"]
        return cls(
            point=dict(trial["point"]),
            skill=None if skill is None else float(skill),
            z=float(trial["z"]),
            seconds=float(trial["seconds"]),
        )


class Journal:
    """Trials in order, written one by one; each is there whole or not at all.

    Parameters
    ----------
    path
        A JSON file; None keeps them in memory only.
    key
        What the trials are of, as `search_key` tells; a file with another key, or one that is no
        journal, is begun anew.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self.path, self.key = path, key
        self.trials: list[Trial] = self._read()

    def append(self, trial: Trial) -> None:
        """Add a finished trial."""
        self.trials.append(trial)
        if self.path is not None:
            content = {"key": self.key, "trials": [asdict(one) for one in self.trials]}
            replace_file(self.path, json.dumps(content, indent=1).encode())

    def _read(self) -> list[Trial]:
        if self.path is None:
            return []
        try:
            content = json.loads(self.path.read_bytes())
            if content["key"] != self.key:
                return []
            return [Trial.from_json(trial) for trial in content["trials"]]
        except (OSError, ValueError, TypeError, KeyError):
            return []


def search_key(recipe: Recipe, panel: Panel, split: TurnSplit, seed: int) -> str:
    """Return a SHA-256 of all that decides what a trial comes to, 64 hexadecimal digits."""
    read = np.any([split.mask(panel, name) for name in ("train", "calibration", "selection")], 0)
    what: dict[str, Any] = {
        "recipe": recipe.spec(),
        "split": split.as_dict(),
        "seed": seed,
        "data": panel.rows(read).data_hash(),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
