"""What each way to blend would have said, turn by turn: weights from what was known, losses after.

At each turn members, weights and method are chosen from the ledger rows whose outcome was known
when the turn's holdout opened, by the very functions that a turn calls. They are scored on the next
half day, which none of them has seen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.tasks import TASKS
from orchestration.ensembles import ENSEMBLE, Choice, blended, pick
from orchestration.judge.lines import BASELINE, Lines
from orchestration.rules import Gates
from orchestration.service.composing import candidate, evidence_of, weighed_by

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Part = tuple[Lines, Ints]

HOUR_MS = 3_600_000
BEST, CHOSEN = "best member", "as chosen"


@dataclass
class Walked:
    """What was said after each turn, row by row.

    Attributes
    ----------
    turns, none, on
        Turns, those without an ensemble, and those whose gate opened.
    methods, why
        How often each method was chosen, and each reason for a gate that stayed shut or a turn
        without an ensemble.
    ts, symbol
        Of the rows that were scored, in order of time.
    open
        Whether the gate was open then, of each row.
    loss
        By what said it: a method, `BEST`, `CHOSEN`, the baseline.
    """

    turns: int = 0
    none: int = 0
    on: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    members: Counter[str] = field(default_factory=Counter)
    ts: list[NDArray[np.int64]] = field(default_factory=list)
    symbol: list[NDArray[np.int64]] = field(default_factory=list)
    open: list[NDArray[np.bool_]] = field(default_factory=list)
    loss: dict[str, list[Floats]] = field(default_factory=dict)

    def column(self, name: str) -> Floats:
        """Return the losses of what is called `name`, float64 [n]."""
        return np.concatenate(self.loss[name])


def walk(
    lines: Lines, regimes: Ints, gates: Gates, warm_days: float, hours: float, seed: int = 0
) -> Walked:
    """Walk along the ledger of one slot, a turn every `hours` hours.

    Parameters
    ----------
    lines
        All lines on all bars.
    regimes
        Of each bar, int64 [T, S].
    gates
        The thresholds, and how far back a turn looks.
    warm_days
        Days at the beginning without a turn.
    """
    done, length = Walked(), int(hours * HOUR_MS)
    wait = (_horizon(lines) + 1) * timeframe_ms(lines.slot.timeframe)
    first = -(-(int(lines.ts[0]) + int(warm_days * DAY_MS)) // length) * length
    for at in range(first, int(lines.ts[-1]) + 1, length):
        since = at - int(gates.window_days * DAY_MS)
        known = part(lines, regimes, since, at - wait + 1)
        _turn(done, known, part(lines, regimes, at, at + length), gates, seed)
    return done


def _turn(done: Walked, before: Part, then: Part, gates: Gates, seed: int) -> None:
    done.turns += 1
    (known, regimes), (after, ahead_of) = before, then
    names = [name for name in sorted(known.lines) if name not in (BASELINE, ENSEMBLE)]
    able = [candidate(known, name) for name in names]
    found = pick(able, gates.least_days)
    if not found.lines:
        done.none += 1
        done.why["fewer than two lines had shown skill"] += 1
        return
    walked, choice = weighed_by(gates, evidence_of(known, found.lines, regimes), seed)
    done.methods[choice.method] += 1
    done.members.update(found.lines)
    done.on += choice.gate.active
    if not choice.gate.active:
        done.why[_reason(choice)] += 1
    ahead = evidence_of(after, found.lines, ahead_of)
    if not len(ahead.ts):
        return
    said = {name: blended(ahead, name, weights) for name, weights in walked.weights.items()}
    loss = {name: ahead.losses(raw) for name, raw in said.items()}
    single = dict(zip(found.lines, ahead.member_losses(), strict=True))
    loss |= {CHOSEN: loss[choice.method], BEST: single[walked.leader], BASELINE: ahead.base}
    done.ts.append(ahead.ts)
    done.symbol.append(_symbols(after, found.lines))
    done.open.append(np.full(len(ahead.ts), choice.gate.active))
    for name, values in loss.items():
        done.loss.setdefault(name, []).append(values)


def _symbols(lines: Lines, members: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the symbol of each row of `evidence_of`."""
    known = np.logical_and.reduce([lines.lines[k].known for k in (*members, BASELINE)])
    place = np.broadcast_to(np.arange(len(lines.symbols)), known.shape)
    return np.asarray(place[known], dtype=np.int64)


def _reason(choice: Choice) -> str:
    if choice.lower is None:
        return "too short a ledger"
    if not choice.lower > 0:
        return "the lower bound of its skill was not above 0"
    return "it lost to its best member"


def part(lines: Lines, regimes: Ints, since_ms: int, until_ms: int) -> Part:
    """Return the bars opened in ``[since_ms, until_ms)`` alone."""
    a, b = np.searchsorted(lines.ts, [since_ms, until_ms])
    some = replace(
        lines,
        ts=lines.ts[a:b],
        outcome=lines.outcome[a:b],
        lines={
            name: replace(
                line,
                loss=line.loss[a:b],
                raw=line.raw[a:b],
                version=line.version[a:b],
                live=line.live[a:b],
            )
            for name, line in lines.lines.items()
        },
    )
    return some, regimes[a:b]


def _horizon(lines: Lines) -> int:
    return TASKS[lines.slot.kind].horizon_bars(lines.slot.timeframe)
