"""Ensembles: several models that answer as one, kept as a small JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.common.base_model import BaseModel
from models.common.blending import METHODS, blend_heads, blend_raw, count_votes
from models.common.errors import EnsembleError, ModelError
from models.common.files import replace_file
from models.common.heads import Answer
from models.common.model import Model, matrix_for, open_model
from models.common.names import is_standing_name
from models.common.registry import ENSEMBLES, models_folder
from models.common.risk_score import with_items, with_novelty
from models.common.rows import close_in
from models.common.runner import check_close
from models.common.slot import check_word


class EnsemblePredictor(BaseModel):
    """Several models that answer as one.

    A member that cannot be loaded is left out, the weights of the others are scaled up, and every
    answer says so under ``missing``. Members of several kinds are blended kind by kind: the
    answer is then a dict of answers by kind.

    Parameters
    ----------
    models : sequence of str
        Members, as `load_model` names them.
    weights : sequence of float, optional
        One weight a member, >= 0; by default all equal, which learnt weights seldom beat.
    method : {'weighted_avg', 'voting', 'stacking'}
        How to blend, see `models.common.blending.blend_raw`. Stacking needs learnt weights.
    home : path, optional
        Folder that holds ``models/``; by default ``$TIDEWHEEL_HOME`` or ``./var``.
    name : str
        Name of the ensemble.

    Raises
    ------
    EnsembleError
        When weights or method do not fit, or no member can be loaded.

    Examples
    --------
    >>> ensemble = EnsemblePredictor(["majors/direction@champion", "majors/direction@challenger"])
    >>> ensemble.predict(symbol="BTC-USDT", df=features)  # doctest: +SKIP
    {'direction': 'UP', 'confidence': 0.52, 'probability': 0.52, 'missing': []}
    """

    def __init__(
        self,
        models: Sequence[str],
        weights: Sequence[float] | None = None,
        method: str = "weighted_avg",
        *,
        home: str | Path | None = None,
        name: str = "ensemble",
    ) -> None:
        self._names = list(models)
        self._weights = _check_weights(self._names, weights, method)
        self._method = method
        self._home = home
        self._own_name = name
        self.missing: dict[str, str] = {}
        self._members: dict[str, Model] = {}
        for member in self._names:
            self._load(member)
        if not self._members:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.missing.items())
            raise EnsembleError(f"no member of ensemble {name!r} can be loaded: {reasons}")
        if method == "stacking" and self.kind == "mixed":
            raise EnsembleError(
                "stacked weights are learnt for one kind; these members have several"
            )

    def _load(self, member: str) -> None:
        try:
            self._members[member] = open_model(member, home=self._home)
        except ModelError as error:
            self.missing[member] = str(error)

    # ------------------------------------------------------------------ what it is

    @property
    def kind(self) -> str:
        """The members' kind, or ``"mixed"``."""
        kinds = {model.kind for model in self._members.values()}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def features(self) -> list[str]:
        """Columns that any member reads."""
        columns = [model.features for model in self._members.values()]
        return list(dict.fromkeys(name for names in columns for name in names))

    @property
    def info(self) -> Mapping[str, Any]:
        """The configuration, and the members in service."""
        serving = {name: model.version_id for name, model in self._members.items()}
        return {**self._config(), "type": "ensemble", "kind": self.kind, "serving": serving}

    def _config(self) -> dict[str, Any]:
        return {
            "name": self._own_name,
            "models": self._names,
            "weights": self._weights.tolist(),
            "method": self._method,
        }

    # ------------------------------------------------------------------ what it says

    def predict(
        self, features: Any = None, *, close: Any = None, symbol: str | None = None, df: Any = None
    ) -> Answer:
        """Return the blended answers to the rows of `features`.

        Parameters
        ----------
        features, df : DataFrame or mapping
            Rows with at least the columns `features`; either name will do.
        close : float or array [N], optional
            Closing prices; by default the column ``close``.
        symbol : str, optional
            Whose rows they are; members know no symbols, so that it changes nothing.

        Returns
        -------
        dict or RiskScore
            The kind's answer with ``missing`` (names of members left out) and, where members vote
            on one row, ``votes`` (how many would answer what). ``novelty`` is the largest that any
            member sees. For members of several kinds, such an answer by kind.

        Raises
        ------
        FeatureError
            When a member refuses the rows.
        EnsembleError
            When the members cannot be blended.
        """
        rows = df if features is None else features
        if rows is None:
            raise EnsembleError("nothing to predict from: pass rows as df=...")
        price = close_in(rows) if close is None else close
        groups: dict[str, list[str]] = {}
        for name, model in self._members.items():
            groups.setdefault(model.kind, []).append(name)
        answers = {kind: self._blend(kind, names, rows, price) for kind, names in groups.items()}
        missing = list(self.missing)
        if len(answers) == 1:
            return with_items(next(iter(answers.values())), missing=missing)
        return {**answers, "missing": missing}

    def _blend(self, kind: str, names: list[str], rows: Any, close: Any) -> Answer:
        bundles = [self._members[name].bundle for name in names]
        told = [b.runner.forecast(matrix_for(b, rows, ordered=False)) for b in bundles]
        raws = np.stack([raw for raw, _ in told])
        weights = self.shares(kind, names)
        raw = blend_raw(kind, self._method, raws, weights)
        head = blend_heads([bundle.head for bundle in bundles], weights)
        answer = head.decode(raw, None if close is None else check_close(close, len(raw)))
        answer = with_novelty(answer, _largest([novelty for _, novelty in told]))
        if self._method == "voting" and len(raw) == 1:
            return with_items(answer, votes=count_votes(kind, raws))
        return answer

    def shares(self, kind: str, names: list[str]) -> NDArray[np.float64]:
        """Return the weights of `names`, scaled up for members of the kind that are missing."""
        weights = np.array([self._weights[self._names.index(name)] for name in names])
        if not weights.sum():
            raise EnsembleError(f"the {kind} members that are left all have weight 0")
        total = float(self._weights.sum()) if self._method == "stacking" else 1.0
        shares: NDArray[np.float64] = weights * (total / weights.sum())
        return shares

    # ------------------------------------------------------------------ how it is kept

    def save_config(self, name: str) -> Path:
        """Keep the configuration as ``<home>/models/ensembles/<name>.json``; return its path.

        Raises
        ------
        EnsembleError
            When `name` means a model already, such as ``direction``.
        """
        path = config_path(name, self._home)
        if is_standing_name(name):
            raise EnsembleError(f"{name!r} means a champion already; use a name like ensemble_001")
        self._own_name = name
        replace_file(path, (json.dumps(self._config(), indent=1) + "\n").encode())
        return path

    @classmethod
    def load_config(cls, name: str, *, home: str | Path | None = None) -> EnsemblePredictor:
        """Return the ensemble that `save_config` kept as `name`.

        Raises
        ------
        EnsembleError
            When the file is not there or is no configuration.
        """
        path = config_path(name, home)
        try:
            kept = json.loads(path.read_bytes())
            models, weights, method = kept["models"], kept["weights"], kept["method"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EnsembleError(f"{path} is no ensemble's configuration: {error!r}") from error
        return cls(models, weights, method, home=home, name=name)


def _largest(novelties: list[NDArray[np.float64] | None]) -> Any:
    """Return what the member says to whom the row is strangest: a number for one row."""
    known = [novelty for novelty in novelties if novelty is not None]
    if not known:
        return None
    largest = np.max(known, axis=0)
    return float(largest[0]) if len(largest) == 1 else largest


def config_path(name: str, home: str | Path | None = None) -> Path:
    """Return where the configuration of ensemble `name` is kept."""
    return models_folder(home) / ENSEMBLES / f"{check_word(name, 'ensemble name')}.json"


def _check_weights(
    names: list[str], weights: Sequence[float] | None, method: str
) -> NDArray[np.float64]:
    if not names or len(set(names)) < len(names):
        raise EnsembleError(f"an ensemble needs members, each once; got {names}")
    if method not in METHODS:
        raise EnsembleError(f"{method!r} is no method; use one of {', '.join(METHODS)}")
    if weights is None:
        if method == "stacking":
            raise EnsembleError(
                "stacking needs learnt weights: fit them on ledger rows that are later than every "
                "member's training, and pass weights=[...]; without them use 'weighted_avg'"
            )
        return np.full(len(names), 1 / len(names))
    return _numbers(names, weights)


def _numbers(names: list[str], weights: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.asarray(weights, dtype=np.float64)
    if numbers.shape != (len(names),):
        raise EnsembleError(f"{len(names)} members need as many weights, got {numbers.size}")
    if not np.isfinite(numbers).all() or (numbers < 0).any() or not numbers.sum():
        raise EnsembleError(f"weights must be >= 0 and not all 0, got {numbers.tolist()}")
    return numbers
