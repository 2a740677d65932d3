"""Verdicts on lines: how each did over the last weeks of the ledger, and against the champion's."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.errors import JudgingError
from ml_pipeline.scoring import metrics_of_many
from ml_pipeline.skill import paired_mean, verdict_of
from ml_pipeline.tasks import TASKS
from orchestration.judge.compared import p_values
from orchestration.judge.lines import BASELINE, Line, Lines, as_panel
from orchestration.judge.tempering import tempered

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """How one line stands by the ledger.

    Parameters
    ----------
    recipe, baseline
        Whose line.
    versions
        How many versions spoke for it.
    since_ms, until_ms
        First and last bar that counts, by opening time; None where there is none.
    days
        Bars that counted, as days.
    live
        Share of its rows that were said in their time, and not filled in afterwards.
    skill, lower, upper, z, n, effective_n, loss, base_loss
        Verdict against the baseline's line on the bars that both answered; None where it could not
        be given, `reason` says why. See `ml_pipeline.skill.Verdict`.
    z_champion, n_champion, days_champion
        Paired z against the champion's line, on how many rows and days that both answered; None
        where there are too few, or it is the champion's own.
    tempered_z, tempered_lower, tempered_z_champion
        z and lower bound of skill over the baseline, and z against the champion's line, with the
        largest surprises tempered; None for kinds that are not judged by QLIKE. Where they are
        known, gates ask them instead of those above. See `ml_pipeline.tempered`.
    metrics
        Figures of the kind over its rows, each version read by its own head.
    p_value
        Of the model confidence set; None where it was not compared.
    inside
        Whether the confidence set holds it; a line that was not compared is not outside.
    """

    recipe: str
    baseline: bool
    versions: int = 0
    since_ms: int | None = None
    until_ms: int | None = None
    days: float = 0.0
    live: float = 0.0
    skill: float | None = None
    lower: float | None = None
    upper: float | None = None
    z: float | None = None
    n: int = 0
    effective_n: float = 0.0
    loss: float | None = None
    base_loss: float | None = None
    z_champion: float | None = None
    n_champion: int = 0
    days_champion: float = 0.0
    tempered_z: float | None = None
    tempered_lower: float | None = None
    tempered_z_champion: float | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    p_value: float | None = None
    inside: bool = True
    reason: str = ""

    @property
    def line(self) -> str:
        """The name of the line."""
        return BASELINE if self.baseline else self.recipe

    @property
    def silent(self) -> bool:
        """Whether it says what the baseline says: its learner was given no weight."""
        return not self.baseline and self.lower == self.upper == 0.0

    @property
    def sure_z(self) -> float | None:
        """Z over the baseline as gates ask it."""
        return self.z if self.tempered_z is None else self.tempered_z

    @property
    def sure_z_champion(self) -> float | None:
        """Z against the champion's line as gates ask it."""
        return self.z_champion if self.tempered_z_champion is None else self.tempered_z_champion

    @property
    def sure_lower(self) -> float | None:
        """Lower bound of skill as gates ask it; nothing is proven of what lost to the baseline."""
        if self.tempered_lower is None or self.skill is None or not self.skill > 0:
            return self.lower
        return self.tempered_lower

    def words(self) -> str:
        """Return the verdict in a few words."""
        if self.skill is None or self.lower is None or self.upper is None or self.z is None:
            return f"no verdict on {self.days:.1f} days of ledger"
        calm = "" if self.tempered_z is None else f" (tempered {self.tempered_z:.2f})"
        return (
            f"skill {self.skill:+.4f} [{self.lower:+.4f}, {self.upper:+.4f}], z {self.z:.2f}"
            f"{calm}, n {self.n:,} on {self.days:.1f} days"
        )


def standings(
    lines: Lines,
    champion: str | None,
    seed: int,
    level: float = 0.1,
    full_days: float = 14.0,
    speaking: Collection[str] | None = None,
) -> dict[str, Standing]:
    """Return how every line of a slot stands, by recipe.

    Parameters
    ----------
    lines
        Of the last days of the ledger that count.
    champion
        The recipe whose line the others are compared with; the baseline's if None.
    seed
        Of the bootstraps: the same ledger gives the same verdicts.
    level
        Of the model confidence set.
    full_days
        Days of ledger on which that level holds; on fewer it is smaller, see `level_on`.
    speaking
        Lines that are compared in the confidence set, all if None: one that says nothing any more
        would leave only the bars before it went.
    """
    to_beat = lines.lines.get(champion) if champion else lines.plain
    found = {
        name: _standing(lines, line, to_beat if to_beat is not line else None, seed)
        for name, line in lines.lines.items()
    }
    values, times = p_values(lines, seed, lines.lines if speaking is None else speaking)
    least = level_on(_days(lines, times), level, full_days)
    return {
        name: replace(one, p_value=values.get(name), inside=values.get(name, 1.0) > least)
        for name, one in found.items()
    }


