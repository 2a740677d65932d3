"""Does a turn find what is there, and nothing else? Many seeds of a market with and without signal.

    python -m bench.noise [--seeds 20] [--days 14] [--json]

Each seed is a whole first turn in a fresh home: candles, features, five kinds, holdout, gates,
registry. *Random walk*: independent normal returns of constant size, so that no model can beat its
baseline except by luck. *Planted*: the lifelike market with a short-horizon signal in its returns
(the ideal predictor of the next five bars would be right in about 62 %).
Counted are candidates whose z over the baseline passes the one-sided 5 % level, whose lower 95 %
bound is above nought (2.5 % level), and those that were promoted over the baseline. The last column
is the chance of that many or more if each candidate passes at exactly its level.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

MARKETS = {
    "random walk": "simulated:random-walk,seed={seed}",
    "planted": "simulated:signal=2.0,seed={seed}",
}
LEVELS = {"z": 0.05, "bound": 0.025, "promoted": 0.025}
NOW = "2025-05-28T00:00:00Z"


def one(market: str, seed: int, days: float) -> list[dict[str, Any]]:
    """Run the first turn of one seed and return a row per kind."""
    from orchestration.service.turn import run_turn
    from orchestration.settings import load_settings

    with tempfile.TemporaryDirectory() as home:
        source = MARKETS[market].format(seed=seed)
        # One worker: the seeds run beside each other already.
        settings = load_settings(home=home, source=source, days=days, workers=1)
        report = run_turn(settings, NOW)
    rows = []
    for slot in report["slots"]:
        for version in slot.get("contenders", []):
            if not version["baseline"]:
                rows.append(
                    {
                        "market": market,
                        "seed": seed,
                        "kind": slot["kind"],
                        **{name: version[name] for name in ("skill", "lower", "z", "n")},
                        "promoted": slot["champion"] == version["version"],
                        "sentence": slot["sentence"],
                    }
                )
    return rows


def counts(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how many rows passed each level, and the chance of that many or more."""
    from scipy.stats import binom

    judged = [row for row in rows if row["z"] is not None]
    passed = {
        "z": sum(row["z"] >= 1.645 for row in judged),
        "bound": sum(row["lower"] > 0 for row in judged),
        "promoted": sum(row["promoted"] for row in judged),
    }
    return {
        name: {
            "of": len(judged),
            "passed": count,
            "level": LEVELS[name],
            "chance": float(binom.sf(count - 1, len(judged), LEVELS[name])),
        }
        for name, count in passed.items()
    }


def main() -> None:
    """Run all seeds of both markets and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--markets", nargs="+", default=list(MARKETS), choices=list(MARKETS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    tasks = [(market, seed) for market in given.markets for seed in range(given.seeds)]
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(one, market, seed, given.days) for market, seed in tasks]
        for future in futures:
            rows += future.result()
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    kinds = dict.fromkeys(row["kind"] for row in rows)
    print(f"simulated market, {given.seeds} seeds, {given.days:g} days of 1m, three symbols")
    print(f"{'':24}{'of':>5}{'z >= 1.645':>12}{'bound > 0':>12}{'promoted':>10}{'mean skill':>12}")
    for market in given.markets:
        own = [row for row in rows if row["market"] == market]
        for kind in (*kinds, "all"):
            chosen = [row for row in own if kind in (row["kind"], "all")]
            table = counts(chosen)
            skill = sum(row["skill"] or 0.0 for row in chosen) / max(len(chosen), 1)
            print(
                f"{market + ', ' + kind:24}{table['z']['of']:5}{table['z']['passed']:12}"
                f"{table['bound']['passed']:12}{table['promoted']['passed']:10}{skill:12.4f}"
            )
        chances = {name: round(row["chance"], 3) for name, row in counts(own).items()}
        print(f"  chance of as many or more at the levels {LEVELS}: {chances}")


if __name__ == "__main__":
    main()
