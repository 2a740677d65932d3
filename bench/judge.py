"""How long a slot's verdicts take: four weeks of one-minute ledger, three symbols, five lines.

    python -m bench.judge

Rows are drawn, not read: the time of the database is `bench.ledger`'s. Every line has a version for
each half day, as turns leave them.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from ml_pipeline.tasks import TASKS
from models.common.slot import Slot
from orchestration.judge.lines import lines_of
from orchestration.judge.verdicts import standings
from orchestration.store.records import ModelRecord

BARS, TURN = 28 * 1440, 720
SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
RECIPES = ("a", "b", "c", "d", "baseline")
HEAD = {
    "event_threshold": 1.2,
    "interval_q": 1.64,
    "median_log_variance": -12.0,
    "probability_quantiles": np.linspace(0, 1, 101).tolist(),
}


def drawn(kind: str, rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, ModelRecord]]:
    """Return a resolved ledger of noise, and the records of its versions."""
    n = BARS * len(SYMBOLS)
    at = np.repeat(np.arange(BARS), len(SYMBOLS))
    now = pd.Timestamp("2025-05-20", tz="UTC").to_pydatetime()

    def outcome() -> list[np.ndarray]:
        if kind in ("direction", "momentum"):
            return [(rng.uniform(size=n) < 0.5).astype(float)]
        if kind == "risk":
            return [np.abs(rng.standard_normal(n))]
        if kind == "price":
            return [rng.standard_normal(n) * 1e-3]
        return [np.exp(rng.standard_normal(n) - 12), np.exp(rng.standard_normal(n) - 11)]

    def raw() -> list[np.ndarray]:
        if kind == "price":
            return [rng.standard_normal(n) * 1e-5, np.full(n, 1e-3)]
        if kind == "volatility":
            return [rng.standard_normal(n) * 0.2 - 12, rng.standard_normal(n) * 0.2 - 11]
        return [rng.uniform(0.3, 0.7, n)]

    came, parts, models = outcome(), [], {}
    for recipe in RECIPES:
        names = np.array([f"t{k:03d}_{recipe}" for k in range(BARS // TURN + 1)], dtype=object)
        facts = {"recipe": recipe, "baseline": recipe == "baseline", "head": HEAD}
        models |= {v: ModelRecord("", v, v, "superseded", facts, now, now) for v in names}
        frame = {
            "symbol": np.tile(np.array(SYMBOLS, dtype=object), BARS),
            "ts_ms": 60_000 * at,
            "version": names[at // TURN],
            "role": "shadow",
            "made_ms": 60_000 * at,
            "resolved": True,
        }
        frame |= {f"raw_{k}": values for k, values in enumerate(raw())}
        frame |= {f"outcome_{k}": values for k, values in enumerate(came)}
        parts.append(pd.DataFrame(frame))
    return pd.concat(parts, ignore_index=True), models


def main() -> None:
    """Print the CPU seconds of each kind."""
    rng = np.random.default_rng(0)
    print(f"{'kind':<12}{'rows':>9}{'lines, s':>10}{'verdicts, s':>13}")
    for kind in TASKS:
        slot = Slot("majors", kind, "1m")
        rows, models = drawn(kind, rng)
        begun = time.process_time()
        lines = lines_of(slot, rows, models)
        read = time.process_time()
        standings(lines, "a", seed=0)
        judged = time.process_time()
        print(f"{kind:<12}{len(rows):>9,}{read - begun:>10.2f}{judged - read:>13.2f}", flush=True)


if __name__ == "__main__":
    main()
