"""Decides who serves a slot: a pure function of verdicts, champion and gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from orchestration.lifecycle.errors import NoFooting
from orchestration.lifecycle.gates import (
    Contender,
    Incumbent,
    promotion_shortfalls,
    refresh_shortfalls,
    unproven,
)
from orchestration.ranker import best_first
from orchestration.rules import Gates


@dataclass(frozen=True)
class Decision:
    """Who serves from now on, and why.

    Attributes
    ----------
    action
        ``install`` a first champion, ``promote`` another recipe over it, ``refresh`` it by its own
        refit, ``keep`` it, ``hold`` it because it is pinned, or ``rollback`` a harmful one.
    champion, before, challenger
        Versions: who serves now, who served before (None at first), the best in shadow (None if
        there is none).
    statuses
        The status of every version that was looked at.
    sentence
        The decision in words, with the figures that made it.
    figures
        Every figure that was looked at, JSON-able; ``tenure`` and ``previous`` are read back by
        the next turn.
    """

    slot_key: str
    action: str
    champion: str
    before: str | None
    challenger: str | None
    statuses: dict[str, str]
    sentence: str
    figures: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class _Choice:
    action: str
    champion: str
    why: str


def decide(
    slot_key: str,
    contenders: Sequence[Contender],
    incumbent: Incumbent | None,
    gates: Gates,
) -> Decision:
    """Return who serves the slot from now on.

    Parameters
    ----------
    slot_key
        ``majors/direction/1m``.
    contenders
        Every version judged in this turn, the champion and the shadows in service included.
    incumbent
        The champion in service, None on a cold start.
    gates
        The thresholds.

    Raises
    ------
    NoFooting
        There is no champion and no sound baseline.
    """
    sound = [c for c in contenders if not c.faults]
    base = _baseline(sound)
    if incumbent is None:
        if base is None:
            raise NoFooting(
                f"{slot_key}: no champion and no sound baseline among {len(contenders)} versions; "
                "see the faults of this turn's versions and run the turn again"
            )
        choice = _install(sound, base, gates)
    else:
        choice = _succeed(sound, base, incumbent, gates)
    statuses, shadows = _statuses(contenders, choice, incumbent, base, gates)
    return Decision(
        slot_key=slot_key,
        action=choice.action,
        champion=choice.champion,
        before=incumbent.version if incumbent else None,
        challenger=shadows[0] if shadows else None,
        statuses=statuses,
        sentence=choice.why,
        figures=_figures(contenders, incumbent, choice, gates),
    )


def _baseline(sound: Sequence[Contender]) -> Contender | None:
    """Return the freshest sound baseline."""
    return max((c for c in sound if c.baseline), key=lambda c: c.version, default=None)


def _install(sound: Sequence[Contender], base: Contender, gates: Gates) -> _Choice:
    """Choose a first champion: the baseline is the one to beat, and serves if nothing does."""
    to_beat = Incumbent(base.version, base.recipe, baseline=True, tenure=gates.tenure_turns)
    rivals = [replace(c, z_champion=c.z) for c in sound]
    heir, why = _heir(rivals, to_beat, gates)
    if heir:
        return _Choice("install", heir.version, f"{heir.version} beats the baseline: {why}")
    return _Choice("install", base.version, f"the baseline {base.version} serves: {why}")


def _succeed(
    sound: Sequence[Contender], base: Contender | None, incumbent: Incumbent, gates: Gates
) -> _Choice:
    """Choose the successor of a champion in service."""
    name = incumbent.version
    if incumbent.pinned:
        return _Choice("hold", name, f"{name} is pinned and stays")
    heir, why = _heir(sound, incumbent, gates)
    if heir:
        return _Choice("promote", heir.version, f"{heir.version} replaces {name}: {why}")
    if incumbent.fallen:
        target = _rollback_target(sound, base, incumbent, gates)
        if target:
            said = f"{target} takes over from {name}: {incumbent.fallen}; {why}"
            return _Choice("rollback", target, said)
    refit = max(
        (c for c in sound if c.recipe == incumbent.recipe and c.status == "candidate"),
        key=lambda c: c.version,
        default=None,
    )
    if refit is None:
        return _Choice("keep", name, f"{name} stays: {why}")
    short = refresh_shortfalls(refit, gates)
    if short:
        return _Choice(
            "keep", name, f"{name} stays, its refit {refit.version} falls short: {_join(short)}"
        )
    tail = f"; {why}" if refit.baseline else f": {refit.figures()}"
    return _Choice("refresh", refit.version, f"{refit.version} refreshes {name}{tail}")


def _heir(
    sound: Sequence[Contender], incumbent: Incumbent, gates: Gates
) -> tuple[Contender | None, str]:
    """Return the best version that passes every gate, or None; and the reason either way."""
    rivals = [
        c
        for c in sound
        if not c.baseline
        and c.version != incumbent.version
        # A refit of the champion's own recipe is a refresh, unless the champion has fallen.
        and (c.recipe != incumbent.recipe or bool(incumbent.fallen))
    ]
    tries = len({c.recipe for c in rivals})
    short = {c.version: promotion_shortfalls(c, incumbent, gates, tries) for c in rivals}
    ranked = _ranked(rivals)
    for rival in ranked:
        if not short[rival.version]:
            return rival, rival.figures()
    if not ranked:
        return None, "nothing else was there to be promoted"
    best = ranked[0]
    return None, f"{best.version} ({best.figures()}) is no successor: {_join(short[best.version])}"


def _rollback_target(
    sound: Sequence[Contender], base: Contender | None, incumbent: Incumbent, gates: Gates
) -> str | None:
    """Return the previous champion where it is still proven, then the baseline."""
    for c in sound:
        if c.version == incumbent.previous and not c.baseline and not unproven(c, gates):
            return c.version
    return base.version if base else None


def _ranked(versions: Sequence[Contender]) -> list[Contender]:
    """Order versions, best first; one that says what the baseline says takes nobody's place."""
    by_version = {c.version: c for c in versions}
    rows = best_first(
        {"version": c.version, "lower": None if c.silent else c.lower} for c in versions
    )
    return [by_version[str(row["version"])] for row in rows]


