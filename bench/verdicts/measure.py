"""All figures of the simulations as one document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.verdicts import grid, harm
from bench.verdicts.arrivals import LOOKED, arrivals
from bench.verdicts.batch import check
from bench.verdicts.cold import cold_years, serving
from bench.verdicts.drifting import Rates, rates
from bench.verdicts.promotion import seed_rule, slot_years, swaps
from bench.verdicts.series import SLOTS
from orchestration.rules import Gates

Json = dict[str, Any]
Tell = Callable[[str], None]

WANDERS = (0.0, 0.5, 1.0)
RIVALS = (1, 2, 3)
WINDOWS = (14, 21, 28, 42)
Z = (1.64, 1.96, 2.2, 2.4, 2.6, 3.0)
TENURES = (2, 6)
LEDGERS = (7, 14, 21)
EDGES = {"5 % of QLIKE": 0.36, "a point of accuracy": 0.70, "two points": 1.4}
"""z that a day of ledger earns; see docs/verdicts.md for where they come from."""
WANDERS_OF_ACCURACY = (0.0, 0.0075, 0.015)


def everything(years: int, seeds: int, tell: Tell) -> Json:
    """Run all simulations.

    Parameters
    ----------
    years : int
        Years of the whole service (seven slots) in each cell of the tables about promotion.
    seeds : int
        Slot-weeks in each cell of the tables about drift; twice as many without a break.
    tell
        Called with what was just done.
    """
    gates = Gates()
    found: Json = {
        "simulated": True,
        "years": years,
        "seeds": seeds,
        "slots": SLOTS,
        "gates": {
            name: getattr(gates, name)
            for name in ("z_promote", "ledger_days", "window_days", "tenure_turns", "z_keep")
        },
        "batch_differs_by": check(np.random.default_rng(0)),
        "grid": grid.compare(0),
    }
    tell("hours compared with bars")
    found["false_promotions"] = false_promotions(years, tell)
    found["seed_rule"] = {str(k): seed_rule(years, k) for k in RIVALS}
    found["found"] = power(60 * years, tell)
    found["cold"] = cold(max(years // 2, 1), tell)
    found["drift"] = drifts(seeds, tell)
    found["harm"] = harm.compare(2 * seeds)
    tell("HARM in two ways")
    return found


def false_promotions(years: int, tell: Tell) -> list[Json]:
    """Return promotions a year over all slots where all lines are equals."""
    rows = []
    for wander in WANDERS:
        for window, simulated in slot_years(range(years), wander, WINDOWS).items():
            for tenure in TENURES:
                for rivals in RIVALS:
                    z = simulated.among(rivals + 1)
                    counts = {f"{at:g}": float(swaps(z, at, tenure).sum() / years) for at in Z}
                    rows.append(
                        {
                            "wander": wander, "window_days": window, "tenure": tenure,
                            "rivals": rivals, "a_year": counts,
                        }
                    )  # fmt: skip
        tell(f"equals, wander {wander:g}")
    return rows


def power(count: int, tell: Tell) -> list[Json]:
    """Return how soon a better line is found, and how often an equal newcomer is promoted."""
    window = int(Gates().window_days)
    rows = []
    for wander in WANDERS:
        for name, edge in {"an equal": 0.0, **EDGES}.items():
            cases = {
                "newcomer": arrivals(1, count, edge, wander, window, 2),
                "newcomer, back-filled 14 d": arrivals(1, count, edge, wander, window, 14),
                "old rival that becomes better": arrivals(
                    1, count, edge, wander, window, window, before=0.0
                ),
            }
            for case, one in cases.items():
                for at in Z:
                    for ledger in LEDGERS:
                        for rivals in (1, 3):
                            days = one.found(at, ledger, rivals)
                            rows.append(
                                {
                                    "wander": wander, "better_by": name, "case": case,
                                    "z_promote": at, "ledger_days": ledger, "rivals": rivals,
                                    **_found(days),
                                }
                            )  # fmt: skip
        tell(f"better lines, wander {wander:g}")
    return rows


def _found(days: np.ndarray) -> Json:
    median = float(np.median(days))
    shares = {f"within_{d}d": float((days <= d).mean()) for d in (7, 14, LOOKED)}
    return {**shares, "median_days": median if np.isfinite(median) else None}


def cold(years: int, tell: Tell) -> list[Json]:
    """Return how often and how long learners serve from a cold start, useless ones and others."""
    gates = Gates()
    rows = []
    for wander in WANDERS[:2]:
        for learners in (1, 3):
            for name, edge in {"nothing": 0.0, **EDGES}.items():
                simulated = cold_years(
                    range(years), learners, wander, int(gates.window_days), 2, edge
                )
                for keep in (-np.inf, 0.0, 0.5, 1.0):
                    share = serving(simulated, gates.z_promote, gates.ledger_days, keep)
                    rows.append(
                        {
                            "wander": wander, "learners": learners, "knows": name,
                            "z_keep": None if np.isinf(keep) else keep,
                            "ever": float((share > 0).mean()), "share": float(share.mean()),
                        }
                    )  # fmt: skip
        tell(f"cold starts, wander {wander:g}")
    return rows


def drifts(seeds: int, tell: Tell) -> list[Json]:
    """Return alarms of our verdict and of the seed's rule, with and without a break."""
    rows = []
    for symbols, sound in ((1, 0.55), (3, 0.52)):
        for wander in WANDERS_OF_ACCURACY:
            for after in (sound, 0.50, round(1 - sound, 4)):
                count = 2 * seeds if after == sound else seeds
                one = rates(range(count), sound, after, wander, symbols)
                rows.append(
                    {
                        "symbols": symbols, "before": sound, "after": after, "wander": wander,
                        "weeks": count, "ours": _alarms(one.ours), "seed": _alarms(one.seed),
                        "first_by": one.fired,
                    }
                )  # fmt: skip
            tell(f"drift, {symbols} symbols, wander {wander:g}")
    return rows


def _alarms(hours: np.ndarray) -> Json:
    median = float(np.median(hours))
    shares = {f"within_{name}": Rates.within(hours, h) for name, h in _SPANS.items()}
    return {**shares, "median_h": median if np.isfinite(median) else None}


_SPANS = {"24h": 24.0, "72h": 72.0, "7d": 168.0}
