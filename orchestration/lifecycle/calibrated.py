"""Whether forecasts are calibrated, as far as so many independent rows can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from orchestration.rules import Gates

ECE_BINS = 10
Z_ONE_SIDED = 1.645


class Proof(Protocol):
    """What was found on bars that were not learnt from: of a version's holdout, or of a ledger."""

    @property
    def sure_lower(self) -> float | None:
        """Lower 95 % bound of the skill over the baseline, as gates ask it."""

    @property
    def effective_n(self) -> float:
        """How many independent rows would tell as much."""

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """Other figures on the same rows; ``ece``, ``base_rate`` and ``coverage`` count here."""


def miscalibrated(proof: Proof, gates: Gates) -> list[str]:
    """Say how forecasts are out of calibration, beyond what so few rows show by chance.

    The limits of the gates are for long ledgers. Over two days of overlapping labels even a perfect
    forecast has a calibration error: with ``m`` independent rows at event rate ``p`` in ``b`` bins
    it is a mean of ``b`` half-normals of scale ``s = sqrt(b p (1 - p) / m)``, so its own mean is
    ``s sqrt(2/π)`` and its standard deviation ``s sqrt((1 - 2/π) / b)``; a coverage ``c`` has the
    standard error ``sqrt(c (1 - c) / m)``. Each limit is widened to what chance exceeds in 5 % of
    cases, 1.645 standard deviations.
    """
    found = []
    ece, coverage = proof.metrics.get("ece"), proof.metrics.get("coverage")
    if ece is not None and not ece <= (limit := ece_limit(proof, gates)):
        found.append(f"its calibration error {ece:.3f} is above {limit:.3f}")
    if coverage is not None:
        low, high = coverage_limits(proof, gates)
        if not low <= coverage <= high:
            found.append(f"its interval covers {coverage:.3f}, not {low:.3f} to {high:.3f}")
    return found


def ece_limit(proof: Proof, gates: Gates) -> float:
    """Return the calibration error allowed for as many independent rows as there were."""
    rows = max(proof.effective_n, 1.0)
    rate = proof.metrics.get("base_rate")
    spread = 0.25 if rate is None else rate * (1 - rate)
    scale = math.sqrt(ECE_BINS * spread / rows)
    chance = math.sqrt(2 / math.pi) + Z_ONE_SIDED * math.sqrt((1 - 2 / math.pi) / ECE_BINS)
    return max(gates.ece_max, scale * chance)


def coverage_limits(proof: Proof, gates: Gates) -> tuple[float, float]:
    """Return the coverage allowed for as many independent rows as there were."""
    rows = max(proof.effective_n, 1.0)

    def slack(c: float) -> float:
        return Z_ONE_SIDED * math.sqrt(c * (1 - c) / rows)

    low, high = gates.coverage_min, gates.coverage_max
    return max(low - slack(low), 0.0), min(high + slack(high), 1.0)
