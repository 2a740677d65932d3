"""The pooled verdict: what no slot can tell alone, several of them can tell together.

Two pools of a scope and bar length:

* **hits**: the slots whose kind says up or down. Score and baseline's score are shares of hits,
  averaged over the slots at each bar, as the gains are.
* **all**: every slot, by its gain in units of the gain's own standard deviation over its record, so
  that no kind outweighs another. A calibrated forecaster right in ½ + e of cases gains about e
  standard deviations, so that the thresholds for hits serve here too.

The rules are those of one slot (`orchestration.drift.verdict.assess`), with the longest horizon of
the pool for the standard errors. A slot counts while a learner serves it and its record is as long
as a reference; bars count on which every such slot has an outcome, so that no slot joins or leaves
within a window. A pool of one slot says nothing that the slot itself does not, and is not judged.

A pooled verdict accuses no slot by name: DRIFT or HARM of a pool asks for retraining where the
slot's own score is below its own reference, and never demotes or rolls back. Its false alarms are
those of one slot, once per pool, not per slot: over 60 simulated weeks of four slots each, looked
at twice a day, .00 at one point over chance and .02 at two points with a daily wander of .0075.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from orchestration.drift.record import Track
from orchestration.drift.rules import Rules
from orchestration.drift.verdict import LEARNING, DriftVerdict, assess

HIT_KINDS = ("direction", "momentum")
"""Kinds that say up or down: their score is a share of hits."""

POOLS = ("hits", "all")


@dataclass(frozen=True)
class Member:
    """One slot of a pool: its record and the bars until its outcomes are known."""

    kind: str
    track: Track
    horizon_bars: int
    baseline: bool = False


def pooled(
    pool: str, members: Mapping[str, Member], step_ms: int, rules: Rules | None = None
) -> DriftVerdict:
    """Judge several slots as one.

    Parameters
    ----------
    pool
        ``hits`` or ``all``.
    members
        By slot.
    step_ms
        Length of a bar in milliseconds.
    rules
        Thresholds, as of one slot.

    Returns
    -------
    DriftVerdict
        Its figures hold ``slots``: who counted.
    """
    rules = rules or Rules()
    counted = {
        key: member
        for key, member in members.items()
        if not member.baseline
        and member.track.days(step_ms) >= rules.reference_days
        and (pool == "all" or member.kind in HIT_KINDS)
    }
    if len(counted) < 2:
        said = (
            f"a pool needs two slots served by a learner for {rules.reference_days:g} days; "
            f"there are {len(counted)}"
        )
        return DriftVerdict(LEARNING, (), said, {"bars": 0, "days": 0.0, "slots": list(counted)})
    track = together(list(counted.values()), standardised=pool == "all")
    horizon = max(member.horizon_bars for member in counted.values())
    verdict = assess(track, step_ms, horizon, rules)
    figures = verdict.figures | {"slots": list(counted)}
    return DriftVerdict(verdict.status, verdict.rules, verdict.sentence, figures)


def together(members: list[Member], *, standardised: bool) -> Track:
    """Return the mean record of several slots on the bars that all of them have."""
    ts = reduce(np.intersect1d, (member.track.ts for member in members))
    parts = [m.track.where(np.isin(m.track.ts, ts)) for m in members]
    if standardised:
        parts = [_in_deviations(part) for part in parts]
    gain, score, plain = (
        np.mean([getattr(part, name) for part in parts], axis=0)
        for name in ("gain", "score", "plain")
    )
    return Track(ts, gain, score, plain)


def _in_deviations(part: Track) -> Track:
    spread = float(part.gain.std()) if len(part) else 0.0
    gain = part.gain / spread if spread > 0 else np.zeros(len(part))
    return Track(part.ts, gain, gain, np.zeros(len(part)))
