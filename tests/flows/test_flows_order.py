"""The steps of a turn are taken in one order, in a flow and in one process (so in a replay)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows import cycle
from orchestration.service import steps, turn
from orchestration.service.beginning import turn_at
from orchestration.settings import Settings, load_settings

NOW = 1_748_390_400_000
STEPS = (
    "fetch", "dataset", "ledger", "drift", "drift_pooled", "fit", "back_fill", "judge", "publish",
    "decide", "serve", "ensembles",
)  # fmt: skip


class Told:
    """Stands in for `flows.turn.Turn`: notes which steps the flow asks for, in which order."""

    taken: list[str]

    def __init__(self, begun: Any, settings: Settings) -> None:
        Told.taken = []

    def _take(self, step: Any, subject: str = "") -> None:
        Told.taken.append(f"{step.name} {subject}".strip())

    def spread(self, step: Any, subjects: Iterable[str]) -> list[str]:
        found = list(subjects)
        for subject in found:
            self._take(step, subject)
        return found

    def collect(self, step: Any, spread: list[str]) -> Iterator[str]:
        return iter([kind for kind in ("direction", "risk", "volatility") if kind in spread])

    def must(self, step: Any) -> None:
        self._take(step)

    last = must

    def chain(self, subject: str, *chained: Any) -> None:
        for step in chained:
            self._take(step, subject)

    def finish(self) -> None:
        pass


@pytest.mark.parametrize("backfill_days", [0, 2])
def test_a_flow_takes_the_steps_of_run_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backfill_days: float
) -> None:
    settings = load_settings(
        home=tmp_path, kinds="direction,risk,volatility", symbols="BTC-USDT,ETH-USDT",
        backfill_days=backfill_days, workers=1,
    )  # fmt: skip
    taken: list[str] = []
    for name in STEPS:
        told = lambda *said, name=name: taken.append(" ".join([name, *said[1:]]))  # noqa: E731
        monkeypatch.setattr(steps, name, told)
    begun = SimpleNamespace(idle=False, turn=turn_at(settings, NOW), sentence="")
    monkeypatch.setattr(steps, "begin", lambda *said: begun)
    monkeypatch.setattr(steps, "finish", lambda *said: {})
    turn.run_turn(settings, NOW)
    monkeypatch.setattr(cycle, "Turn", Told)
    cycle.turn_of(settings, NOW)  # type: ignore[arg-type]
    flow = Told.taken

    # Fits run beside the look back: they depend on the data alone.
    assert [step for step in flow if not step.startswith("fit ")] == [
        step for step in taken if not step.startswith("fit ")
    ]
    for found in (flow, taken):
        fits = [step for step in found if step.startswith("fit ")]
        assert sorted(fits) == ["fit direction", "fit risk", "fit volatility"]
        assert found.index("dataset") < found.index(fits[0])
        assert found.index(fits[-1]) < found.index("judge direction")
    assert fits == [step for step in flow if step.startswith("fit ")], "the longest first"
    known = {*STEPS} if backfill_days else {*STEPS} - {"back_fill"}
    assert {step.split()[0] for step in flow} == known
