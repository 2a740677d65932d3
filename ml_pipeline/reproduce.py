"""Reproduce a version: gather its rows again, fit its recipe again, and compare the two to the bit.

===================== ============================================================================
``identical``         the same rows give the same graph, byte for byte, and the same head
``within tolerance``  the same rows; answers differ by less than export itself is allowed to
``different``         the same rows, and answers that differ by more
``other data``        the rows are not those it was fitted on; the message says where they part
===================== ============================================================================
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import hashes
from features.program import FeatureProgram
from market.timeframes import instant_ms
from ml_pipeline.bundling import library_versions
from ml_pipeline.errors import NotReproducible
from ml_pipeline.export import TOLERANCE, score
from ml_pipeline.fit import Fitted
from ml_pipeline.history import History
from ml_pipeline.lineage import differences, lineage, trimmed
from ml_pipeline.panel import Panel, build_panel
from ml_pipeline.refit import fit_again
from ml_pipeline.splits import TurnSplit
from models.common.bundle import Bundle
from models.common.bundle_checks import read_listed

Floats = NDArray[np.float64]

IDENTICAL, WITHIN, DIFFERENT, OTHER_DATA = (
    "identical", "within tolerance", "different", "other data",
)  # fmt: skip
_NEEDED = ("rows", "days", "candles_from", "holed", "recipe_spec", "data_hash", "window", "seed")
_HEAD_TOLERANCE = 1e-5  # relative
_OUTPUTS = {
    "direction": ("probability of UP",),
    "risk": ("probability of an event",),
    "price": ("expected log return", "scale of the log return"),
    "momentum": ("probability of accelerating",),
    "volatility": ("volatility of the next hour", "volatility of the next four hours"),
}


@dataclass(frozen=True)
class Reproduction:
    """What came of fitting a version again.

    Attributes
    ----------
    version
        Slot and version.
    verdict
        One of the words in the table above.
    simulated
        Whether it was fitted on a simulated market.
    data_hash, data_hash_now
        Of the rows read then and now.
    data_differs
        What differs between them, a sentence each.
    sha256, sha256_now
        Of ``model.onnx`` in the bundle and fitted now.
    head_equal
        Whether the parameters that make answers of its outputs are equal too.
    max_difference
        Largest absolute difference of each output, in the output's own unit.
    tolerance
        What counts as equal.
    compared_rows
        On how many rows.
    libraries
        Versions then and now of the libraries that differ.
    """

    version: str
    verdict: str
    simulated: bool
    data_hash: str
    data_hash_now: str
    sha256: str
    sha256_now: str
    head_equal: bool
    tolerance: float
    compared_rows: int
    max_difference: dict[str, float] = field(default_factory=dict)
    data_differs: tuple[str, ...] = ()
    libraries: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def byte_equal(self) -> bool:
        """Whether the graph is the same to the byte."""
        return self.sha256 == self.sha256_now

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        return {**asdict(self), "byte_equal": self.byte_equal, "sentence": self.sentence()}

    def sentence(self) -> str:
        """Say it in words."""
        market = " (simulated market)" if self.simulated else ""
        if self.verdict == IDENTICAL:
            return (
                f"{self.version}{market}: byte-equal. The same data ({self.data_hash[:12]}) and "
                f"recipe give the same model.onnx ({self.sha256[:12]}) again"
            )
        largest = ", ".join(f"{name} {d:.3g}" for name, d in self.max_difference.items())
        told = f"{self.version}{market}: not byte-equal. Largest difference on "
        told += f"{self.compared_rows:,} rows: {largest} (tolerance {self.tolerance:g})"
        if not self.head_equal:
            told += "; the head's parameters differ"
        if self.verdict == OTHER_DATA:
            where = "; ".join(self.data_differs)
            told += (
                f". The data are not those it was trained on: {self.data_hash[:12]} then, "
                f"{self.data_hash_now[:12]} now ({where})"
            )
        if self.libraries:
            listed = ", ".join(f"{n} {a} → {b}" for n, (a, b) in self.libraries.items())
            told += f". Other library versions: {listed}"
        return told


def reproduce(bundle: Bundle, history: History) -> Reproduction:
    """Fit the version in `bundle` again on the candles of `history`, and compare.

    Parameters
    ----------
    bundle
        A verified bundle, a baseline's too.
    history
        Candles of the source it was trained on, with its benchmark.

    Raises
    ------
    NotReproducible
        The bundle does not say what it was made of, names another source, reads features that
        mean something else now, or was made by a learner that this version does not have.
    SourceError, StoreError
        The candles cannot be had.
    FitError
        Too few rows are left to fit.
    """
    about = bundle.metadata
    _refuse(bundle, history)
    split = TurnSplit.from_dict(about["window"])
    panel = gather(bundle, history, split)
    found = lineage(panel, split, bundle.kind, bundle.schema.names)
    differs = differences(about, found)
    fitted = fit_again(about, panel, split)
    onnx = read_listed(bundle.folder, "model.onnx", bundle.checksums)
    rows = panel.rows(split.mask(panel, "selection"))
    return Reproduction(
        version=bundle.key,
        verdict=_verdict(bundle, onnx, fitted, rows, differs),
        simulated=bool(about["simulated"]),
        data_hash=about["data_hash"],
        data_hash_now=found["data_hash"],
        data_differs=tuple(differs),
        sha256=_sha256(onnx),
        sha256_now=_sha256(fitted.onnx),
        head_equal=fitted.head == about["head"],
        tolerance=TOLERANCE[bundle.kind],
        compared_rows=len(rows),
        max_difference=distance(bundle.kind, onnx, fitted.onnx, rows),
        libraries=_other_versions(about.get("library_versions", {})),
    )


def gather(bundle: Bundle, history: History, split: TurnSplit) -> Panel:
    """Return the rows that a version was fitted on, gathered as they were then.

    From the same first candle, because recursive features keep a last-digit memory of it; without
    the bars on which another model of that turn had no value; and to the last label it has read.
    """
    about, timeframe = bundle.metadata, bundle.slot.timeframe
    there = [name for name in about["holed"] if not hashes.missing((name,))]
    columns = tuple(dict.fromkeys([*bundle.schema.names, *there]))
    program = FeatureProgram(columns, timeframe)
    end = split.trained_through_ms

    def fetch(symbol: str, first_ms: int, last_ms: int) -> pd.DataFrame:
        return history.candles(symbol, timeframe, first_ms, last_ms)

    candles = {
        symbol: history.besides.join(
            fetch(symbol, instant_ms(first), end), symbol, timeframe, program.inputs, fetch
        )
        for symbol, first in about["candles_from"].items()
    }
    panel = build_panel(candles, timeframe, columns, partial(program.run, settled=True))
    return trimmed(panel, about["rows"])


def distance(kind: str, one: bytes, other: bytes, rows: Panel) -> dict[str, float]:
    """Return the largest difference of two graphs' answers on `rows`, by output and in its unit.

    Log variances are compared as volatilities.
    """
    answers = [score(onnx, rows) for onnx in (one, other)]
    if kind == "volatility":
        answers = [np.exp(answer / 2) for answer in answers]
    apart = np.abs(answers[0] - answers[1]).max(axis=0, initial=0.0)
    return dict(zip(_OUTPUTS[kind], apart.tolist(), strict=True))


def _verdict(
    bundle: Bundle, onnx: bytes, fitted: Fitted, rows: Panel, differs: Sequence[str]
) -> str:
    if differs:
        return OTHER_DATA
    head = bundle.metadata["head"]
    if onnx == fitted.onnx and fitted.head == head:
        return IDENTICAL
    apart = max(distance(bundle.kind, onnx, fitted.onnx, rows).values())
    near = apart <= TOLERANCE[bundle.kind] and _near(head, fitted.head)
    return WITHIN if near else DIFFERENT


def _near(one: Any, other: Any) -> bool:
    """Return whether two heads differ by rounding only."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_near(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_HEAD_TOLERANCE)
    return bool(one == other)


def _refuse(bundle: Bundle, history: History) -> None:
    about, source = bundle.metadata, history.source.name
    lacking = [name for name in _NEEDED if name not in about]
    if lacking:
        raise NotReproducible(
            f"{bundle.key} does not say what it was made of: its metadata lack "
            f"{', '.join(lacking)}; train it again"
        )
    if about["source"] != source:
        raise NotReproducible(
            f"{bundle.key} was trained on {about['source']}, these candles come from {source}; "
            "name its own with --source"
        )
    changed = hashes.changed(bundle.schema.hashes)
    if changed:
        raise NotReproducible(
            f"{bundle.key} reads features that mean something else now: {', '.join(changed)}; "
            "it can be reproduced by the version that trained it"
        )


def _other_versions(then: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    now = library_versions()
    return {
        name: (then.get(name, "none"), now.get(name, "none"))
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
