"""Confidence by regime of what serves a slot: learnt from its line, kept where it is better."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, utc
from ml_pipeline.panel import Panel
from ml_pipeline.tasks import TASKS
from models.common.errors import EnsembleError
from models.common.files import replace_file
from models.common.heads import make_head
from models.common.regimes import COLUMNS, NAMES, RegimeConfidence, Regimes, regimes_path
from orchestration.ensembles.regimes import Learnt, Told, learn
from orchestration.judge.lines import Line, Lines, as_panel, lines_of
from orchestration.service.data import split_of
from orchestration.service.refs import Dataset, Json, TurnRef
from orchestration.service.resources import source_of, store_of

Floats = NDArray[np.float64]

CLOSE_FACTOR = 1.25
"""A volatility came as forecast if it came within this factor."""


def learn_regimes(turn: TurnRef, kind: str, data: Dataset, line: str) -> Json:
    """Learn how much the confidence of what serves is worth by regime, and keep it if it is better.

    Parameters
    ----------
    line
        The line that serves.

    Returns
    -------
    dict
        ``line``, ``used``, ``why`` and the figures of `orchestration.ensembles.regimes.Learnt`;
        ``kept``, what `RegimeConfidence` keeps, None where it is not used.
    """
    path = regimes_path(turn.settings.models_dir, turn.slot(kind))
    panel = Panel.load(data.folder)
    edges = edges_of(turn, kind, panel)
    if edges is None:
        found = Learnt((), (), used=False, why="the features that tell the regime are not there")
    else:
        found = _learnt(turn, kind, panel, line, edges)
    kept = None
    if edges is not None and found.used:
        about = {"slot": turn.slot(kind).key, "line": line, **_about(turn, found)}
        kept = RegimeConfidence(edges, found.slopes, found.shifts, about)
        replace_file(path, (json.dumps(kept.as_dict(), indent=1) + "\n").encode())
    else:
        path.unlink(missing_ok=True)
    return {**found.as_dict(), "line": line, "kept": kept.as_dict() if kept else None}


def edges_of(turn: TurnRef, kind: str, panel: Panel) -> Regimes | None:
    """Return regimes whose edges are those of the training rows.

    None where no recipe of the turn reads the features that tell them, or too few rows have them.
    """
    if any(name not in panel.names for name in COLUMNS):
        return None
    trained = panel.rows(split_of(turn, panel, kind).mask(panel, "train"))
    try:
        return Regimes.fit(trained.columns(COLUMNS))
    except EnsembleError:
        return None


def _learnt(turn: TurnRef, kind: str, panel: Panel, line: str, edges: Regimes) -> Learnt:
    settings, slot, store = turn.settings, turn.slot(kind), store_of(turn.settings)
    since = max(turn.at_ms - int(settings.gates.window_days * DAY_MS), int(panel.ts[0]))
    rows = store.ledger(slot.key, since_ms=since, until_ms=turn.at_ms)
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    lines = lines_of(slot, rows, models)
    told = told_of(lines, lines.lines.get(line), regimes_of(lines, panel, edges))
    if told is None:
        return Learnt((), (), used=False, why=f"{line} has no ledger yet")
    gates = settings.gates
    return learn(told, gates.z_learnt, gates.least_days, full_days=gates.ledger_days)


def regimes_of(lines: Lines, panel: Panel, edges: Regimes) -> NDArray[np.int64]:
    """Return the regime of each bar of the lines' grid, int64 [T, S]; -1 where it is not known."""
    found = np.full((len(lines.ts), len(lines.symbols)), -1, dtype=np.int64)
    parts = edges.of(panel.columns(COLUMNS))
    for k, symbol in enumerate(lines.symbols):
        if symbol not in panel.symbols:
            continue
        own = np.flatnonzero(panel.symbol == panel.symbols.index(symbol))
        _, here, there = np.intersect1d(lines.ts, panel.ts[own], True, True)
        found[here, k] = parts[own[there]]
    return found


def told_of(lines: Lines, line: Line | None, regimes: NDArray[np.int64]) -> Told | None:
    """Return what a line was confident of and whether it came; None where it said nothing.

    Of direction and momentum the probability, of risk that of the event; of a price that the sign
    of its return is right; of a volatility that it comes within `CLOSE_FACTOR`.
    """
    if line is None or not line.known.any():
        return None
    kind, known = lines.slot.kind, line.known
    rows = as_panel(lines.slot, lines.outcome[known])
    raw, y = line.raw[known], TASKS[kind].y(rows, lines.heads[-1])
    chance, came = raw[:, 0], y[:, 0]
    said = np.ones(len(raw), dtype=bool)
    if kind == "price":
        chance = _confidence(lines, line)
        came, said = (np.sign(raw[:, 0]) == np.sign(y[:, 0])).astype(np.float64), raw[:, 0] != 0
    if kind == "volatility":
        chance = _confidence(lines, line)
        came = (np.abs(y[:, 0] - raw[:, 0]) / 2 < np.log(CLOSE_FACTOR)).astype(np.float64)
    ts = np.broadcast_to(lines.ts[:, None], known.shape)[known]
    return Told(
        timeframe=lines.slot.timeframe,
        horizon=TASKS[kind].horizon_bars(lines.slot.timeframe),
        ts=ts[said],
        chance=chance[said],
        came=came[said],
        regime=regimes[known][said],
        count=len(NAMES),
        shifted=kind in ("risk", "volatility"),
    )


def _confidence(lines: Lines, line: Line) -> Floats:
    """Return the confidence that was served with each row, each version's by its own head."""
    raw, version = line.raw[line.known], line.version[line.known]
    found = np.empty(len(raw))
    for k in np.unique(version):
        own = version == k
        answer: Mapping[str, Any] = make_head(lines.slot.kind, lines.heads[k]).decode(
            raw[own], None
        )
        found[own] = answer["confidence"]
    return found


def _about(turn: TurnRef, found: Learnt) -> Json:
    """Return what the file says of where its numbers come from."""
    return {
        "turn": turn.turn_id,
        "until": utc(turn.at_ms).isoformat(),
        "simulated": source_of(turn.settings).simulated,
        "rows": found.rows,
        "gain": found.gain,
        "z": found.z,
    }
