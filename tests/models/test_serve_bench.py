"""The bench of serving: it counts fairly, and says why where there is nobody to race against."""

from __future__ import annotations

from typing import Any

from bench.serve.clock import BLOCK, percentiles, race
from bench.serve.freqai import freqai
from bench.serve.report import report


def test_contestants_take_turns_and_each_takes_every_bar() -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}
    order: list[str] = []

    def contestant(name: str) -> Any:
        def call(bar: int) -> None:
            seen[name].append(bar)
            order.append(name)

        return call

    bars = list(range(3 * BLOCK))
    figures = race({name: contestant(name) for name in seen}, bars)
    assert seen == {"a": bars, "b": bars}
    assert order[:BLOCK] == ["a"] * BLOCK
    assert order[2 * BLOCK : 3 * BLOCK] == ["b"] * BLOCK
    assert all(one["p99"] >= one["p50"] > 0 for one in figures.values())


def test_an_interpreter_without_freqtrade_is_said_in_a_sentence() -> None:
    assert "has no freqtrade" in str(freqai(None, None, "/bin/false"))  # type: ignore[arg-type]
    assert "has no freqtrade" in str(freqai(None, None, "/nowhere"))  # type: ignore[arg-type]


def test_a_broken_budget_is_said() -> None:
    def page(p50: float) -> str:
        pair = percentiles([p50 * 1e-6] * 3)
        cold = {"cold_s": 0.4, "cpu_s": 0.3, "peak_mb": 120.0}
        return report(
            {
                "bars": 3,
                "columns": 2,
                "closed bar": {"push": pair, "push and five predictions": pair},
                "raced": {"bound models": pair},
                "each": {"direction": pair},
                "batch": {"direction": 1e5},
                "cold": {"pandas": cold},
                "novelty": {"fit_mb": 20.0, "kb": 19.0, "row_us": 10.0, "batch_us": 3.0},
                "freqai": "nobody there",
            },
            simulated=True,
        )

    assert "**kept**" in page(149)
    assert "**BROKEN**" in page(151)
    assert "Simulated candles" in page(1)
    assert "Not measured: nobody there" in page(1)
