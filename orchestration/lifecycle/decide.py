"""Decides who serves a slot: a pure function of the ledger's verdicts, the champion and the gates.

A *line* is promoted, by its ledger; the *version* that serves for it is its instance, by the
holdout. Nothing is fitted between verdict and service.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from orchestration.ensembles import ENSEMBLE
from orchestration.judge.lines import BASELINE
from orchestration.judge.verdicts import Standing
from orchestration.lifecycle.errors import NoFooting
from orchestration.lifecycle.gates import (
    Contender,
    Incumbent,
    faded,
    promotion_shortfalls,
    recent_shortfalls,
    unproven,
    z_needed,
)
from orchestration.lifecycle.instances import instances_of, stale
from orchestration.lifecycle.retiring import Memory, put_to_rest, remember, retired
from orchestration.lifecycle.succession import Choice, Scene, install, succeed
from orchestration.rules import Gates


@dataclass(frozen=True)
class Decision:
    """Who serves from now on, and why.

    Attributes
    ----------
    action
        ``install`` a first champion, ``promote`` another line over it, ``refresh`` it by its own
        refit, ``keep`` it, ``hold`` it because it is pinned, or ``rollback`` one that has fallen.
    champion, before, challenger
        Versions: who serves now, who served before (None at first), the best in shadow (None if
        there is none).
    statuses
        The status of every version that was looked at.
    sentence
        The decision in words, with the figures that made it.
    figures
        Every figure that was looked at, JSON-able; ``tenure``, ``previous`` and ``memory`` are read
        back by the next turn; ``fell`` says that the champion before lost its place by drift.
    """

    slot_key: str
    action: str
    champion: str
    before: str | None
    challenger: str | None
    statuses: dict[str, str]
    sentence: str
    figures: dict[str, Any] = field(repr=False)


def decide(
    slot_key: str,
    contenders: Sequence[Contender],
    standings: Mapping[str, Standing],
    incumbent: Incumbent | None,
    gates: Gates,
    memory: Memory | None = None,
    unnamed: Collection[str] = (),
    members: Collection[str] = (),
) -> Decision:
    """Return who serves the slot from now on.

    Parameters
    ----------
    slot_key
        ``majors/direction/1m``.
    contenders
        Every version judged in this turn, the champion and the shadows in service included.
    standings
        How each line stands by the ledger, paired with the champion's line (with the baseline's
        where there is no champion yet).
    incumbent
        The champion in service, None on a cold start.
    gates
        The thresholds.
    memory
        What the last decision in this slot left; nothing on a cold start.
    unnamed
        Recipes that nobody fits any more: what is left of them in shadow is archived. A champion
        stays until another takes its place.
    members
        Lines that the slot's ensemble is composed of. While it serves, none of them is archived:
        without them it could not be refitted.

    Raises
    ------
    NoFooting
        There is no champion and no sound baseline.
    """
    if incumbent is not None and incumbent.line in standings:
        incumbent = replace(incumbent, faded=faded(standings[incumbent.line], gates))
    instances = instances_of(contenders, incumbent, gates)
    serving = incumbent.line if incumbent else None
    dropped = sorted(line for line in instances if line in unnamed and line != serving)
    kept = {line: one for line, one in instances.items() if line not in dropped}
    scene = Scene(kept, standings, incumbent, gates)
    base = scene.instances.get(BASELINE)
    if incumbent is not None:
        choice = succeed(scene, incumbent)
    elif base is not None:
        choice = install(scene, base.version)
    else:
        raise NoFooting(
            f"{slot_key}: no champion and no sound baseline among {len(contenders)} versions; "
            "see the faults of this turn's versions and run the turn again"
        )
    counts = remember(scene.ranked(), _all(scene), memory or Memory(), gates)
    needed = members if choice.line == ENSEMBLE else ()
    gone = retired(counts, [choice.line, *_replaced(choice, incumbent), *needed], gates)
    counts = put_to_rest(counts, list(gone), gates)
    gone |= dict.fromkeys(dropped, "the setting recipes does not name it any more")
    statuses = {choice.champion: "champion"}
    statuses |= {c.version: _status(c, choice, scene, gone) for c in contenders}
    shadows = [
        scene.instances[line].version.version
        for line in scene.ranked()
        if line not in gone and line != choice.line
    ]
    left = "".join(f"; {line} is archived, {why}" for line, why in gone.items())
    return Decision(
        slot_key=slot_key,
        action=choice.action,
        champion=choice.champion,
        before=incumbent.version if incumbent else None,
        challenger=shadows[0] if shadows else None,
        statuses=statuses,
        sentence=choice.why + left,
        figures=_figures(contenders, scene, choice, counts, gone),
    )


def _all(scene: Scene) -> dict[str, Standing]:
    return {line: scene.standing(line) for line in scene.instances}


def _replaced(choice: Choice, incumbent: Incumbent | None) -> list[str]:
    """Return the line that has just been replaced: the way back."""
    return [incumbent.line] if incumbent and incumbent.line != choice.line else []


# ------------------------------------------------------------------ what becomes of the others


def _status(c: Contender, choice: Choice, scene: Scene, gone: Mapping[str, str]) -> str:
    """Return the status of one version."""
    if c.version == choice.champion:
        return "champion"
    if c.faults:
        return "refused" if c.fresh else "archived"
    if c.line not in scene.instances:
        return "archived"
    instance = scene.instances[c.line].version
    if c.line == choice.line or c.version != instance.version:
        # Beside a champion no other version of its line speaks.
        return "superseded"
    if c.baseline:
        return "baseline"
    if c.line in gone:
        return "archived"
    return "unproven" if unproven(scene.standing(c.line), scene.gates) else "challenger"


# ------------------------------------------------------------------ what is written down


def _figures(
    contenders: Sequence[Contender],
    scene: Scene,
    choice: Choice,
    counts: Memory,
    gone: Mapping[str, str],
) -> dict[str, Any]:
    incumbent = scene.incumbent
    stays = incumbent is not None and choice.action in ("keep", "hold", "refresh")
    served = incumbent.tenure if incumbent is not None and stays else 0
    return {
        "tenure": served + 1,
        "previous": _previous(choice, incumbent, stays=stays),
        "fell": bool(incumbent and incumbent.drifted and choice.champion != incumbent.version),
        "incumbent": asdict(incumbent) if incumbent else None,
        "gates": scene.gates.model_dump(mode="json"),
        "lines": _lines(scene, choice, gone),
        "memory": asdict(counts),
        "contenders": [{**asdict(c), "faults": list(c.faults)} for c in contenders],
    }


def _previous(choice: Choice, incumbent: Incumbent | None, *, stays: bool) -> str | None:
    """Return the way back from the new champion."""
    if incumbent is None:
        return None
    if stays or choice.line == incumbent.line:  # a version that fell is no way back from its refit
        return incumbent.previous
    if choice.action == "rollback":  # what was left behind is no place to go back to
        return None
    return incumbent.version


def _lines(scene: Scene, choice: Choice, gone: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return every line's figures, with its rank, what was needed of it, and what it lacked."""
    ranked = scene.ranked()
    to_beat = scene.incumbent or Incumbent(
        choice.champion, BASELINE, baseline=True, tenure=scene.gates.tenure_turns
    )
    rivals = [line for line in ranked if line != to_beat.line]
    rows = []
    for line in [*ranked, *(line for line in scene.instances if line == BASELINE)]:
        known, one = scene.standing(line), scene.instances[line]
        rows.append(
            {
                **asdict(known),
                "line": line,
                "rank": ranked.index(line) + 1 if line in ranked else None,
                "version": one.version.version,
                "z_needed": _needed(known, to_beat, scene.gates, len(rivals))
                if line in rivals
                else None,
                "lacks": promotion_shortfalls(known, to_beat, scene.gates, len(rivals))
                + recent_shortfalls(one.version, scene.gates)
                + stale(line, one)
                if line in rivals
                else [],
                "archived": gone.get(line),
            }
        )
    return rows


def _needed(known: Standing, to_beat: Incumbent, gates: Gates, tries: int) -> float | None:
    fallen = bool(to_beat.fallen)
    if known.days_champion <= 0 and not fallen:
        return None
    return z_needed(known.days_champion, gates, tries, fallen=fallen)