def level_on(days: float, level: float, full_days: float) -> float:
    """Return the level of the confidence set on so many days of ledger.

    As of a promotion, of a young ledger more is asked: it is looked at turn after turn while it
    grows, and what was set aside rests. The z of the level grows by ``sqrt(full_days / days)``.

    Examples
    --------
    >>> [round(level_on(days, 0.1, 14), 4) for days in (2, 7, 14, 28)]
    [0.0003, 0.035, 0.1, 0.1]
    """
    if days >= full_days:
        return level
    if not days > 0:
        return 0.0
    normal = NormalDist()
    return normal.cdf(normal.inv_cdf(level) * math.sqrt(full_days / days))


def _standing(lines: Lines, line: Line, champion: Line | None, seed: int) -> Standing:
    """Return one line's standing, without its place in the confidence set."""
    known, base = line.known, lines.plain
    at = np.flatnonzero(known.any(axis=1))
    rows = int(known.sum())
    told = Standing(line.recipe, line.baseline)
    if not rows:
        return replace(told, reason="no bar of its ledger has an outcome that counts")
    told = replace(
        told,
        versions=len(np.unique(line.version[known])),
        since_ms=int(lines.ts[at[0]]),
        until_ms=int(lines.ts[at[-1]]),
        days=_days(lines, len(at)),
        live=float(line.live[known].mean()),
        metrics=_metrics(lines, line),
    )
    if champion is not None:
        told = _against_champion(told, lines, line, champion)
    if base is None:
        return replace(told, reason="the ledger has no baseline to compare with")
    n, base_loss, gain = paired(line, base)
    try:
        verdict = verdict_of(n, base_loss, gain, _horizon(lines), seed)
    except JudgingError as error:
        return replace(told, reason=str(error))
    names = ("skill", "lower", "upper", "z", "n", "effective_n", "loss", "base_loss")
    figures = {name: getattr(verdict, name) for name in names}
    if (calm := tempered(lines, line, base)) is not None:
        figures |= {"tempered_z": calm.z, "tempered_lower": calm.lower}
    return replace(told, days=_days(lines, len(gain)), **figures)


def _against_champion(told: Standing, lines: Lines, line: Line, champion: Line) -> Standing:
    n, loss, gain = paired(line, champion)
    told = replace(told, n_champion=n, days_champion=_days(lines, len(gain)))
    try:
        z, calm = paired_mean(gain, loss, _horizon(lines)).z, tempered(lines, line, champion)
    except JudgingError as error:
        return replace(told, reason=str(error))
    return replace(told, z_champion=z, tempered_z_champion=None if calm is None else calm.z)


def paired(line: Line, other: Line) -> tuple[int, Floats, Floats]:
    """Return rows that both answered, and by time the other's loss and how much less the line's is.

    Returns
    -------
    int, float64[T], float64[T]
        Means over symbols at each time at which any symbol was answered by both.
    """
    both = line.known & other.known
    at = both.any(axis=1)
    count = both[at].sum(axis=1)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.where(both[at], values[at], 0.0).sum(axis=1) / count)

    return int(both.sum()), mean(other.loss), mean(other.loss - line.loss)


def _metrics(lines: Lines, line: Line) -> dict[str, float | None]:
    """Return the figures of a line's rows; empty where a version's head is not known."""
    task, known = TASKS[lines.slot.kind], line.known
    panel = as_panel(lines.slot, lines.outcome[known])
    versions, owner = np.unique(line.version[known], return_inverse=True)
    heads = [lines.heads[k] for k in versions]
    try:
        found = metrics_of_many(task, heads, owner, line.raw[known], panel)
    except KeyError:
        return {}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _days(lines: Lines, times: int) -> float:
    return round(times * timeframe_ms(lines.slot.timeframe) / DAY_MS, 3)


def _horizon(lines: Lines) -> int:
    return TASKS[lines.slot.kind].horizon_bars(lines.slot.timeframe)
