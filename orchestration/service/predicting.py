"""Between two turns: what is in service predicts the bars that closed, and outcomes are settled.

The same as a turn does at its beginning, without learning anything: candles, features, predictions,
outcomes, and a look at whether a champion does harm.
"""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import hashes
from features.program import FeatureProgram
from market.fetch import update
from market.timeframes import utc
from ml_pipeline.panel import Panel, build_panel
from models.common.errors import ModelError
from orchestration import engine
from orchestration.said import drain
from orchestration.service.beginning import refuse_other_market, turn_at
from orchestration.service.data import joined, read_candles, start_ms, warmup_of
from orchestration.service.errors import NothingFetched, PredictRunning, TurnRunning
from orchestration.service.recovering import recover
from orchestration.service.refs import Json, TurnRef
from orchestration.service.resources import candles_of, registry_of, source_of, store_of
from orchestration.service.watching import watch_now
from orchestration.service.work import predict_lock
from orchestration.settings import Settings
from orchestration.spool import Spool


def predict(settings: Settings, now: datetime | str | int) -> Json:
    """Record what the versions in service say about the bars that closed, and settle outcomes.

    Safe to repeat and to kill: what a bar's row says is decided by the bytes in service and by its
    candles alone, and rows that are there stay as they are. A turn is never in its way: while one
    runs there is nothing to do, since the turn does the same.

    Parameters
    ----------
    settings
        Symbols, kinds and timeframe name the slots.
    now
        A time with a zone, or epoch milliseconds; taken back to the last close of a bar.

    Returns
    -------
    dict
        ``at``, ``changed`` (bool), ``sentence``, ``simulated``, ``source_name``, ``predictions``
        and ``outcomes`` (new rows), ``candles`` (by symbol), ``slots`` (by kind: ``versions``,
        ``predictions``, ``outcomes``, ``broken``), ``failures`` (one symbol or kind that could not
        be done does not stop the others), ``watch`` (see `orchestration.service.watching`: a
        champion that does harm is rolled back here; None where nothing serves) and ``seconds``.

    Raises
    ------
    NothingFetched
        No symbol's candles could be brought up to date.
    OtherMarket
        What serves was learnt on a simulated market and this one is real, or the reverse.
    """
    turn = turn_at(settings, now)
    source = source_of(settings)
    found: Json = {
        "at": turn.at.isoformat(),
        "simulated": source.simulated,
        "source_name": source.name,
        "changed": False,
        "sentence": "",
        "predictions": 0,
        "outcomes": 0,
        "candles": [],
        "slots": [],
        "failures": [],
        "watch": None,
        "seconds": 0.0,
    }
    began = time.perf_counter()
    try:
        with predict_lock(settings):
            recover(settings)
            refuse_other_market(turn)
            # What strategies said while the database was down comes first: they said it first.
            drain(Spool(settings.spool_dir), store_of(settings))
            _Look(turn, found).all_slots()
    except (TurnRunning, PredictRunning) as error:
        found["sentence"] = f"nothing to do: {error}"
    found["seconds"] = round(time.perf_counter() - began, 3)
    return found


