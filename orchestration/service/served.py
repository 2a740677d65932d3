"""Served: what the champions of a replay really said at each bar, asked like models.

A backtest with today's champion tells how it does on bars that it has learnt from. A replay has
written down, bar by bar, what the champion of *that* moment said, whichever version it was; a
strategy that is answered with these rows trades as it would have traded then. Bars that were not
served have no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.symbols import parse_symbol
from market.timeframes import timeframe_ms, utc
from models.common.base_model import BaseModel
from models.common.heads import Answer, Head, make_head
from models.common.risk_score import with_novelty
from models.common.rows import check_timeframe, close_in
from models.common.runner import check_close
from models.common.slot import Slot
from orchestration.judge.lines import BASELINE, recipe_of
from orchestration.service.refs import Json
from orchestration.store.records import ModelRecord
from orchestration.store.store import Store
from strategies.errors import NotAnswered

SERVED = "champion"
"""Role of the rows that users of a slot got."""
FEATURES = ("return_1",)
"""What a strategy asks features for before it asks a model: here they only say which bar it is."""


@dataclass
class Clock:
    """The bar that is looked at: whose it is, and when it closed, epoch milliseconds."""

    symbol: str = ""
    close_ms: int = 0


@dataclass(frozen=True)
class Rows:
    """What a slot's champions said.

    Attributes
    ----------
    slot
        Which.
    place
        By symbol and open of the bar, its row.
    raw
        Output of the version that served it, float64 [n, K].
    version
        Index into `heads` and `recipes`, [n].
    heads, recipes
        Of the versions.
    late
        Rows left out: said by a version that was made after the bar had closed.
    """

    slot: Slot
    place: Mapping[tuple[str, int], int]
    raw: NDArray[np.float64]
    version: NDArray[np.int64]
    heads: tuple[Head, ...]
    recipes: tuple[str, ...]
    late: int = 0


def rows_of(store: Store, slot: Slot, first_ms: int, end_ms: int) -> Rows:
    """Return what the champions of a slot said of bars that opened in [first, end)."""
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    said = store.ledger(slot.key, since_ms=first_ms, until_ms=end_ms, roles=(SERVED,))
    said = said[said["version"].isin(list(models)).to_numpy(bool)]
    version, names = pd.factorize(said["version"], sort=True)
    known = [models[str(name)] for name in names]
    made = np.array([_made_ms(model) for model in known], dtype=np.int64)
    opened = said["ts_ms"].to_numpy(np.int64)
    in_time = made[version] <= opened + timeframe_ms(slot.timeframe)
    # Of two champions at one bar the first to speak was the one that was heard.
    order = np.argsort(said["made_ms"].to_numpy(np.int64), kind="stable")
    order = order[in_time[order]]
    symbol = said["symbol"].astype(str).tolist()
    place: dict[tuple[str, int], int] = {}
    for k in order.tolist():
        place.setdefault((symbol[k], int(opened[k])), k)
    raws = [name for name in said.columns if str(name).startswith("raw_")]
    return Rows(
        slot=slot,
        place=place,
        raw=said[raws].to_numpy(np.float64),
        version=version.astype(np.int64),
        heads=tuple(make_head(slot.kind, model.facts.get("head") or {}) for model in known),
        recipes=tuple(recipe_of(model) for model in known),
        late=int(np.count_nonzero(~in_time)),
    )


@dataclass
class ServedModel(BaseModel):
    """A slot's champions as they served, asked like the model that `load_model` returns.

    Parameters
    ----------
    rows
        What they said.
    clock
        Which bar is looked at, for rows of features that do not say it themselves.

    Attributes
    ----------
    asked, unanswered
        How many bars it was asked about, and how many of those nobody had served.
    """

    rows: Rows
    clock: Clock
    asked: int = 0
    unanswered: int = 0
    _from: Counter[str] = field(default_factory=Counter)

    @property
    def kind(self) -> str:
        """Kind of the slot."""
        return self.rows.slot.kind

    @property
    def slot(self) -> Slot:
        """The slot whose champions answer."""
        return self.rows.slot

    @property
    def features(self) -> list[str]:
        """One cheap column: a served answer is looked up by its bar, not computed."""
        return list(FEATURES)

    @property
    def info(self) -> Mapping[str, Any]:
        """What it is; there is no one version."""
        return {
            "name": f"{self.slot.key}@served",
            "type": "served",
            "kind": self.kind,
            "recipes": sorted(set(self.rows.recipes)),
        }

    def bind(self, columns: object) -> ServedModel:
        """Return itself: whatever rows are shown to it, the bar is what counts."""
        return self

    def predict(self, features: Any = None, close: Any = None) -> Answer:
        """Return what was served at the bars of `features`; see `BaseModel.predict`.

        ``novelty`` is None: the ledger does not keep it.

        Parameters
        ----------
        features
            A frame of the feature manager says symbol and bars itself; any other row is about the
            bar that is looked at.
        close
            Closing prices, for kinds that predict a price.

        Raises
        ------
        NotAnswered
            A bar was not served.
        FeatureError
            The rows are of another timeframe than the slot.
        """
        check_timeframe(features, self.slot.timeframe, self.slot.key)
        symbol, bars = self._bars(features)
        found = [self._row(symbol, opened) for opened in bars]
        close = close_in(features) if close is None and self._reads_close else close
        prices = None if close is None else check_close(close, len(bars))
        if len(found) == 1:
            k = found[0]
            price = None if prices is None else float(prices[0])
            return with_novelty(self._head(k).decode_one(self.rows.raw[k].tolist(), price), None)
        head = self._head(found[-1])
        if fields(head) and len(set(self.rows.version[found].tolist())) > 1:  # type: ignore[arg-type]
            raise NotAnswered(
                f"{len(bars)} bars of {self.slot} were served by several versions, each with a "
                "table of its own; ask for one bar"
            )
        return with_novelty(head.decode(self.rows.raw[found], prices), None)

    def told(self) -> Json:
        """Return what was asked and who had answered, for the end of a backtest."""
        return {
            "slot": self.slot.key,
            "served": len(self.rows.place),
            "asked": self.asked,
            "unanswered": self.unanswered,
            "late": self.rows.late,
            "answered_by": dict(self._from.most_common()),
            "baseline": self._from[BASELINE],
        }

    @property
    def _reads_close(self) -> bool:
        return bool(self.rows.heads and self.rows.heads[0].reads_close)

    def _head(self, row: int) -> Head:
        head: Head = self.rows.heads[int(self.rows.version[row])]
        return head

    def _row(self, symbol: str, opened: int) -> int:
        self.asked += 1
        row = self.rows.place.get((symbol, opened))
        if row is None:
            self.unanswered += 1
            raise NotAnswered(f"{self.slot} served nothing of {symbol} at {utc(opened)}")
        self._from[self.rows.recipes[self.rows.version[row]]] += 1
        return row

    def _bars(self, features: Any) -> tuple[str, list[int]]:
        """Return whose bars are asked about, and when they opened."""
        step = timeframe_ms(self.slot.timeframe)
        latest = self.clock.close_ms // step * step - step
        index = getattr(features, "index", None)
        if not isinstance(index, pd.DatetimeIndex):
            return parse_symbol(self.clock.symbol), [latest]
        symbol = parse_symbol(str(features.attrs.get("symbol") or self.clock.symbol))
        opened = [int(ms) for ms in index.as_unit("ms").asi8]
        if opened and opened[-1] > latest:
            raise NotAnswered(f"{utc(opened[-1])} has not closed at {utc(self.clock.close_ms)}")
        return symbol, opened


def _made_ms(model: ModelRecord) -> int:
    """Return when a version was there: in a replay, the moment of its turn."""
    return int(model.created_at.timestamp() * 1000)
