"""Helpers: the command line in this process, and what alias, link and status say of a slot."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from models.common.slot import Slot
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.settings import Settings
from serving import cli

MARKET: dict[str, Any] = {
    # Nothing to be learnt, and one learner that is never promoted: the baseline serves.
    "source": "simulated:random-walk,seed=7",
    "recipes": "direction/xgboost",
    "gates": {"skill_above": 0.5},
    "symbols": "BTC-USDT,ETH-USDT",
    "timeframe": "1m",
    "days": 3,
    "kinds": "direction",
}
NOW = ("2025-05-20T00:00:00Z", "2025-05-20T12:00:00Z")
SLOT = Slot("BTC-USDT+ETH-USDT", "direction", "1m")
LATER = "2025-05-20T15:00:00Z"


def call(*arguments: str) -> int:
    """Run the command line in this process and return its exit status."""
    before = sys.argv
    sys.argv = ["tidewheel", *arguments]
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        sys.argv = before
    return int(ended.value.code or 0)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    """Run a command with --json and return its answer."""
    capsys.readouterr()
    found = call(*arguments, "--json")
    captured = capsys.readouterr()
    assert found == status, captured.err
    return json.loads(captured.out)


@dataclass(frozen=True)
class Desk:
    """What alias, link and store say about one slot."""

    settings: Settings
    slot: Slot

    def serving(self) -> tuple[str | None, str | None, list[str], list[str]]:
        """Return the champion by alias, link, store's status and MLflow's status tags."""
        store, tracking, registry = (
            of(self.settings) for of in (store_of, tracking_of, registry_of)
        )
        return (
            tracking.champion(self.slot),
            registry.linked(self.slot),
            [m.version for m in store.list_models(slot_key=self.slot.key, status="champion")],
            [v.version for v in tracking.versions(self.slot) if v.status == "champion"],
        )

    def champion(self) -> str:
        """Return the champion, on which all must agree."""
        alias, link, stored, tagged = self.serving()
        assert alias is not None
        assert (link, stored, tagged) == (alias, [alias], [alias])
        return alias

    def challenger(self) -> tuple[str | None, str | None]:
        """Return the challenger by alias and link."""
        return (
            tracking_of(self.settings).challenger(self.slot),
            registry_of(self.settings).linked(self.slot, "challenger"),
        )

    def version(self, ending: str) -> str:
        """Return the newest version that ends so."""
        stored = store_of(self.settings).list_models(slot_key=self.slot.key)
        return next(model.version for model in stored if model.version.endswith(ending))

    def pending(self) -> list[str]:
        """Return the promotions that are begun and not ended."""
        folder = registry_of(self.settings).root / ".promotions"
        return sorted(path.name for path in folder.glob("*.json"))
