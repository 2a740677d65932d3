"""Whether a prepared bundle may go live: files, features, skill, calibration, and the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from features import hashes
from models.common.bundle import Bundle
from orchestration.lifecycle.calibrated import miscalibrated
from orchestration.lifecycle.gates import Contender, unproven
from orchestration.rules import Gates

_VERDICT = ("skill", "lower", "upper", "z")


@dataclass(frozen=True)
class Check:
    """One question and its answer."""

    name: str
    ok: bool
    sentence: str


def report(bundle: Bundle, gates: Gates, rival: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a verified bundle passes and what it does not.

    The figures are those of its own holdout: bars after all that it was fitted and calibrated on,
    beside the baseline that was fitted on the same rows.

    Parameters
    ----------
    rival
        How it did beside the champion: `orchestration.lifecycle.rivalry.against_champion`.

    Returns
    -------
    dict
        ``key``, ``ok`` (all checks), ``sound`` (all but skill, calibration and champion, which a
        person may overrule), ``simulated``, ``checks``, ``figures`` and ``champion`` (`rival`).
    """
    metrics = bundle.metrics
    judged = _contender(bundle)
    changed = hashes.changed(bundle.schema.hashes)
    parity = float(bundle.metadata.get("parity_max_abs", 0.0))
    short, off = unproven(judged, gates), miscalibrated(judged, gates)
    sound = [
        Check("bundle", True, f"{len(bundle.checksums)} files, graph and probe verified"),
        Check("features", not changed, ", ".join(changed[:5]) or "defined as in training"),
        Check("parity", parity <= gates.parity_max, f"graph equals the fit within {parity:.1e}"),
    ]
    proven = [
        Check("skill", not short, "; ".join([_words(metrics), *short])),
        Check("calibration", not off, "; ".join(off) or "within what so few rows show by chance"),
        Check("champion", not rival["worse"], rival["sentence"]),
    ]
    return {
        "key": bundle.key,
        "ok": all(check.ok for check in (*sound, *proven)),
        "sound": all(check.ok for check in sound),
        "simulated": bool(bundle.metadata["simulated"]),
        "checks": [asdict(check) for check in (*sound, *proven)],
        "figures": metrics,
        "champion": dict(rival),
    }


def _words(metrics: Mapping[str, Any]) -> str:
    if any(metrics.get(name) is None for name in _VERDICT):
        return "never judged"
    return (
        f"{metrics['skill']:+.2%} over the baseline, 95 % interval {metrics['lower']:+.2%} to "
        f"{metrics['upper']:+.2%}, n {metrics['n']:,.0f}"
    )


def _contender(bundle: Bundle) -> Contender:
    metrics = bundle.metrics
    return Contender(
        version=bundle.version_id,
        recipe=str(bundle.metadata["recipe"]),
        baseline=bool(bundle.metadata["baseline"]),
        status="candidate",
        skill=metrics.get("skill"),
        lower=metrics.get("lower"),
        upper=metrics.get("upper"),
        z=metrics.get("z"),
        n=int(metrics.get("n") or 0),
        effective_n=float(metrics.get("effective_n") or 0.0),
        metrics={name: metrics.get(name) for name in ("ece", "base_rate", "coverage")},
    )
