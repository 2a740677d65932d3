"""The gates a line or a version must pass, each a pure function that names what falls short."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from orchestration.judge.lines import BASELINE
from orchestration.judge.verdicts import Standing
from orchestration.lifecycle.calibrated import Proof, miscalibrated
from orchestration.rules import Gates

DRIFTED = ("DRIFT", "HARM")


@dataclass(frozen=True)
class Contender:
    """A version that was judged on the holdout: a fresh candidate, or one in service.

    Parameters
    ----------
    version, recipe, baseline, status
        Who it is; a fresh one has the status ``candidate``.
    skill, lower, upper, z, n, effective_n
        Verdict against the fresh baseline of the slot on the holdout; None where it could not be
        given. `n` counts rows, `effective_n` what they are worth as independent ones.
    z_champion, z_elder
        Paired z on the holdout against the champion in service, and against the version of its own
        line in service, on rows that neither has seen; None if there are none, or it is that one.
    metrics
        Other figures on the same rows.
    faults
        What its integrity check found; empty for a sound version.
    """

    version: str
    recipe: str
    baseline: bool
    status: str
    skill: float | None = None
    lower: float | None = None
    upper: float | None = None
    z: float | None = None
    n: int = 0
    effective_n: float = 0.0
    z_champion: float | None = None
    z_elder: float | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The line it belongs to."""
        return BASELINE if self.baseline else self.recipe

    @property
    def sure_lower(self) -> float | None:
        """Lower bound of its skill as gates ask it: two days of holdout have no other."""
        return self.lower

    @property
    def fresh(self) -> bool:
        """Whether it was fitted in this turn and never served."""
        return self.status == "candidate"

    def figures(self) -> str:
        """Return the verdict in a few words."""
        if self.skill is None or self.lower is None or self.upper is None or self.z is None:
            return "no verdict"
        return (
            f"skill {self.skill:+.4f} [{self.lower:+.4f}, {self.upper:+.4f}], "
            f"z {self.z:.2f}, n {self.n:,}"
        )


@dataclass(frozen=True)
class Incumbent:
    """The champion in service before the decision.

    Parameters
    ----------
    tenure
        Turns its recipe has served without being replaced by another.
    drift
        Its drift verdict of this turn: OK, WARN, DRIFT, HARM or LEARNING.
    previous, previous_line
        The champion before it and its line, the first choice for a rollback.
    broken
        Why its bundle cannot serve; empty for a sound one.
    faded
        Why its line has lost its place by the ledger; empty if it has not.
    """

    version: str
    recipe: str
    baseline: bool
    pinned: bool = False
    tenure: int = 0
    drift: str = "LEARNING"
    previous: str | None = None
    previous_line: str | None = None
    broken: str = ""
    faded: str = ""

    @property
    def line(self) -> str:
        """The line it belongs to."""
        return BASELINE if self.baseline else self.recipe

    @property
    def drifted(self) -> bool:
        """Whether what it served shows that its skill is gone; a baseline has none to lose."""
        return self.drift in DRIFTED and not self.baseline

    @property
    def fallen(self) -> str:
        """Why it can no longer serve; empty if it can."""
        if self.broken:
            return f"its bundle is broken ({self.broken})"
        if self.drifted:
            return f"the ledger says {self.drift}"
        return self.faded


def faded(line: Standing, gates: Gates) -> str:
    """Say why a champion's line has lost its place; empty if it has not, or is too young to tell.

    What luck has promoted shows no fall afterwards, as there was nothing to fall from. But the
    window of the ledger moves on, and leaves the luck behind.
    """
    z = line.sure_z
    if line.baseline or z is None or line.days < gates.ledger_days or z >= gates.z_keep:
        return ""
    return (
        f"its line is no better than the baseline's, z {z:.2f} on {line.days:.1f} days, "
        f"{gates.z_keep:g} needed to stay"
    )


def unproven(proof: Proof, gates: Gates) -> list[str]:
    """Say why skill over the baseline is not proven; empty if it is."""
    lower = proof.sure_lower
    if lower is None or math.isnan(lower):
        return ["there are too few unseen rows for a verdict"]
    if not lower > gates.skill_above:
        return [f"the lower bound of its skill, {lower:+.4f}, is not above {gates.skill_above:g}"]
    return []


def z_of_many(z: float, tries: int) -> float:
    """Return the z asked of each of `tries` equals, so that any passes as seldom as one at `z`.

    Šidák (1967, JASA 62:626). Exact for independent tries; recipes that learn from the same rows
    are not, so their chance together is smaller still.

    Examples
    --------
    >>> round(z_of_many(1.64, 1), 3), round(z_of_many(1.64, 4), 3)
    (1.64, 2.23)
    """
    alone = NormalDist().cdf(-z)
    if tries <= 1 or alone <= 0.0:
        return z
    return -NormalDist().inv_cdf(-math.expm1(math.log1p(-alone) / tries))


