"""The service: one object that runs turns and answers what people ask about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from market.symbols import scope_of
from models.common.slot import KINDS, Slot
from orchestration.lifecycle.errors import SyncRefused
from orchestration.lifecycle.sync import Synced, sync
from orchestration.ranker import leaderboard
from orchestration.service.errors import NoTurn
from orchestration.service.recovering import recover
from orchestration.service.refs import Json
from orchestration.service.resources import registry_of, store_of, tracking_of
from orchestration.settings import Settings, load_settings
from orchestration.store.records import COMPLETED, WITH_FAILURES


class Service:
    """What every face (command line, API, flows) asks for; it holds no state of its own.

    Parameters
    ----------
    settings
        Which home, market and gates.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def run_turn(self, now: datetime | str | int) -> Json:
        """Run a turn in this process; see `orchestration.service.turn.run_turn`."""
        # Only now: it brings all that fits models, which those who only ask can do without.
        from orchestration.service.turn import run_turn

        return run_turn(self.settings, now)

    def list_turns(self, limit: int | None = None) -> list[Json]:
        """Return the turns, the last begun first, each with status, times and seconds of stages."""
        turns = store_of(self.settings).list_turns(limit)
        return [{k: v for k, v in turn.as_dict().items() if k != "summary"} for turn in turns]

    def report(self, turn_id: str | None = None) -> Json:
        """Return the report of a turn, by default of the last completed one.

        Raises
        ------
        NoTurn
            No turn is completed yet.
        UnknownTurn
            No turn of that id was begun.
        """
        store = store_of(self.settings)
        if turn_id is not None:
            return store.get_turn(turn_id).summary
        for turn in store.list_turns():
            if turn.status in (COMPLETED, WITH_FAILURES):
                return turn.summary
        raise NoTurn(f"no turn is completed in {self.settings.home}; run one: tidewheel cycle")

    def leaderboard(self, count: int | None = None) -> list[Json]:
        """Return the best champions of the last completed turn, ranked by what they have proven."""
        most = self.settings.gates.leaderboard if count is None else count
        return leaderboard(self.report()["slots"], most)

    def list_models(self, kind: str | None = None) -> list[Json]:
        """Return every version, newest first within its slot, with status and facts."""
        models = store_of(self.settings).list_models()
        wanted = [m for m in models if kind is None or m.slot_key.split("/")[1] == kind]
        return [model.as_dict() for model in wanted]

    def follow(self) -> list[str]:
        """Let the folder follow aliases that somebody moved; cheap enough for a short poll.

        Every slot of the home that has a champion is looked at, whatever its scope.

        Returns
        -------
        list of str
            A sentence for each slot that moved, and for each promotion that was cut off and is
            finished now.

        Raises
        ------
        SyncRefused
            A bundle is refused; the one before keeps serving, and the other slots have followed
            all the same.
        NotRecovered, TrackingError
            MLflow cannot be asked.
        """
        tracking, registry = tracking_of(self.settings), registry_of(self.settings)
        said = recover(self.settings)
        refused: list[SyncRefused] = []
        champions = store_of(self.settings).list_models(status="champion")
        for slot in sorted({Slot.parse(model.slot_key) for model in champions}):
            before, now = registry.linked(slot), tracking.champion(slot)
            # A slot that serves nothing yet is in its first turn, which sets the link itself.
            if before is not None and now not in (None, before):
                try:
                    sync(slot, tracking, registry)
                except SyncRefused as error:
                    refused.append(error)
                    continue
                said.append(f"{slot}: {now} serves now, no longer {before}, as its alias says")
        _raise(refused)
        return said

    def sync(self) -> dict[str, Synced]:
        """Make the registry folder follow MLflow's aliases, for every kind of the settings' scope.

        Raises
        ------
        SyncRefused
            A champion's bundle is refused; the one before keeps serving, and the other slots have
            followed all the same.
        """
        s = self.settings
        recover(s)
        found: dict[str, Synced] = {}
        refused: list[SyncRefused] = []
        for kind in KINDS:
            slot = Slot(scope_of(s.symbols), kind, s.timeframe)
            try:
                found[slot.key] = sync(slot, tracking_of(s), registry_of(s))
            except SyncRefused as error:
                refused.append(error)
        _raise(refused)
        return found


def _raise(refused: Sequence[SyncRefused]) -> None:
    if refused:
        raise SyncRefused("; ".join(map(str, refused))) from refused[0]


def get_service(settings: Settings | None = None, **overrides: Any) -> Service:
    """Return the service for some settings, by default those of file and environment.

    Examples
    --------
    >>> get_service(home="/tmp/tidewheel").list_turns()  # doctest: +SKIP
    []
    """
    return Service(settings or load_settings(**overrides))
