"""Ensembles: several models that answer as one, kept as a small JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.common.base_model import BaseModel
from models.common.blender import Told, answer, ask, ask_all, blend, check_input, largest
from models.common.ensemble_config import (
    EnsembleConfig,
    config_path,
    make_config,
    read_config,
    read_results,
    write_config,
    write_results,
)
from models.common.errors import EnsembleError, ModelError
from models.common.heads import Answer, Floats
from models.common.model import Model, matrix_for, open_model
from models.common.regimes import COLUMNS
from models.common.risk_score import with_items
from models.common.rows import close_in
from models.common.stack import Stack

__all__ = ["EnsemblePredictor", "config_path"]


class EnsemblePredictor(BaseModel):
    """Several models that answer as one.

    A member that cannot be loaded, or refuses the rows it is asked about, is left out, the weights
    of the others are scaled up, and the answer says so under ``missing``. Members of several kinds
    are blended kind by kind, and the answer is then a dict of answers by kind; of a stack they are
    all inputs of its one kind.

    Parameters
    ----------
    models : sequence of str
        Members, as `load_model` names them. May be empty where a stack lists them.
    weights : sequence of float, optional
        One weight a member, >= 0; by default all equal, which learnt weights seldom beat.
    method : {'weighted_avg', 'voting', 'stacking'}
        How to blend, see `models.common.blending.blend_raw`. Stacking needs learnt weights.
    stack : Stack or mapping, optional
        Learnt coefficients, with an intercept, or of other kinds' outputs: `models.common.stack`.
    regimes : mapping, optional
        Weights or confidences by regime; see `models.common.ensemble_config.EnsembleConfig`.
    composed : str
        Name of a bundle that holds the same ensemble in one graph: it answers while one of the
        members is gone.
    about : mapping, optional
        Anything else to keep in the configuration.
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
        models: Sequence[str] = (),
        weights: Sequence[float] | None = None,
        method: str = "weighted_avg",
        *,
        stack: Stack | Mapping[str, Any] | None = None,
        regimes: Mapping[str, Any] | None = None,
        composed: str = "",
        about: Mapping[str, Any] | None = None,
        home: str | Path | None = None,
        name: str = "ensemble",
    ) -> None:
        further = {"regimes": regimes, "composed": composed, "about": about or {}}
        self._open(make_config(models, weights, method, stack=stack, **further), home, name)

    def _open(self, config: EnsembleConfig, home: str | Path | None, name: str) -> None:
        self.made_of = config
        self._home, self._own_name = home, name
        self.missing: dict[str, str] = {}
        self._members: dict[str, Model] = {}
        for member in config.models:
            try:
                self._members[member] = open_model(member, home=home)
            except ModelError as error:
                self.missing[member] = str(error)
        self._whole = self._open_whole()
        if not self._members and self._whole is None:
            reasons = "; ".join(f"{member}: {why}" for member, why in self.missing.items())
            raise EnsembleError(f"no member of ensemble {name!r} can be loaded: {reasons}")
        self._check_kinds()

    def _open_whole(self) -> Model | None:
        """Return the composed bundle where a member is gone and it is there."""
        if not self.missing or not self.made_of.composed:
            return None
        try:
            return open_model(self.made_of.composed, home=self._home)
        except ModelError as error:
            self.missing[self.made_of.composed] = str(error)
            return None

    def _check_kinds(self) -> None:
        stack = self.made_of.stack
        if stack is None:
            return
        kinds = {member: model.kind for member, model in self._members.items()}
        if not stack.kind and len(set(kinds.values())) > 1:
            raise EnsembleError(
                "stacked weights are learnt for one kind; these members have several: name the "
                'one that is answered, stack={"kind": "direction", …}'
            )
        for member, kind in kinds.items():
            check_input(stack, member, kind, self.kind)

    # ------------------------------------------------------------------ what it is

    @property
    def kind(self) -> str:
        """The kind that it answers, or ``"mixed"``."""
        stack = self.made_of.stack
        if self._whole is not None:
            return self._whole.kind
        if stack is not None and stack.kind:
            return stack.kind
        kinds = {model.kind for model in self._members.values()}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def timeframe(self) -> str | None:
        """Bars that the members read; None where they differ."""
        found = {m.slot.timeframe for m in [*self._members.values(), self._whole] if m}
        return found.pop() if len(found) == 1 else None

    @property
    def features(self) -> list[str]:
        """Columns that any member reads, and those that tell the regime where it matters."""
        columns = [m.features for m in [*self._members.values(), self._whole] if m]
        further = COLUMNS if self.made_of.regimes else ()
        return list(dict.fromkeys([name for names in columns for name in names] + [*further]))

    @property
    def info(self) -> Mapping[str, Any]:
        """The configuration, and the versions that answer, by the names in `serving`."""
        serving = {name: model.version_id for name, model in self._answering.items()}
        kept = {"name": self._own_name, **self.made_of.as_dict()}
        return {**kept, "type": "ensemble", "kind": self.kind, "serving": serving}

    @property
    def serving(self) -> tuple[str, ...]:
        """Names of the models that answer: the members, or the composed one in their place."""
        return tuple(self._answering)

    @property
    def _answering(self) -> Mapping[str, Model]:
        return self._members if self._whole is None else {self.made_of.composed: self._whole}

    @property
    def results(self) -> dict[str, Any]:
        """How it did when it was judged last, as kept beside its configuration; empty if never.

        Raises
        ------
        EnsembleError
            When the file is damaged.
        """
        return read_results(self._own_name, self._home)

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
            The kind's answer with ``missing`` (names of members left out), ``reasons`` (by name,
            where any were) and, where members vote on one row, ``votes`` (how many would answer
            what). ``novelty`` is the largest that any member sees. Where the configuration has
            confidences by regime, ``regime``. For members of several kinds, such an answer by kind.

        Raises
        ------
        FeatureError, PredictionError
            When every member refuses the rows; the message is the first one's.
        EnsembleError
            When the members that are left cannot be blended.
        """
        rows = df if features is None else features
        if rows is None:
            raise EnsembleError("nothing to predict from: pass rows as df=...")
        price = close_in(rows) if close is None else close
        if self._whole is not None:
            return with_items(self._ask_whole(self._whole, rows, price), missing=[])
        told, refused = ask_all(self._members, rows)
        answers = {
            kind: answer(self.made_of, kind, told, rows, price) for kind in self._kinds(told)
        }
        reasons = {**self.missing, **refused}
        more: dict[str, Any] = {"missing": [n for n in self.made_of.models if n in reasons]}
        if reasons:
            more["reasons"] = reasons
        if self.kind == "mixed":  # also where all members of a kind refuse the rows
            return {**answers, **more}
        return with_items(self._by_regime(next(iter(answers.values())), rows), **more)

    def raw(self, features: Any) -> Floats:
        """Return the blended raw output [N, K] for the rows of `features`.

        Raises
        ------
        EnsembleError
            When the members are of several kinds.
        FeatureError, PredictionError
            When every member refuses the rows.
        """
        if self.kind == "mixed":
            raise EnsembleError("members of several kinds have no output in common; ask predict")
        if self._whole is not None:
            return ask(self._whole, features).raw
        return blend(self.made_of, self.kind, ask_all(self._members, features)[0], features)

    def novelty(self, features: Any) -> Floats | None:
        """Return how far each row lies from what any member knows, [N]; None if none can tell."""
        return largest(one.novelty for one in ask_all(self._answering, features)[0].values())

    def _kinds(self, told: Mapping[str, Told]) -> list[str]:
        """Return the kinds to answer, in the members' order."""
        if self.made_of.stack is not None:
            return [self.kind]
        return list(dict.fromkeys(one.kind for one in told.values()))

    def _ask_whole(self, whole: Model, rows: Any, close: Any) -> Answer:
        bundle = whole.bundle
        said = bundle.runner.answer(matrix_for(bundle, rows, ordered=False), close)
        return self._by_regime(said, rows)

    def _by_regime(self, said: Answer, rows: Any) -> Answer:
        confidence = self.made_of.confidence
        return said if confidence is None else confidence.adjust(said, rows)

    # ------------------------------------------------------------------ how it is kept

    def save_config(self, name: str) -> Path:
        """Keep the configuration as ``<home>/models/ensembles/<name>.json``; return its path.

        Raises
        ------
        EnsembleError
            When `name` means a model already, such as ``direction``.
        """
        path = write_config(name, self.made_of, self._home)
        self._own_name = name
        return path

    def save_results(self, results: Mapping[str, Any]) -> Path:
        """Keep how it did as ``<name>_results.json`` beside its configuration; return its path."""
        return write_results(self._own_name, results, self._home)

    @classmethod
    def load_config(cls, name: str, *, home: str | Path | None = None) -> EnsemblePredictor:
        """Return the ensemble that `save_config` kept as `name`.

        Raises
        ------
        EnsembleError
            When the file is not there or is no configuration.
        """
        ensemble = cls.__new__(cls)
        ensemble._open(read_config(name, home), home, name)
        return ensemble
