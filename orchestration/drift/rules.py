"""Thresholds of the drift verdict, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Thresholds of the verdict; `orchestration.rules.DriftRules` says what each means.

    Their error rates are measured by ``bench/verdicts``.
    """

    drop_hours: float = 72
    drop_min: float = 0.02
    drop_share: float = 0.5
    drop_z: float = 3.2
    fade_days: float = 7
    fade_long_days: float = 14
    fade_z: float = 1.645
    fade_sure_z: float = 1.0
    fade_drop_z: float = 3.0
    sudden_hours: float = 24
    sudden_drop: float = 0.05
    sudden_z: float = 3.5
    warn_z: float = 1.0
    harm_hours: float = 24
    harm_evidence: float = 150.0
    reference_days: float = 7.0

    @property
    def track_days(self) -> float:
        """Days of a record that the rules look at, with their reference; 30 at least."""
        hours = max(self.drop_hours, self.sudden_hours, self.harm_hours)
        longest = max(self.fade_days, self.fade_long_days, hours / 24)
        return max(30.0, longest + self.reference_days + 1)
