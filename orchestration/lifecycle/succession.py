"""Succession: which line serves next, and which of its versions; each way out in its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.judge.lines import BASELINE
from orchestration.judge.verdicts import Standing
from orchestration.lifecycle.gates import (
    Contender,
    Incumbent,
    promotion_shortfalls,
    recent_shortfalls,
    recovery_shortfalls,
    unproven,
    z_words,
)
from orchestration.lifecycle.instances import Instance, stale
from orchestration.ranker import best_first
from orchestration.rules import Gates


@dataclass(frozen=True)
class Choice:
    """Who serves: the action, the version, its line, and the reason in words."""

    action: str
    champion: str
    line: str
    why: str


@dataclass(frozen=True)
class Scene:
    """What a decision is made of: each line's instance and standing, the champion, the gates."""

    instances: Mapping[str, Instance]
    standings: Mapping[str, Standing]
    incumbent: Incumbent | None
    gates: Gates

    def standing(self, line: str) -> Standing:
        """Return how a line stands; one that has no ledger yet has proven nothing."""
        blank = Standing(line, line == BASELINE, reason="its line has no ledger yet")
        return self.standings.get(line, blank)

    def ranked(self) -> list[str]:
        """Return the learners' lines, best first by the lower bound of their skill on the ledger.

        One that says what the baseline says takes nobody's place.
        """
        rows = []
        for line, instance in self.instances.items():
            known = self.standing(line)
            lower = None if known.silent else known.lower
            if line != BASELINE:
                rows.append({"line": line, "version": instance.version.version, "lower": lower})
        return [str(row["line"]) for row in best_first(rows)]


def install(scene: Scene, base: Contender) -> Choice:
    """Choose a first champion: the baseline is the one to beat, and serves if nothing does."""
    tenure = scene.gates.tenure_turns
    to_beat = Incumbent(base.version, base.recipe, baseline=True, tenure=tenure)
    line, why = _heir(scene, to_beat)
    if line:
        heir = scene.instances[line].version
        return Choice("install", heir.version, line, f"{heir.version} beats the baseline: {why}")
    said = f"the baseline {base.version} serves: {why}"
    return Choice("install", base.version, BASELINE, said)


def succeed(scene: Scene, incumbent: Incumbent) -> Choice:
    """Choose the successor of a champion in service."""
    name, own = incumbent.version, scene.instances.get(incumbent.line)
    if incumbent.pinned:
        return Choice("hold", name, incumbent.line, f"{name} is pinned and stays")
    if choice := _mended(scene, incumbent, own):
        return choice
    line, why = _heir(scene, incumbent)
    if line:
        heir = scene.instances[line].version.version
        return Choice("promote", heir, line, f"{heir} replaces {name}: {why}")
    if incumbent.fallen:
        choice = _recover(scene, incumbent, own) or _roll_back(scene, incumbent, why)
        if choice:
            return choice
    if own is None or own.version.version == name:
        kept = f"; {own.why}" if own and own.why else ""
        return Choice("keep", name, incumbent.line, f"{name} is kept: {why}{kept}")
    version = own.version
    found = f": holdout {version.figures()}" if not version.baseline else ""
    said = f"{version.version} refreshes {name}{found}; {why}"
    return Choice("refresh", version.version, incumbent.line, said)


def _heir(scene: Scene, incumbent: Incumbent) -> tuple[str | None, str]:
    """Return the best line that passes every gate, or None; and the reason either way."""
    rivals = [line for line in scene.ranked() if line != incumbent.line]
    if not rivals:
        return None, "no other line was there to be promoted"
    short = {
        line: promotion_shortfalls(scene.standing(line), incumbent, scene.gates, len(rivals))
        + recent_shortfalls(scene.instances[line].version, scene.gates)
        + stale(line, scene.instances[line])
        for line in rivals
    }
    for line in rivals:
        if not short[line]:
            known = scene.standing(line)
            z = "" if incumbent.baseline else f", {z_words(known)} against its line"
            return line, f"{known.words()}{z}"
    best = rivals[0]
    return None, f"{best} ({scene.standing(best).words()}) is no successor: {_join(short[best])}"


def _mended(scene: Scene, incumbent: Incumbent, own: Instance | None) -> Choice | None:
    """Return the refit of a champion whose bytes broke, and not its line, where that is proven.

    Before any rival is asked: a broken file lowers nobody's gate.
    """
    fresh = own.fresh if own else None
    whole = not incumbent.broken or incumbent.drifted or incumbent.faded
    if fresh is None or fresh.baseline or whole:
        return None
    if unproven(scene.standing(incumbent.line), scene.gates):
        return None
    said = f"{fresh.version} takes the place of {incumbent.version}: {incumbent.fallen}"
    return Choice("refresh", fresh.version, incumbent.line, said)


def _recover(scene: Scene, incumbent: Incumbent, own: Instance | None) -> Choice | None:
    """Return the refit of a line in DRIFT, where its holdout proves that it may serve at once."""
    fresh = own.fresh if own else None
    if fresh is None or not incumbent.drifted:
        return None  # a line that has faded is not brought back by two days of holdout
    if recovery_shortfalls(fresh, scene.gates):
        return None
    said = (
        f"{fresh.version}, its refit, replaces {incumbent.version}: {incumbent.fallen}; holdout "
        f"{fresh.figures()}"
    )
    return Choice("promote", fresh.version, incumbent.line, said)


def _roll_back(scene: Scene, incumbent: Incumbent, why: str) -> Choice | None:
    """Return the previous champion's line where it is still proven, then the baseline."""
    before = incumbent.previous_line
    proven = (
        before in scene.instances
        and not unproven(scene.standing(str(before)), scene.gates)
        and not recent_shortfalls(scene.instances[str(before)].version, scene.gates)
    )
    line = before if proven and before not in (BASELINE, incumbent.line) else BASELINE
    target = scene.instances.get(str(line))
    if line is None or target is None:
        return None
    said = f"{target.version.version} takes over from {incumbent.version}: {incumbent.fallen}"
    return Choice("rollback", target.version.version, line, f"{said}; {why}")


def _join(reasons: Sequence[str]) -> str:
    return ", ".join(reasons[:-1]) + (" and " if len(reasons) > 1 else "") + reasons[-1]
