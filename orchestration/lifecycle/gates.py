"""The gates a version must pass, each a pure function that names what falls short."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from orchestration.rules import Gates

ECE_BINS = 10
Z_ONE_SIDED = 1.645
DRIFTED = ("DRIFT", "HARM")


@dataclass(frozen=True)
class Contender:
    """A version that was judged in this turn: a fresh candidate, or one in service.

    Parameters
    ----------
    version, recipe, baseline, status
        Who it is; a fresh one has the status ``candidate``.
    skill, lower, upper, z, n, effective_n
        Verdict against the fresh baseline of the slot on the holdout; None where it could not be
        given. `n` counts rows, `effective_n` what they are worth as independent ones.
    z_champion
        Paired z against the champion in service on rows that neither has seen; None if there are
        none, or it is the champion.
    metrics
        Other figures on the same rows; ``ece``, ``base_rate`` and ``coverage`` are looked at here.
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
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether it answers as its baseline does: its learner was given no weight."""
        return not self.baseline and self.lower == self.upper == 0.0

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
    previous
        The champion before it, the first choice for a rollback.
    broken
        Why its bundle cannot serve; empty for a sound one.
    """

    version: str
    recipe: str
    baseline: bool
    pinned: bool = False
    tenure: int = 0
    drift: str = "LEARNING"
    previous: str | None = None
    broken: str = ""

    @property
    def fallen(self) -> str:
        """Why it can no longer serve; empty if it can; a baseline has no skill to lose."""
        if self.broken:
            return f"its bundle is broken ({self.broken})"
        if self.drift in DRIFTED and not self.baseline:
            return f"the ledger says {self.drift}"
        return ""


def unproven(contender: Contender, gates: Gates) -> list[str]:
    """Say why a version's skill over the baseline is not proven; empty if it is."""
    lower = contender.lower
    if lower is None or math.isnan(lower):
        return ["there were too few unseen rows for a verdict"]
    if not lower > gates.skill_above:
        return [f"the lower bound of its skill is not above {gates.skill_above:g}"]
    return []


def miscalibrated(contender: Contender, gates: Gates) -> list[str]:
    """Say how a version is out of calibration, beyond what so few rows show by chance.

    The limits of the gates are for long ledgers. Over two days of overlapping labels even a perfect
    forecast has a calibration error: with ``m`` independent rows at event rate ``p`` in ``b`` bins
    it is a mean of ``b`` half-normals of scale ``s = sqrt(b p (1 - p) / m)``, so its own mean is
    ``s sqrt(2/π)`` and its standard deviation ``s sqrt((1 - 2/π) / b)``; a coverage ``c`` has the
    standard error ``sqrt(c (1 - c) / m)``. Each limit is widened to what chance exceeds in 5 % of
    cases, 1.645 standard deviations.
    """
    found = []
    ece, coverage = contender.metrics.get("ece"), contender.metrics.get("coverage")
    if ece is not None and ece > (limit := ece_limit(contender, gates)):
        found.append(f"its calibration error {ece:.3f} is above {limit:.3f}")
    if coverage is not None:
        low, high = coverage_limits(contender, gates)
        if not low <= coverage <= high:
            found.append(f"its interval covers {coverage:.3f}, not {low:.3f} to {high:.3f}")
    return found


def ece_limit(contender: Contender, gates: Gates) -> float:
    """Return the calibration error allowed for as many independent rows as there were."""
    rows = max(contender.effective_n, 1.0)
    rate = contender.metrics.get("base_rate")
    spread = 0.25 if rate is None else rate * (1 - rate)
    scale = math.sqrt(ECE_BINS * spread / rows)
    chance = math.sqrt(2 / math.pi) + Z_ONE_SIDED * math.sqrt((1 - 2 / math.pi) / ECE_BINS)
    return max(gates.ece_max, scale * chance)


def coverage_limits(contender: Contender, gates: Gates) -> tuple[float, float]:
    """Return the coverage allowed for as many independent rows as there were."""
    rows = max(contender.effective_n, 1.0)

    def slack(c: float) -> float:
        return Z_ONE_SIDED * math.sqrt(c * (1 - c) / rows)

    low, high = gates.coverage_min, gates.coverage_max
    return max(low - slack(low), 0.0), min(high + slack(high), 1.0)


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


def promotion_shortfalls(
    contender: Contender, incumbent: Incumbent, gates: Gates, tries: int = 1
) -> list[str]:
    """Say what keeps a version from replacing the champion; empty if nothing does.

    Parameters
    ----------
    tries
        How many recipes try to replace it in this turn: the more, the more each has to show.
    """
    found = unproven(contender, gates) + miscalibrated(contender, gates)
    needed = gates.z_over_drift if incumbent.fallen else z_of_many(gates.z_promote, tries)
    whom = "baseline" if incumbent.baseline else "champion"
    if contender.z_champion is None:
        found.append(f"it shares no unseen rows with the {whom}")
    elif contender.z_champion < needed:
        several = tries > 1 and not incumbent.fallen
        needs = f"{needed:.2f}, as one of {tries} recipes" if several else f"{needed:g}"
        found.append(f"its paired z against the {whom}, {contender.z_champion:.2f}, < {needs}")
    if incumbent.tenure < gates.tenure_turns and not incumbent.fallen:
        found.append(
            f"the {whom} has served {incumbent.tenure} of the {gates.tenure_turns} turns that a "
            "champion is given"
        )
    return found


def refresh_shortfalls(contender: Contender, gates: Gates) -> list[str]:
    """Say what keeps a refit from replacing its own older instance; empty if nothing does.

    A refit need not be better, only not provably worse: neither than its older instance nor than
    the baseline. A baseline always gives way to its refit.
    """
    if contender.baseline:
        return []
    found = miscalibrated(contender, gates)
    for name, z in (("champion", contender.z_champion), ("baseline", contender.z)):
        if z is None:
            found.append(f"it shares no unseen rows with the {name}")
        elif z < gates.z_refresh:
            found.append(f"its paired z against the {name}, {z:.2f}, < {gates.z_refresh:g}")
    return found
