"""Compose members into one model: one graph, one head, so that an ensemble is served as they are.

The members' graphs are copied whole into one graph that reads the union of their columns; the blend
of their outputs, in double precision, is its output, and the largest of their novelties its second.
Nothing outside is needed to answer: members may be deleted later, and none can be missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.blend_nodes import Blend, blend_nodes
from ml_pipeline.errors import ExportError, ParityError
from ml_pipeline.export import NOVELTY_TOLERANCE, score_and_novelty
from ml_pipeline.fit import Fitted
from ml_pipeline.onnx_graph import NOVELTY, OUTPUT, Graph
from ml_pipeline.panel import Panel
from ml_pipeline.splits import TurnSplit
from models.common.blending import METHODS, PROBABILITIES, blend_heads, shares
from models.common.errors import EnsembleError
from models.common.heads import make_head
from models.common.regimes import NAMES, Regimes

Floats = NDArray[np.float64]

ENSEMBLE = "ensemble"
"""Recipe name of composed models."""

TOLERANCE = 1e-6
"""Largest difference between the composed graph and the blend of its members' own answers, in the
output's unit or, where that is above one, as a share of it. What is found is float32 rounding:
3e-8 for probabilities, 1e-9 for returns, 5e-7 for ln RV² near −12."""

_LEAST_MEMBERS = 2
_PARITY_ROWS = 2048
_MOST_BYTES = 64 << 20


def compose(
    members: Mapping[str, Fitted],
    weights: Sequence[float] | Floats,
    method: str,
    panel: Panel,
    *,
    intercept: float | Sequence[float] = 0.0,
    logistic: bool = False,
    regimes: Regimes | None = None,
    windows: Mapping[str, TurnSplit] | None = None,
) -> Fitted:
    """Return one model that answers as the blend of `members` does.

    Parameters
    ----------
    members
        At least two fitted models of one kind, by version.
    weights
        One a member, >= 0, in the same order; [M, K] where they differ by output. Those of
        weighted means and votes are scaled to sum to one; stacking's are taken as they are.
    method
        ``weighted_avg``, ``voting`` or ``stacking``; see `models.common.blending.blend_raw`.
    panel
        Rows with all columns on which graph and blend are compared; labels are not read.
    intercept, logistic
        Of stacking only.
    regimes
        Edges, where the weights of a mean or vote are by regime: `weights` is then [9, M].
    windows
        By version, the slices a member was fitted on: what it takes to fit it again.

    Returns
    -------
    Fitted
        Of recipe ``ensemble``; its ``facts["ensemble"]`` says what it is made of:
        ``method``, ``weights`` as given, ``members`` (version, recipe, weight, spec, window),
        ``intercept``, ``logistic``, and ``regimes``, its edges, where there are any.

    Raises
    ------
    ExportError
        When the members do not fit together; the message says why.
    ParityError
        When the graph differs from the blend by more than `TOLERANCE`.
    """
    kind = _kind_of(members)
    table = _checked(weights, len(members), kind, method, regimes)
    if regimes is None:
        blend = Blend(kind, method, table, intercept, logistic)
    else:
        mean = table.mean(axis=0)[:, None]
        blend = Blend(kind, method, mean, regimes=regimes, by_regime=table)
    fitted = list(members.values())
    columns = _union([*(one.columns for one in fitted), regimes.columns if regimes else ()])
    onnx = _graph(blend, fitted, columns)
    if len(onnx) > _MOST_BYTES:
        raise ExportError(
            f"the composed graph has {len(onnx) >> 20} MiB, and a bundle's {_MOST_BYTES >> 20} "
            "MiB at most; compose fewer or smaller members"
        )
    step = max(len(panel) // _PARITY_ROWS, 1)
    return Fitted(
        kind=kind,
        recipe=ENSEMBLE,
        baseline=False,
        onnx=onnx,
        head=_head(kind, fitted, blend.weights),
        columns=columns,
        parity=_parity(blend, fitted, onnx, panel.rows(slice(0, None, step))),
        importance=_importance(fitted, blend.weights),
        facts=_facts(fitted) | {ENSEMBLE: _made(members, blend, weights, windows or {})},
    )


def ensemble_hash(facts: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of how an ensemble blends, whichever versions its members are.

    `facts` is what `Fitted.facts` of a composed model holds under ``ensemble``.
    """
    changing = ("version", "window")
    members = [{k: v for k, v in one.items() if k not in changing} for one in facts["members"]]
    content = json.dumps({**facts, "members": members}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def told_members(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return version, recipe and weight of each member, as a bundle's metadata list them."""
    return [{k: one[k] for k in ("version", "recipe", "weight")} for one in facts["members"]]


def _kind_of(members: Mapping[str, Fitted]) -> str:
    if len(members) < _LEAST_MEMBERS:
        raise ExportError(f"{len(members)} member is no ensemble; compose at least two")
    kinds = {one.kind for one in members.values()}
    if len(kinds) > 1:
        raise ExportError(
            f"members are of {len(kinds)} kinds, {', '.join(sorted(kinds))}: their outputs mean "
            "different things; compose one kind, or keep them in an EnsemblePredictor"
        )
    return kinds.pop()


def _checked(
    weights: Sequence[float] | Floats, count: int, kind: str, method: str, regimes: Regimes | None
) -> Floats:
    """Return weights [M, K] or [M, 1], or by regime [9, M]; those of means sum to one."""
    table = np.asarray(weights, dtype=np.float64)
    votes = kind in PROBABILITIES or method != "voting"
    if method not in METHODS or not votes or (regimes and method == "stacking"):
        by = " by regime" if regimes else ""
        raise ExportError(f"{kind} models cannot be blended by {method!r}{by}")
    fits = table.shape == (len(NAMES), count) if regimes else len(table) == count
    if table.ndim not in (1, 2) or not fits:
        raise ExportError(
            f"{count} members need as many weights{', by regime' if regimes else ''}; got shape "
            f"{table.shape}"
        )
    if not np.isfinite(table).all() or (table < 0).any() or not table.any():
        raise ExportError(f"weights must be >= 0 and not all 0, got {table.tolist()}")
    if regimes is not None:
        return shares(table.T).T
    table = table.reshape(count, -1)
    return table if method == "stacking" else shares(table)


def _union(columns: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in columns for name in names))


def _graph(blend: Blend, members: Sequence[Fitted], columns: tuple[str, ...]) -> bytes:
    graph = Graph(columns)
    ports = [graph.graft(one.onnx, one.columns) for one in members]
    novelties = [port[NOVELTY] for port in ports if NOVELTY in port]
    output = blend_nodes(graph, blend, [port[OUTPUT] for port in ports])
    novelty = graph.add("Max", *dict.fromkeys(novelties)) if novelties else None
    width = make_head(blend.kind, members[0].head).width
    return graph.to_bytes(output, width, novelty)


def _head(kind: str, members: Sequence[Fitted], weights: Floats) -> dict[str, Any]:
    """Return the blended parameters of the heads, those of the figures among them.

    What all members agree on stays to the digit: an event is the same event for all of them.
    """
    try:
        mixed = blend_heads([make_head(kind, one.head) for one in members], weights)
    except EnsembleError as error:
        raise ExportError(f"{kind} members cannot be composed: {error}") from error
    share = shares(weights.mean(axis=1))
    head: dict[str, Any] = {}
    for name, first in members[0].head.items():
        values = [one.head.get(name) for one in members]
        if all(value == first for value in values):
            head[name] = first
        elif hasattr(mixed, name):
            head[name] = np.asarray(getattr(mixed, name)).tolist()
        elif None not in values:
            head[name] = float(share @ np.asarray(values, dtype=np.float64))
    return head


def _parity(blend: Blend, members: Sequence[Fitted], onnx: bytes, rows: Panel) -> float:
    """Return the largest difference of the output between graph and members; check novelty too."""
    said = [score_and_novelty(one.onnx, rows) for one in members]
    output, novelty = score_and_novelty(onnx, rows)
    where = None if blend.regimes is None else rows.columns(blend.regimes.columns)
    difference = _apart(output, blend(np.stack([raw for raw, _ in said]), where))
    checks = [("output", difference, TOLERANCE)]
    if novelty is not None:
        strangest = np.max([far for _, far in said if far is not None], axis=0)
        checks.append(("novelty", _apart(novelty, strangest), NOVELTY_TOLERANCE))
    for what, found, limit in checks:
        if not found <= limit:
            raise ParityError(
                f"the {what} of the composed {blend.kind} graph differs from the blend of its "
                f"members by {found:.3g} (limit {limit:g}) on {len(rows)} rows; it was not exported"
            )
    return difference


def _apart(one: Floats, other: Floats) -> float:
    return float((np.abs(one - other) / np.maximum(np.abs(other), 1.0)).max())


def _importance(members: Sequence[Fitted], weights: Floats) -> dict[str, float]:
    """Return each learnt column's share: the members' by their weights."""
    total: dict[str, float] = {}
    for one, share in zip(members, shares(weights.mean(axis=1)), strict=True):
        for name, part in one.importance.items():
            total[name] = total.get(name, 0.0) + float(share) * part
    whole = sum(total.values()) or 1.0
    return {name: part / whole for name, part in total.items()}


def _facts(members: Sequence[Fitted]) -> dict[str, Any]:
    """Return the figures of the fit that members have in common, or the largest."""
    facts: dict[str, Any] = {
        name: max(one.facts[name] for one in members)
        for name in ("training_rows", "calibration_rows")
    }
    first = members[0].facts
    return facts | {name: first[name] for name in ("baseline_is", "novel_share") if name in first}


def _made(
    members: Mapping[str, Fitted],
    blend: Blend,
    weights: Sequence[float] | Floats,
    windows: Mapping[str, TurnSplit],
) -> dict[str, Any]:
    """Return what it is made of, and what it takes to make it again."""
    listed = [
        {"version": version, "recipe": one.recipe, "weight": _plain(weight), "spec": one.spec}
        | ({"window": windows[version].as_dict()} if version in windows else {})
        for (version, one), weight in zip(members.items(), blend.weights, strict=True)
    ]
    return {
        "method": blend.method,
        "weights": np.asarray(weights, dtype=np.float64).tolist(),
        "members": listed,
        "intercept": np.asarray(blend.intercept).tolist(),
        "logistic": blend.logistic,
        **({"regimes": blend.regimes.as_dict()} if blend.regimes is not None else {}),
    }


def _plain(weight: Floats) -> float | list[float]:
    return float(weight[0]) if len(weight) == 1 else [float(one) for one in weight]
