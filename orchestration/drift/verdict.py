"""The verdict on one record: OK, WARN, DRIFT, HARM or LEARNING, with every figure behind it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.drift.harm import evidence
from orchestration.drift.record import DAY_MS, HOUR_MS, Track, estimate, fall, whole
from orchestration.drift.rules import Rules

OK, WARN, DRIFT, HARM, LEARNING = "OK", "WARN", "DRIFT", "HARM", "LEARNING"


@dataclass(frozen=True)
class DriftVerdict:
    """The verdict on one slot, or on several pooled.

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
    """Judge what served by its record.

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
        ``z_drop(w) = (ref - live_w) / sqrt(HAC(live_w) + HAC(ref))`` where ``ref`` is the record
        before the window and at least `Rules.reference_days` long;
        ``z_skill(w) = mean(gain)_w / sqrt(HAC(gain)_w)``. Both are corrected for short windows as
        in `ml_pipeline.hac`.

    Notes
    -----
    * A: the score fell over `drop_hours`. C: it fell much over `sudden_hours`.
    * B: skill that was proven before is no longer to be seen over `fade_days`, and fell by more
      than chance. Where a skill is so small that it would often not be seen in a week though
      it were still there (expected z below ``fade_z + fade_sure_z``), the
      window is `fade_long_days`.
    * harm: `orchestration.drift.harm.evidence` reached `harm_evidence` within `harm_hours`.
    * warn: z_skill over `drop_hours` is below `warn_z`.
    """
    rules = rules or Rules()
    figures = _figures(track, step_ms, horizon_bars, rules)
    if baseline:
        return DriftVerdict(OK, (), "the baseline serves: it has no skill to lose", figures)
    fired = _fired(figures, rules)
    status = _status(fired, figures, rules)
    return DriftVerdict(status, fired, _sentence(status, fired, figures, rules), figures)


@dataclass(frozen=True)
class _Windows:
    """Cuts a record into the last hours and all before them."""

    track: Track
    step_ms: int
    horizon: int
    reference_days: float

    def cut(self, hours: float) -> tuple[Track | None, Track | None]:
        """Return the last `hours` and the record before them, None where one is not full."""
        since = self.track.end_ms(self.step_ms) - hours * HOUR_MS
        live, before = self.track.part(since), self.track.part(-math.inf, since)
        return (
            whole(live, hours * HOUR_MS, self.step_ms, self.horizon),
            whole(before, self.reference_days * DAY_MS, self.step_ms, self.horizon),
        )


def _figures(track: Track, step_ms: int, horizon: int, rules: Rules) -> dict[str, Any]:
    windows = _Windows(track, step_ms, horizon, rules.reference_days)
    found: dict[str, Any] = {"bars": len(track), "days": round(track.days(step_ms), 3)}
    found |= _harm(track, windows, step_ms, rules)
    found |= _fade(windows, rules)
    for name, hours in (("drop", rules.drop_hours), ("sudden", rules.sudden_hours)):
        live, before = windows.cut(hours)
        found[f"{name}_z_skill"] = _z_skill(live, horizon)
        found |= {f"{name}_{part}": value for part, value in _drop(live, before, horizon).items()}
    return found


def _z_skill(part: Track | None, horizon: int) -> float | None:
    return None if part is None else estimate(part.gain, horizon).z


def _harm(track: Track, windows: _Windows, step_ms: int, rules: Rules) -> dict[str, float | None]:
    """Return the most evidence of harm in the last hours, and z of skill over them."""
    ends, grown = evidence(track, step_ms, windows.horizon)
    recent = grown[ends > track.end_ms(step_ms) - rules.harm_hours * HOUR_MS]
    live, _ = windows.cut(rules.harm_hours)
    return {
        "harm_evidence": float(recent.max()) if len(recent) else None,
        "harm_z_skill": _z_skill(live, windows.horizon),
    }


def _fade(windows: _Windows, rules: Rules) -> dict[str, float | None]:
    """Return what rule B looks at: over a week, or two where a week would often not show it."""
    found: dict[str, float | None] = {}
    for days in (rules.fade_days, rules.fade_long_days):
        live, before = windows.cut(days * 24)
        found = {
            "fade_window_days": days,
            "fade_z_skill": _z_skill(live, windows.horizon),
            "proven_z": _z_skill(before, windows.horizon),
            "fade_expected_z": None,
            "fade_fall_z": None,
        }
        if live is None or before is None:
            return found
        now, then = (estimate(part.gain, windows.horizon) for part in (live, before))
        expected = then.mean / now.se if now.se > 0 else math.inf
        found |= {"fade_expected_z": min(expected, 99.0), "fade_fall_z": fall(then, now).z}
        if expected >= rules.fade_z + rules.fade_sure_z:
            break
    return found


def _drop(live: Track | None, before: Track | None, horizon: int) -> dict[str, float | None]:
    """Return reference, live score, their difference with its z, and the reference's skill."""
    if live is None or before is None:
        return dict.fromkeys(("reference", "live", "size", "z", "reference_skill"))
    reference, now = estimate(before.score, horizon), estimate(live.score, horizon)
    drop = fall(reference, now)
    return {
        "reference": reference.mean,
        "live": now.mean,
        "size": drop.mean,
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
        "harm": value("harm_evidence", never) >= rules.harm_evidence,
        "A": value("drop_size", never) > least and value("drop_z", never) >= rules.drop_z,
        "B": value("proven_z", never) >= rules.fade_z
        and value("fade_z_skill", always) < rules.fade_z
        and value("fade_fall_z", never) >= rules.fade_drop_z,
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
        "harm": "worse than the baseline: evidence {harm_evidence:,.0f} of {needed:g} within "
        "{harm_hours:g} h",
        "A": "score fell by {drop_size:.3f} over {drop_hours:g} h, z {drop_z_seen:.2f}",
        "B": "skill was proven and is not over {fade_window_days:g} days, z {fade_z_skill:.2f}, "
        "having fallen with z {fade_fall_z:.2f}",
        "C": "score fell by {sudden_size:.3f} over {sudden_hours:g} h, z {sudden_z_seen:.2f}",
        "warn": "little skill over {drop_hours:g} h, z {drop_z_skill:.2f}",
    }
    seen = {f"{name}_z_seen": f[f"{name}_z"] for name in ("drop", "sudden")}
    words = asdict(rules) | f | seen | {"needed": rules.harm_evidence}
    said = [reasons[name].format(**words) for name in fired]
    return "; ".join(said) or f"skill holds over {f['days']:.1f} days of outcomes"
