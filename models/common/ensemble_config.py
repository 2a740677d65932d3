"""An ensemble as a file: ``<home>/models/ensembles/<name>.json``, with its results beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.common.blending import METHODS, shares
from models.common.errors import EnsembleError
from models.common.files import replace_file
from models.common.heads import Floats
from models.common.names import is_standing_name
from models.common.regimes import NAMES, RegimeConfidence, Regimes
from models.common.registry import ENSEMBLES, models_folder
from models.common.slot import check_word
from models.common.stack import Stack

_RESULTS = "_results"


@dataclass(frozen=True, eq=False)
class EnsembleConfig:
    """What an ensemble is made of, checked.

    Parameters
    ----------
    models : tuple of str
        Members, as `load_model` names them.
    weights : float array [M]
        One a member, >= 0. Of a stack, the mean of its coefficients, for people.
    method : str
        One of `models.common.blending.METHODS`.
    stack : Stack, optional
        Of method ``stacking``.
    regimes : mapping, optional
        Edges of regimes (``volatility``, ``trend``), and ``weights`` by regime [9, M], or
        ``slopes`` and ``shifts`` for the confidence, or both; see `models.common.regimes`.
    composed : str
        Name of a bundle that holds the same ensemble in one graph, if there is one.
    about : mapping
        Whatever else is to be kept: slot, turn, whether the market is simulated.

    Raises
    ------
    EnsembleError
        When parts do not fit together.
    """

    models: tuple[str, ...]
    weights: Floats
    method: str = "weighted_avg"
    stack: Stack | None = None
    regimes: Mapping[str, Any] | None = None
    composed: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.models
        if not names or len(set(names)) < len(names):
            raise EnsembleError(f"an ensemble needs members, each once; got {list(names)}")
        if self.method not in METHODS:
            raise EnsembleError(f"{self.method!r} is no method; use one of {', '.join(METHODS)}")
        if (self.stack is None) == (self.method == "stacking"):
            raise EnsembleError(
                "stacking needs learnt weights: fit them on ledger rows that are later than every "
                "member's training, and pass weights=[...]; without them use 'weighted_avg'"
                if self.stack is None
                else f"a stack is for method 'stacking', not {self.method!r}"
            )
        if self.stack is not None and set(self.stack.inputs) != set(names):
            raise EnsembleError(
                f"the stack's inputs are {list(self.stack.inputs)}, the members {list(names)}"
            )
        _ = self.edges, self.weights_by_regime, self.confidence

    @property
    def edges(self) -> Regimes | None:
        """The regimes' edges."""
        return None if self.regimes is None else Regimes.from_dict(self.regimes)

    @property
    def weights_by_regime(self) -> Floats | None:
        """Weights by regime and member [9, M], where there are any."""
        if self.regimes is None or self.regimes.get("weights") is None:
            return None
        if self.method == "stacking":
            raise EnsembleError("a stack has no weights by regime; use 'weighted_avg' or 'voting'")
        table = _table(self.regimes["weights"])
        if table.shape != (len(NAMES), len(self.models)) or not table.any(axis=1).all():
            raise EnsembleError(
                f"weights by regime must be {len(NAMES)} × {len(self.models)}, none of them all 0"
            )
        return table

    @property
    def confidence(self) -> RegimeConfidence | None:
        """What a confidence is worth by regime, where that was learnt."""
        if self.regimes is None or "slopes" not in self.regimes:
            return None
        return RegimeConfidence.from_dict(self.regimes)

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON keeps it; what is not used is left out."""
        kept: dict[str, Any] = {
            "models": list(self.models),
            "weights": self.weights.tolist(),
            "method": self.method,
        }
        if self.stack is not None:
            kept["stack"] = self.stack.as_dict()
        further = {"regimes": self.regimes, "composed": self.composed, "about": self.about}
        return kept | {name: _plain(part) for name, part in further.items() if part}


def make_config(
    models: Sequence[str],
    weights: Sequence[float] | None = None,
    method: str = "weighted_avg",
    *,
    stack: Stack | Mapping[str, Any] | None = None,
    **further: Any,
) -> EnsembleConfig:
    """Return the configuration of members and weights as people give them.

    Stacking's weights may be given as a `stack`, or as `weights` alone: then there is no intercept.

    Raises
    ------
    EnsembleError
        As `EnsembleConfig`, and for weights that are negative, all 0 or not one a member.
    """
    if isinstance(stack, Mapping):
        stack = Stack.from_dict(stack)
    names = tuple(models) if models or stack is None else stack.inputs
    if stack is not None:
        means = stack.table.mean(axis=1)
        order = [stack.inputs.index(name) for name in names if name in stack.inputs]
        return EnsembleConfig(names, means[order], method, stack, **further)
    by_regime = (further.get("regimes") or {}).get("weights")
    if weights is None and by_regime is not None and method != "stacking":
        mean = shares(_table(by_regime).T).mean(axis=1)
        return EnsembleConfig(names, mean, method, None, **further)
    if weights is None:
        equal = np.full(len(names), 1 / max(len(names), 1))
        return EnsembleConfig(names, equal, method, None, **further)
    numbers = _table(weights)
    if numbers.shape != (len(names),):
        raise EnsembleError(f"{len(names)} members need as many weights, got {numbers.size}")
    if method == "stacking":
        stack = Stack(names, numbers)
    return EnsembleConfig(names, numbers, method, stack, **further)


def config_path(name: str, home: str | Path | None = None) -> Path:
    """Return where the configuration of ensemble `name` is kept."""
    return models_folder(home) / ENSEMBLES / f"{check_word(name, 'ensemble name')}.json"


def results_path(name: str, home: str | Path | None = None) -> Path:
    """Return where the results of ensemble `name` are kept."""
    return config_path(name + _RESULTS, home)


def kept_names(home: str | Path | None = None) -> tuple[str, ...]:
    """Return the names of all ensembles that are kept, whoever made them, sorted."""
    folder = models_folder(home) / ENSEMBLES
    found = (path.stem for path in folder.glob("*.json"))
    return tuple(sorted(name for name in found if not name.endswith(_RESULTS)))


def write_config(name: str, config: EnsembleConfig, home: str | Path | None = None) -> Path:
    """Keep `config` as `name`; return its path.

    Raises
    ------
    EnsembleError
        When `name` means a model already, such as ``direction``, or a file of results; or when the
        configuration is a slot's (``about["slot"]``) and the one that is there is not.
    """
    path = config_path(name, home)
    if is_standing_name(name):
        raise EnsembleError(f"{name!r} means a champion already; use a name like ensemble_001")
    if name.endswith(_RESULTS):
        raise EnsembleError(f"{name!r} would be taken for results; use a name like ensemble_001")
    slot = config.about.get("slot")
    if slot is not None and path.exists() and slot_of(name, home) != slot:
        raise EnsembleError(
            f"{path} is not the ensemble of {slot}: somebody keeps one of their own, or another "
            "slot's, under this name; take one that is free"
        )
    replace_file(path, _to_bytes({"name": name, **config.as_dict()}))
    return path


def slot_of(name: str, home: str | Path | None = None) -> str | None:
    """Return the slot whose ensemble is kept as `name`; None if it is somebody's own, or none."""
    try:
        return read_config(name, home).about.get("slot")
    except EnsembleError:
        return None