class _Look:
    """One look at the market by what is in service."""

    def __init__(self, turn: TurnRef, found: Json) -> None:
        self.turn = turn
        self.found = found
        self.unread: dict[str, dict[str, str]] = {}
        self.store, self.registry = store_of(turn.settings), registry_of(turn.settings)

    def all_slots(self) -> None:
        """Fetch candles, then record and settle every slot that something serves."""
        serving = {
            kind: engine.in_service(self.store, self.turn.slot(kind))
            for kind in self.turn.settings.kinds
        }
        kinds = [kind for kind, models in serving.items() if models]
        if not kinds:
            slots = ", ".join(self.turn.slot(kind).key for kind in self.turn.settings.kinds)
            self.found["sentence"] = (
                f"nothing to do: nothing serves yet in {slots}; run a turn first, or name other "
                "symbols, kinds or another timeframe"
            )
            return
        symbols = self._fetch()
        names = self._columns(kinds)
        panel = self._panel(symbols, names) if names else None
        candles = read_candles(self.turn, symbols)
        for kind in kinds:
            self._attempt("predict", kind, partial(self._slot, kind, panel, candles))
        self._attempt("watch", "", self._watch)
        self._conclude()

    def _watch(self) -> None:
        """Judge what serves by the outcomes that are known now; harm is rolled back at once."""
        self.found["watch"] = watch_now(self.turn.settings, self.turn.at)

    def _fetch(self) -> tuple[str, ...]:
        """Bring the candles of every symbol up to date; return those of which it could be done."""
        symbols = self.turn.settings.symbols
        done = [s for s in symbols if self._attempt("fetch", s, partial(self._update, s))]
        if not done:
            reasons = "; ".join(failure["message"] for failure in self.found["failures"])
            raise NothingFetched(
                f"no symbol could be fetched ({reasons}); the next run tries again"
            )
        return tuple(done)

    def _update(self, symbol: str) -> None:
        settings = self.turn.settings
        begin, end = utc(start_ms(self.turn)), self.turn.at
        source, candles = source_of(settings), candles_of(settings)
        result = update(source, candles, symbol, settings.timeframe, begin, end)
        row = {"symbol": symbol, "rows_new": result.rows_new, "last": result.last.isoformat()}
        self.found["candles"].append(row)

    def _columns(self, kinds: list[str]) -> list[str]:
        """Return the features that the versions in service read; note who cannot be read."""
        needed: dict[str, None] = {}
        for kind in kinds:
            slot = self.turn.slot(kind)
            for model in engine.in_service(self.store, slot):
                try:
                    bundle = self.registry.read(self.registry.folder(slot, model.version))
                except ModelError as error:
                    self.unread.setdefault(kind, {})[model.version] = str(error)
                    continue
                if unknown := hashes.missing(bundle.schema.names):
                    said = f"features that are not known here: {', '.join(unknown)}"
                    self.unread.setdefault(kind, {})[model.version] = said
                else:
                    needed |= dict.fromkeys(bundle.schema.names)
        return list(needed)

    def _panel(self, symbols: tuple[str, ...], names: list[str]) -> Panel:
        """Return the features of the turn's window, computed from where a turn computes them."""
        turn, timeframe = self.turn, self.turn.settings.timeframe
        program = FeatureProgram(names, timeframe)
        candles = joined(turn, program, read_candles(turn, symbols, warmup_of(turn, program)))

        def features(frame: pd.DataFrame) -> NDArray[np.float32]:
            return np.asarray(program.run(frame, settled=True), dtype=np.float32)

        whole = build_panel(candles, timeframe, tuple(names), features)
        return whole.rows(whole.ts >= start_ms(turn))

    def _slot(self, kind: str, panel: Panel | None, candles: dict[str, pd.DataFrame]) -> None:
        slot, at_ms = self.turn.slot(kind), self.turn.at_ms
        made = engine.Recorded(0, self.unread.get(kind, {}))  # not one can be read
        if panel is not None:
            made = engine.record(self.store, self.registry, slot, panel, at_ms)
        row = {
            "slot": slot.key,
            "kind": kind,
            "versions": len(engine.in_service(self.store, slot)),
            "predictions": made.rows,
            "outcomes": engine.resolve(self.store, slot, candles, start_ms(self.turn), at_ms),
            "broken": made.broken,
        }
        self.found["slots"].append(row)

    def _attempt(self, stage: str, subject: str, step: Any) -> bool:
        """Take one step; note what it raises and return whether it succeeded."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the others go on
            self._fail(stage, subject, error)
            return False
        return True

    def _fail(self, stage: str, subject: str, error: Exception) -> None:
        said = {"stage": stage, "subject": subject, "message": str(error) or repr(error)}
        self.found["failures"].append({**said, "error": type(error).__name__})

    def _conclude(self) -> None:
        found = self.found
        for name in ("predictions", "outcomes"):
            found[name] = sum(row[name] for row in found["slots"])
        found["changed"] = bool(found["predictions"] or found["outcomes"])
        market = "SIMULATED market" if found["simulated"] else found["source_name"]
        broken = [v for row in found["slots"] for v in row["broken"]]
        out = f"; cannot predict: {', '.join(broken)}" if broken else ""
        found["sentence"] = (
            f"{found['predictions']:,} predictions and {found['outcomes']:,} outcomes new at "
            f"{self.turn.at:%Y-%m-%d %H:%M} UTC, {market}{out}{self._moved()}"
        )

    def _moved(self) -> str:
        """Return what to say of champions that did harm."""
        moved = (self.found["watch"] or {}).get("rolled_back", [])
        return f"; HARM, rolled back: {', '.join(moved)}" if moved else ""
