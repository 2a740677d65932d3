"""Walked: the home of a replay, opened so that its served answers can be asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from market.symbols import scope_of
from market.timeframes import instant_ms, utc
from models.common.base_model import BaseModel
from models.common.errors import ModelNotFound
from models.common.names import slot_named
from models.common.slot import Slot
from orchestration.service.errors import BadReplay
from orchestration.service.refs import Json
from orchestration.service.replays.plan import PLAN
from orchestration.service.resources import store_of
from orchestration.service.served import Clock, ServedModel, rows_of
from orchestration.settings import Settings


@dataclass
class Walked:
    """A replay that is over, or over so far.

    Attributes
    ----------
    name
        Of its folder.
    settings
        Of its home.
    market
        The same, where its candles are: its own home's, or where that was moved, those of the home
        that asks. Candles are the same in every home.
    first_ms, end_ms
        Its turns happened in [first, end).
    clock
        The bar that a backtest is looking at.
    """

    name: str
    settings: Settings
    market: Settings
    first_ms: int
    end_ms: int
    clock: Clock = field(default_factory=Clock)
    _models: dict[str, ServedModel] = field(default_factory=dict)

    def model(self, name: str, timeframe: str | None = None) -> BaseModel:
        """Return what served in the slot that a name means; as `load_model` is asked.

        Raises
        ------
        ModelNotFound
            The replay had no such slot, or the name means no champion.
        """
        scope, kind, said = slot_named(name)
        own = self._slot(kind)
        for wanted, there in ((scope, own.scope), (said or timeframe, own.timeframe)):
            if wanted is not None and wanted != there:
                raise ModelNotFound(
                    f"{name!r} asks for {wanted}, and the replay {self.name} served {own.key}; "
                    "ask for that"
                )
        if own.key not in self._models:
            rows = rows_of(store_of(self.settings), own, self.first_ms, self.end_ms)
            self._models[own.key] = ServedModel(rows, self.clock)
        return self._models[own.key]

    def told(self) -> list[Json]:
        """Return, slot by slot, what was asked and who had answered."""
        return [model.told() for model in self._models.values()]

    def _slot(self, kind: str) -> Slot:
        s = self.settings
        if kind not in s.kinds:
            raise ModelNotFound(
                f"the replay {self.name} served {', '.join(s.kinds)} and no {kind}; run one with "
                f"--kinds {','.join((*s.kinds, kind))}, or another strategy"
            )
        return Slot(scope_of(s.symbols), kind, s.timeframe)


def walked(settings: Settings, word: str) -> Walked:
    """Return the replay that a word names: its folder, or its name below the home's ``replays``.

    Raises
    ------
    BadReplay
        There is none; the message says which there are.
    """
    for folder in (Path(word).expanduser(), settings.home / "replays" / word):
        if (folder / PLAN).is_file():
            return _opened(settings, folder.resolve())
    there = sorted(path.parent.name for path in (settings.home / "replays").glob(f"*/{PLAN}"))
    known = f"there are {', '.join(there)}" if there else "there is none: tidewheel replay --help"
    raise BadReplay(f"no replay {word!r} in {settings.home}; {known}")


def _opened(settings: Settings, folder: Path) -> Walked:
    told = json.loads((folder / PLAN).read_bytes())
    own = settings.model_copy(
        update={
            "home": folder,
            "database_url": None,  # a replay's records lie in its home
            "source": told["source"],
            "symbols": tuple(told["symbols"]),
            "timeframe": told["timeframe"],
            "kinds": tuple(told["kinds"]),
            "benchmark": told["benchmark"],
        }
    )
    first_ms, end_ms = instant_ms(told["from"]), instant_ms(told["to"])
    if not (folder / "tidewheel.db").is_file():
        raise BadReplay(f"the replay in {folder} has no ledger yet; run it: tidewheel replay")
    there = own.candles_dir.is_dir()
    market = own if there else own.model_copy(update={"home": settings.home})
    return Walked(folder.name, own, market, first_ms, end_ms)


def span(replay: Walked) -> str:
    """Return from when to when a replay went."""
    return f"{utc(replay.first_ms):%Y-%m-%d %H:%M} to {utc(replay.end_ms):%Y-%m-%d %H:%M} UTC"