def read_config(name: str, home: str | Path | None = None) -> EnsembleConfig:
    """Return the configuration that is kept as `name`.

    Raises
    ------
    EnsembleError
        When the file is not there or is no configuration.
    """
    path = config_path(name, home)
    try:
        kept = json.loads(path.read_bytes())
        further = {part: kept[part] for part in ("regimes", "composed", "about") if part in kept}
        return make_config(
            kept["models"], kept["weights"], kept["method"], stack=kept.get("stack"), **further
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnsembleError(f"{path} is no ensemble's configuration: {error!r}") from error


def write_results(name: str, results: Mapping[str, Any], home: str | Path | None = None) -> Path:
    """Keep how ensemble `name` did beside its configuration; return the path.

    What is no number, as a figure over no rows, becomes null.
    """
    path = results_path(name, home)
    replace_file(path, _to_bytes(_without_nan({"name": name, **_plain(results)})))
    return path


def read_results(name: str, home: str | Path | None = None) -> dict[str, Any]:
    """Return how ensemble `name` did when it was judged last; empty if never.

    Raises
    ------
    EnsembleError
        When the file is damaged.
    """
    path = results_path(name, home)
    try:
        kept = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EnsembleError(f"{path} holds no results: {error}") from error
    return kept if isinstance(kept, dict) else {}


def _to_bytes(content: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(_plain(content), indent=1, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise EnsembleError(f"cannot be kept as JSON: {error}") from error


def _table(weights: Any) -> Floats:
    try:
        numbers = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EnsembleError(f"weights must be numbers: {error}") from error
    if not np.isfinite(numbers).all() or (numbers < 0).any() or not numbers.any():
        raise EnsembleError(f"weights must be >= 0 and not all 0, got {numbers.tolist()}")
    return numbers


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """Return mappings, sequences and numpy's numbers as JSON has them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value
