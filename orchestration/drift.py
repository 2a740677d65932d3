"""Drift verdicts: whether the model in service has kept its skill, by what really happened."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.hac import MIN_TIMES
from ml_pipeline.skill import MeanEstimate, hac_mean, judging_lag

Floats = NDArray[np.float64]

OK, WARN, DRIFT, HARM, LEARNING = "OK", "WARN", "DRIFT", "HARM", "LEARNING"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# A window counts when at least this share of its bars is there.
_FULL = 0.8


@dataclass(frozen=True)
class Rules:
    """Thresholds of the verdict; the defaults are the measured ones of the design.

    Simulated false alarms per slot and week: 0.007 to 0.022, against 0.21 to 0.27 of the plain
    rule "backtest minus live > 0.05 over 24 h", at the same share of real losses found.
    """

    drop_hours: float = 72
    drop_min: float = 0.02
    drop_share: float = 0.5
    drop_z: float = 3.0
    fade_days: float = 7
    fade_z: float = 1.645
    sudden_hours: float = 24
    sudden_drop: float = 0.05
    sudden_z: float = 3.5
    warn_z: float = 1.0
    harm_hours: float = 24
    harm_z: float = -2.33
    reference_days: float = 7.0


@dataclass(frozen=True)
class Track:
    """What one slot's champion did, bar by bar, averaged over symbols.

    Attributes
    ----------
    ts
        Opening times of the bars in epoch milliseconds, int64[n], increasing; only bars whose
        outcome is known.
    gain
        Loss of the baseline minus loss of the champion, float64[n]: positive is skill.
    score
        What the drop rules watch, float64[n]: share of hits where the kind has hits, else the
        relative gain ``(L_base - L_model) / (L_base + L_model)``.
    plain
        The baseline's own score, float64[n]: its share of hits, else nought.
    """

    ts: NDArray[np.int64]
    gain: Floats
    score: Floats
    plain: Floats

    def __len__(self) -> int:
        return len(self.ts)

    def part(self, start_ms: float, end_ms: float = math.inf) -> Track:
        """Return the bars opened in ``[start_ms, end_ms)``."""
        keep = (self.ts >= start_ms) & (self.ts < end_ms)
        return Track(self.ts[keep], self.gain[keep], self.score[keep], self.plain[keep])


@dataclass(frozen=True)
class DriftVerdict:
    """The verdict on one slot.

    Attributes
    ----------
    status
        OK, WARN (watch), DRIFT (retrain, demote), HARM (roll back at once) or LEARNING (the ledger
        is too short to tell).
    rules
        The rules that fired: A, B, C, warn, harm.
    sentence
        The verdict in words.
    figures
        Every figure that was looked at; None where a window was not full.
    """

    status: str
    rules: tuple[str, ...]
    sentence: str
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any]:
        """One row of the drift table."""
        return {
            "status": self.status,
            "rules": list(self.rules),
            "sentence": self.sentence,
            **self.figures,
        }


def assess(
    track: Track,
    step_ms: int,
    horizon_bars: int,
    rules: Rules | None = None,
    *,
    baseline: bool = False,
) -> DriftVerdict:
    """Judge the champion of one slot by its ledger.

    Parameters
    ----------
    track
        Its record: of the recipe in service since it came into it, each refit while it served.
    step_ms
        Length of a bar in milliseconds.
    horizon_bars
        Bars until an outcome is known; standard errors use a lag of at least twice that.
    rules
        Thresholds.
    baseline
        Whether the champion is the baseline itself: it has no skill to lose and is always OK.

    Returns
    -------
    DriftVerdict
        ``z_drop(w) = (ref - live_w) / sqrt(HAC(live_w) + HAC(ref))`` where ``ref`` is the ledger
        before the window and at least `Rules.reference_days` long;
        ``z_skill(w) = mean(gain)_w / sqrt(HAC(gain)_w)``. Both are corrected for short windows as
        in `ml_pipeline.hac`.
    """
    rules = rules or Rules()
    figures = _figures(track, step_ms, horizon_bars, rules)
    if baseline:
        return DriftVerdict(OK, (), "the baseline serves: it has no skill to lose", figures)
    fired = _fired(figures, rules)
    status = _status(fired, figures, rules)
    return DriftVerdict(status, fired, _sentence(status, fired, figures, rules), figures)


def _figures(track: Track, step_ms: int, horizon: int, rules: Rules) -> dict[str, Any]:
    end = int(track.ts[-1]) + step_ms if len(track) else 0
    days = (end - int(track.ts[0])) / DAY_MS if len(track) else 0.0
    found: dict[str, Any] = {"bars": len(track), "days": round(days, 3)}

    def window(hours: float) -> tuple[Track | None, Track | None]:
        """Return the last `hours` and the ledger before them, None where it is not full."""
        since = end - hours * HOUR_MS
        live, before = track.part(since), track.part(-math.inf, since)
        return (
            live if _full(live, hours * HOUR_MS, step_ms, horizon) else None,
            before if _full(before, rules.reference_days * DAY_MS, step_ms, horizon) else None,
        )

    live, _ = window(rules.harm_hours)
    found["harm_z_skill"] = _z_skill(live, horizon)
    live, before = window(rules.fade_days * 24)
    found["fade_z_skill"] = _z_skill(live, horizon)
    found["proven_z"] = _z_skill(before, horizon)
    for name, hours in (("drop", rules.drop_hours), ("sudden", rules.sudden_hours)):
        live, before = window(hours)
        found[f"{name}_z_skill"] = _z_skill(live, horizon)
        found |= {f"{name}_{part}": value for part, value in _drop(live, before, horizon).items()}
    return found


def _full(part: Track, window_ms: float, step_ms: int, horizon: int) -> bool:
    """Return whether a window holds enough bars to be judged as a whole."""
    least = max(_FULL * window_ms / step_ms, 2 * judging_lag(horizon, len(part)), MIN_TIMES)
    return len(part) >= least


def _mean(values: Floats, horizon: int) -> MeanEstimate:
    return hac_mean(values, judging_lag(horizon, len(values)), horizon)


def _z_skill(part: Track | None, horizon: int) -> float | None:
    return None if part is None else _mean(part.gain, horizon).z


def _drop(live: Track | None, before: Track | None, horizon: int) -> dict[str, float | None]:
    """Return reference, live score, their difference with its z, and the reference's skill."""
    if live is None or before is None:
        return dict.fromkeys(("reference", "live", "size", "z", "reference_skill"))
    reference, now = _mean(before.score, horizon), _mean(live.score, horizon)
    size = reference.mean - now.mean
    # Windows do not overlap: variances add. The live one knows less, so its freedom counts.
    drop = MeanEstimate(
        mean=size,
        se=math.hypot(reference.se, now.se),
        dof=now.dof,
        times=now.times,
        effective_n=now.effective_n,
    )
    return {
        "reference": reference.mean,
        "live": now.mean,
        "size": size,
        "z": drop.z,
        "reference_skill": reference.mean - float(before.plain.mean()),
    }