def z_needed(days: float, gates: Gates, tries: int = 1, *, fallen: bool = False) -> float:
    """Return the paired z that a line needs to take the champion's place.

    A ledger is looked at turn after turn as it grows, and a young one wanders: so it must speak
    louder, ``z_promote · sqrt(ledger_days / days)``, the boundary of O'Brien & Fleming (1979,
    Biometrics 35). From `ledger_days` on it is `z_promote`.

    Parameters
    ----------
    days
        Days of ledger that the line shares with the champion's.
    tries
        Lines that try in this turn, see `z_of_many`.
    fallen
        Whether the champion has fallen: then a rival need not be better, only not clearly worse.

    Examples
    --------
    >>> gates = Gates(z_promote=2.6, ledger_days=14)
    >>> [round(z_needed(days, gates), 2) for days in (2, 7, 14, 28)]
    [6.88, 3.68, 2.6, 2.6]
    """
    if fallen:
        return gates.z_over_drift
    if not days > 0:
        return math.inf
    return z_of_many(gates.z_promote * max(1.0, math.sqrt(gates.ledger_days / days)), tries)


def z_words(line: Standing) -> str:
    """Return z against the champion's line as gates ask it, and the plain one where it differs."""
    if line.tempered_z_champion is None:
        return f"z = {line.z_champion:.2f}"
    return f"z = {line.tempered_z_champion:.2f} (tempered; of the whole loss {line.z_champion:.2f})"


def promotion_shortfalls(
    line: Standing, incumbent: Incumbent, gates: Gates, tries: int = 1
) -> list[str]:
    """Say what keeps a line from taking the champion's place; empty if nothing does.

    Parameters
    ----------
    line
        How it stands by the ledger, paired with the champion's line.
    tries
        How many lines try to replace it in this turn: the more, the more each has to show.
    """
    found = unproven(line, gates) + miscalibrated(line, gates)
    whom = "baseline" if incumbent.baseline else "champion"
    needed = z_needed(line.days_champion, gates, tries, fallen=bool(incumbent.fallen))
    if line.days_champion < gates.least_days:
        found.append(
            f"it shares {line.days_champion:.1f} days of ledger with the {whom}'s line, at least "
            f"{gates.least_days:g} are needed"
        )
    elif line.sure_z_champion is None:
        found.append(f"it has too few bars in common with the {whom}'s line")
    elif not line.sure_z_champion >= needed:
        several = f", as one of {tries} lines" if tries > 1 and not incumbent.fallen else ""
        found.append(
            f"{z_words(line)} against the {whom}'s line, {needed:.2f} needed on "
            f"{line.days_champion:.1f} days{several}"
        )
    if incumbent.tenure < gates.tenure_turns and not incumbent.fallen:
        found.append(
            f"the {whom} has served {incumbent.tenure} of the {gates.tenure_turns} turns that a "
            "champion is given"
        )
    return found


def recent_shortfalls(version: Contender, gates: Gates) -> list[str]:
    """Say why the last days speak against a line whose weeks speak for it; empty if they do not.

    The window of the ledger is long: after a break it goes on praising what was learnt before it.
    The holdout of the version that would serve is the last days alone.
    """
    if version.z is None or version.z >= gates.z_refresh:
        return []
    return [
        f"on the last days its version is worse than the baseline, holdout z {version.z:.2f}, "
        f"{gates.z_refresh:g} allowed"
    ]


def refresh_shortfalls(fresh: Contender, gates: Gates) -> list[str]:
    """Say what keeps a refit from its line's place; empty if nothing does.

    A refit need not be better than the version in service, only not provably worse on the holdout.
    A baseline always gives way to its refit.
    """
    if fresh.baseline:
        return []
    z = fresh.z_elder
    if z is None:
        return ["it shares no unseen rows with the version in service"]
    if not z >= gates.z_refresh:
        return [f"holdout z {z:.2f} against the version in service, < {gates.z_refresh:g}"]
    return []


def recovery_shortfalls(fresh: Contender, gates: Gates) -> list[str]:
    """Say what keeps the refit of a line in DRIFT from serving at once; empty if nothing does.

    The line's ledger is that of what has failed; the refit has only its holdout to show.
    """
    found = unproven(fresh, gates) + miscalibrated(fresh, gates)
    if fresh.z_elder is None:
        found.append("it shares no unseen rows with the version that fell")
    elif not fresh.z_elder >= gates.z_over_drift:
        found.append(
            f"holdout z {fresh.z_elder:.2f} against the version that fell, < {gates.z_over_drift:g}"
        )
    return found
