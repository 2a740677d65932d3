"""Does the process find what is there, and nothing else? Many seeds of markets without and with.

    python -m bench.noise [--seeds 100] [--turns 4] [--backfill 14] [--jobs 2] [--timeframe 5m]
                          [--recipes logistic,ridge] [--markets "random walk"]
                          [--out FILE] [--json]

Each seed is a house of its own in which turns follow each other every twelve hours, as a replay
runs them: candles, features, baselines, fits, holdout, back-fill of the ledger, promotion by it,
drift. *Random walk*: independent normal returns of constant size, so that whatever serves but a
baseline is there by luck. *Planted*: the lifelike market with a short-horizon signal (the ideal
predictor of the next five one-minute bars would be right in about 62 %).

Counted are slots in which a learner serves at the end, slots in which one ever served, and turns of
slots in which one did, each with its 95 % interval (Wilson 1927, JASA 22; turns of a slot hang
together, so their interval is too narrow). A line back-filled by fourteen days is looked at by the
gates at each turn. Finished seeds are kept in `--out`, one line of JSON each: a run that was
stopped goes on where it was, and other parameters start anew beside them.

The default is the cheap end of the real thing: bars of five minutes and recipes that fit in
milliseconds, so that a hundred seeds take about an hour of one core. ``--timeframe 1m
--recipes default`` is the whole of it, at some minutes a seed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

Json = dict[str, Any]

MARKETS = {
    "random walk": "simulated:random-walk,seed={seed}",
    "planted": "simulated:signal=2.0,seed={seed}",
}
FIRST = "2025-05-28T00:00Z"
Z = 1.959964


def one(market: str, seed: int, asked: Json) -> Json:
    """Run the turns of one seed and return who served, slot by slot and turn by turn."""
    from market.timeframes import DAY_MS, instant_ms
    from orchestration.service.replaying import replay
    from orchestration.service.replays.plan import plan
    from orchestration.settings import load_settings

    began = time.process_time()
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(
            home=home,
            source=MARKETS[market].format(seed=seed),
            timeframe=asked["timeframe"],
            recipes=asked["recipes"],
            days=asked["days"],
            backfill_days=asked["backfill"],
            workers=1,
        )
        first = instant_ms(FIRST)
        document = replay(plan(settings, first, first + asked["turns"] * DAY_MS // 2, "12h"))
    slots: dict[str, list[Json]] = {}
    for turn in document["turns"]:
        for slot in turn["summary"]["slots"]:
            row = {
                "learner": slot["baseline"] is False, "recipe": slot["recipe"],
                "action": slot["action"], "sentence": slot["sentence"],
            }  # fmt: skip
            slots.setdefault(slot["kind"], []).append(row)
    cpu = time.process_time() - began + _children()
    return {"market": market, "seed": seed, "asked": asked, "cpu_s": round(cpu, 1), "slots": slots}


def _children() -> float:
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share, z2 = hits / of, Z * Z
    centre = (share + z2 / (2 * of)) / (1 + z2 / of)
    reach = Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def shares(rows: list[Json], kind: str | None = None) -> dict[str, Json]:
    """Return how often something that is no baseline served, in the rows of one market."""
    slots = [turns for row in rows for name, turns in row["slots"].items() if kind in (None, name)]
    counted = {
        "serves at the end": (sum(turns[-1]["learner"] for turns in slots), len(slots)),
        "ever served": (sum(any(t["learner"] for t in turns) for turns in slots), len(slots)),
        "slot-turns": (sum(t["learner"] for turns in slots for t in turns), sum(map(len, slots))),
    }
    found = {}
    for name, (hits, of) in counted.items():
        low, high = wilson(hits, of)
        found[name] = {"hits": hits, "of": of, "share": hits / max(of, 1), "low": low, "high": high}
    return found


def kept(path: Path, asked: Json) -> list[Json]:
    """Return the finished seeds of earlier runs with the same parameters."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    return [row for row in rows if row["asked"] == asked]


def run(asked: Json, markets: list[str], seeds: int, jobs: int, out: Path) -> list[Json]:
    """Run what is left of the seeds; return all of them."""
    rows = kept(out, asked)
    done = {(row["market"], row["seed"]) for row in rows}
    todo = [(m, s) for s in range(seeds) for m in markets if (m, s) not in done]
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        out.open("a", encoding="utf-8") as file,
    ):
        waiting = [pool.submit(one, market, seed, asked) for market, seed in todo]
        for n, future in enumerate(as_completed(waiting), start=1):
            row = future.result()
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{n} of {len(todo)}: {row['market']} {row['seed']}, {row['cpu_s']} CPU s")
    return [row for row in rows if row["market"] in markets and row["seed"] < seeds]


def show(rows: list[Json], asked: Json) -> None:
    """Print the table."""
    print(f"simulated markets, three symbols; {json.dumps(asked)}")
    for market in dict.fromkeys(row["market"] for row in rows):
        own = [row for row in rows if row["market"] == market]
        cpu = sum(row["cpu_s"] for row in own) / len(own)
        failed = sum(
            turn["action"] == "failed" for row in own for t in row["slots"].values() for turn in t
        )
        print(f"{market}: {len(own)} seeds, {cpu:.0f} CPU s each, {failed} failed slot-turns")
        for kind in (None, *own[0]["slots"]):
            for name, s in shares(own, kind).items():
                print(
                    f"  {kind or 'all kinds':12}{name:20}{s['hits']:6} of {s['of']:6}"
                    f"{s['share']:8.3f} [{s['low']:.3f}, {s['high']:.3f}]"
                )


def main() -> None:
    """Run the seeds that are left and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--backfill", type=float, default=14, help="days")
    parser.add_argument("--days", type=float, default=14, help="of history of a turn")
    parser.add_argument("--timeframe", default="5m")
    parser.add_argument("--recipes", default="logistic,ridge")
    parser.add_argument("--markets", nargs="+", default=["random walk"], choices=list(MARKETS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("var/bench/noise.jsonl"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = ("turns", "backfill", "days", "timeframe", "recipes")
    asked = {name: getattr(given, name) for name in names}
    rows = run(asked, given.markets, given.seeds, given.jobs, given.out)
    if given.json:
        by_market = {m: [row for row in rows if row["market"] == m] for m in given.markets}
        found = {m: {"seeds": len(own), **shares(own)} for m, own in by_market.items()}
        print(json.dumps({"asked": asked, "simulated": True, "found": found}, indent=1))
    else:
        show(rows, asked)


if __name__ == "__main__":
    main()