def _fired(figures: dict[str, Any], rules: Rules) -> tuple[str, ...]:
    """Return the rules that hold; a figure that is None fires nothing."""

    def value(name: str, otherwise: float) -> float:
        return otherwise if figures[name] is None else float(figures[name])

    least = max(rules.drop_min, rules.drop_share * value("drop_reference_skill", 0.0))
    never, always = -math.inf, math.inf
    holds = {
        "harm": value("harm_z_skill", always) < rules.harm_z,
        "A": value("drop_size", never) > least and value("drop_z", never) >= rules.drop_z,
        "B": value("proven_z", never) >= rules.fade_z
        and value("fade_z_skill", always) < rules.fade_z,
        "C": value("sudden_size", never) > rules.sudden_drop
        and value("sudden_z", never) >= rules.sudden_z,
        "warn": value("drop_z_skill", always) < rules.warn_z,
    }
    return tuple(name for name, holding in holds.items() if holding)


def _status(fired: tuple[str, ...], figures: dict[str, Any], rules: Rules) -> str:
    if "harm" in fired:
        return HARM
    if set(fired) & {"A", "B", "C"}:
        return DRIFT
    # A long ledger with too few bars in the last days says nothing either.
    if figures["days"] < rules.reference_days or figures["drop_z_skill"] is None:
        return LEARNING
    return WARN if "warn" in fired else OK


def _sentence(status: str, fired: tuple[str, ...], f: dict[str, Any], rules: Rules) -> str:
    if status == LEARNING and f["days"] >= rules.reference_days:
        return (
            f"{f['bars']:,} bars in {f['days']:.1f} days of outcomes, too few of them in the last "
            f"{rules.drop_hours:g} h to tell"
        )
    if status == LEARNING:
        return f"{f['days']:.1f} of {rules.reference_days:g} days of outcomes: too early to tell"
    reasons = {
        "harm": "worse than the baseline over {harm_hours:g} h, z {harm_z_skill:.2f}",
        "A": "score fell by {drop_size:.3f} over {drop_hours:g} h, z {drop_z_seen:.2f}",
        "B": "skill was proven and is not over {fade_days:g} days, z {fade_z_skill:.2f}",
        "C": "score fell by {sudden_size:.3f} over {sudden_hours:g} h, z {sudden_z_seen:.2f}",
        "warn": "little skill over {drop_hours:g} h, z {drop_z_skill:.2f}",
    }
    seen = {"drop_z_seen": f["drop_z"], "sudden_z_seen": f["sudden_z"]}
    words = asdict(rules) | f | seen
    said = [reasons[name].format(**words) for name in fired]
    return "; ".join(said) or f"skill holds over {f['days']:.1f} days of outcomes"