def _statuses(
    contenders: Sequence[Contender],
    choice: _Choice,
    incumbent: Incumbent | None,
    base: Contender | None,
    gates: Gates,
) -> tuple[dict[str, str], list[str]]:
    """Return the status of every version, and the shadows in service, best first."""
    before = incumbent.version if incumbent else None
    status = {choice.champion: "champion"}
    learners = []
    for c in contenders:
        if c.version == choice.champion:
            continue
        if c.faults:
            status[c.version] = "refused" if c.status == "candidate" else "archived"
        elif c.baseline:
            status[c.version] = "baseline" if c is base else "superseded"
        elif c.version == before and choice.action == "refresh":
            status[c.version] = "superseded"
        elif c.version == before and incumbent and incumbent.drift == "HARM":
            status[c.version] = "archived"
        else:
            learners.append(c)
    shadows = _shadows(learners, choice, before, contenders, gates)
    for c in learners:
        status[c.version] = _place(c, choice, shadows, contenders, gates)
    return status, [c.version for c in shadows]


def _shadows(
    learners: Sequence[Contender],
    choice: _Choice,
    before: str | None,
    contenders: Sequence[Contender],
    gates: Gates,
) -> list[Contender]:
    """Return the learners that predict in shadow: the top ones, and the champion just replaced."""
    champion = next((c for c in contenders if c.version == choice.champion), None)
    places = gates.keep_top - (0 if champion is None or champion.baseline else 1)
    ranked = _ranked(learners)
    replaced = [c for c in ranked if c.version == before]
    others = [c for c in ranked if c.version != before]
    kept = {c.version for c in (replaced + others)[: max(places, len(replaced))]}
    return [c for c in ranked if c.version in kept]


def _place(
    c: Contender,
    choice: _Choice,
    shadows: Sequence[Contender],
    contenders: Sequence[Contender],
    gates: Gates,
) -> str:
    """Return the status of one learner that is not the champion."""
    if c in shadows:
        return "unproven" if unproven(c, gates) else "challenger"
    serving = {choice.champion, *(s.version for s in shadows)}
    fresher = [o for o in contenders if o.version in serving and o.recipe == c.recipe]
    return "superseded" if any(o.version > c.version for o in fresher) else "archived"


def _figures(
    contenders: Sequence[Contender], incumbent: Incumbent | None, choice: _Choice, gates: Gates
) -> dict[str, Any]:
    stays = incumbent is not None and choice.action in ("keep", "hold", "refresh")
    served = incumbent.tenure if incumbent is not None and stays else 0
    previous = incumbent.version if incumbent else None
    if incumbent is not None and stays:
        previous = incumbent.previous
    return {
        "tenure": served + 1,
        "previous": previous,
        "incumbent": asdict(incumbent) if incumbent else None,
        "gates": gates.model_dump(mode="json"),
        "contenders": [{**asdict(c), "faults": list(c.faults)} for c in contenders],
    }


def _join(reasons: Sequence[str]) -> str:
    return ", ".join(reasons[:-1]) + (" and " if len(reasons) > 1 else "") + reasons[-1]
