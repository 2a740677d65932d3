"""Asking: one version with all that its answers depend on, or what else answers like a model."""

from __future__ import annotations

import json
import logging
import time
import weakref
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from features.program import FeatureProgram
from market.timeframes import utc
from models.common.base_model import BaseModel
from models.common.bundle import Bundle
from models.common.ensemble import EnsemblePredictor
from models.common.errors import EnsembleError, ModelError
from models.common.heads import Answer
from models.common.model import Model, open_model
from models.common.regimes import COLUMNS, RegimeConfidence
from models.common.rows import check_definitions
from orchestration.engine.streams import Latest

LOOK_S = 5.0
"""Seconds between two looks at what confidences are worth by regime."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """One version, as it is asked.

    Attributes
    ----------
    bundle
        The version.
    names
        Columns of a row: its own first.
    with_regimes
        The same and those that tell the regime; equal where no regimes are known.
    regimes
        What its confidence is worth by regime.
    key
        Slot and version.
    mark
        Tells answers apart that differ though version and row are the same.
    looked
        When regimes were looked at, seconds of the monotonic clock.
    """

    bundle: Bundle
    names: tuple[str, ...]
    with_regimes: tuple[str, ...]
    regimes: RegimeConfidence | None
    key: str
    mark: str
    looked: float

    def tell(self, latest: Latest, *, regime: bool) -> tuple[Answer, Any]:
        """Return the answer to a row, and the graph's output that it was made of."""
        row = latest.row[None, : len(self.names)]
        close = latest.close if self.bundle.head.reads_close else None
        answer, raw = self.bundle.runner.tell(row, close)
        if regime and self.regimes is not None:
            seen = {n: float(latest.row[self.with_regimes.index(n)]) for n in COLUMNS}
            answer = self.regimes.adjust(answer, seen)
        return answer, raw


class Versions:
    """The versions in service, each looked at once and its regimes again and again."""

    def __init__(self, *, regime_aware: bool) -> None:
        self._regime_aware = regime_aware
        self._known: weakref.WeakKeyDictionary[Model, Version] = weakref.WeakKeyDictionary()

    def of(self, model: Model) -> Version:
        """Return the version that serves now.

        Raises
        ------
        UnknownFeature
            It reads columns that nobody has defined here.
        models.common.errors.FeatureError
            They are defined otherwise than when it was trained.
        """
        bundle, now = model.bundle, time.monotonic()
        known = self._known.get(model)
        if known is not None and known.bundle is bundle and now - known.looked < LOOK_S:
            return known
        if known is None or known.bundle is not bundle:
            program = FeatureProgram(bundle.schema.names, bundle.slot.timeframe)
            held = SimpleNamespace(attrs={"definitions": program.hashes})
            check_definitions(held, bundle.schema.hashes)
        regimes = self._regimes(model)
        own = tuple(bundle.schema.names)
        more = () if regimes is None else tuple(n for n in COLUMNS if n not in own)
        made = Version(bundle, own, own + more, regimes, bundle.key, _mark(regimes), now)
        self._known[model] = made
        return made

    def _regimes(self, model: Model) -> RegimeConfidence | None:
        if not self._regime_aware:
            return None
        try:
            return model.regimes
        except EnsembleError as error:
            _log.warning("%s; confidences are told as they are", error)
            return None


def frame_of(
    latest: Latest, program: FeatureProgram, symbol: str | None, timeframe: str
) -> pd.DataFrame:
    """Return a bar's features as a frame, with what a feature manager notes on one."""
    index = pd.DatetimeIndex([utc(latest.ts_ms)], name="timestamp")
    frame = pd.DataFrame(latest.row[None], index=index, columns=list(program.names))
    frame.attrs = {"timeframe": timeframe, "definitions": program.hashes}
    if symbol is not None:
        frame.attrs["symbol"] = symbol
    return frame


def label_of(model: BaseModel) -> str:
    """Return a model's name with a digest of what it is made of now, its members' versions too."""
    told = json.dumps(dict(model.info), sort_keys=True, default=str).encode()
    return f"{model.name}:{blake2b(told, digest_size=8).hexdigest()}"


def learnt_on_simulated(model: BaseModel, home: Path | None) -> bool:
    """Return whether a model, or a member of it, was trained on a simulated market."""
    if not isinstance(model, EnsemblePredictor):
        return bool(model.info.get("simulated", False))
    for name in model.serving:
        try:
            if open_model(name, home=home).info.get("simulated", False):
                return True
        except ModelError:  # gone since: it answers no more
            continue
    return False


def _mark(regimes: RegimeConfidence | None) -> str:
    if regimes is None:
        return ""
    told = json.dumps(regimes.as_dict(), sort_keys=True, default=str).encode()
    return blake2b(told, digest_size=8).hexdigest()
