"""Three ways of keeping predictions and outcomes, behind one face."""

# ruff: noqa: D102 - the class above says what they are
from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sqlalchemy import Engine, create_engine, event, text

from orchestration.store import Store

SLOT = "majors/direction/1m"
SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
VERSIONS = 5
BARS = 1440
START = 1_747_000_000_000
KEY = "version, symbol, ts_ms"


class Contestant(Protocol):
    """Writes days of predictions and their outcomes, and reads them back as one frame."""

    can_repeat: bool

    def __init__(self, url: str) -> None: ...
    def write(self, day: pd.DataFrame) -> None: ...
    def outcomes(self, frame: pd.DataFrame) -> None: ...
    def read(self) -> pd.DataFrame: ...
    def close(self) -> None: ...


def days_of(rows: int) -> list[pd.DataFrame]:
    """Return so many rows as batches: a day of three symbols of one version each."""
    rng, batch = np.random.default_rng(0), BARS * len(SYMBOLS)
    days = []
    for number in range(-(-rows // batch)):
        day, version = divmod(number, VERSIONS)
        ts = START + (day * BARS + np.repeat(np.arange(BARS), len(SYMBOLS))) * 60_000
        symbol = np.tile(np.array(SYMBOLS, dtype=object), BARS)
        raw = rng.random(batch).astype(np.float32).astype(np.float64)
        days.append(
            pd.DataFrame({"version": f"v{version}", "symbol": symbol, "ts_ms": ts, "raw_0": raw})
        )
    return days


def came_of(days: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the outcomes of all bars, one in fifty of them void."""
    bars = pd.concat(days).drop_duplicates(["symbol", "ts_ms"])[["symbol", "ts_ms"]]
    up = (np.random.default_rng(1).random(len(bars)) < 0.5).astype(float)
    up[::50] = np.nan
    return bars.assign(outcome_0=up).reset_index(drop=True)


class Ours:
    """The ledger."""

    can_repeat = True

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        for k in range(VERSIONS):
            self.store.register_model(SLOT, f"v{k}")

    def write(self, day: pd.DataFrame) -> None:
        version = day["version"].iloc[0]
        self.store.add_predictions(SLOT, version, "shadow", day, made_ms=START)

    def outcomes(self, frame: pd.DataFrame) -> None:
        self.store.add_outcomes(SLOT, frame)

    def read(self) -> pd.DataFrame:
        return self.store.ledger(SLOT)

    def close(self) -> None:
        self.store.close()


class _Plain:
    """A database with two plain tables."""

    columns = "raw_0 DOUBLE PRECISION"
    outcome = "outcome_0 DOUBLE PRECISION"

    def __init__(self, url: str) -> None:
        self.engine = engine_of(url)
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "CREATE TABLE p (version TEXT, symbol TEXT, ts_ms BIGINT, role TEXT, "
                    f"made_ms BIGINT, {self.columns}, PRIMARY KEY ({KEY}))"
                )
            )
            connection.execute(
                text(
                    f"CREATE TABLE o (symbol TEXT, ts_ms BIGINT, {self.outcome}, "
                    "PRIMARY KEY (symbol, ts_ms))"
                )
            )

    def close(self) -> None:
        self.engine.dispose()


class Pandas(_Plain):
    """DataFrame.to_sql and read_sql."""

    can_repeat = False

    def write(self, day: pd.DataFrame) -> None:
        whole = day.assign(role="shadow", made_ms=START)
        whole.to_sql("p", self.engine, if_exists="append", index=False)

    def outcomes(self, frame: pd.DataFrame) -> None:
        frame.to_sql("o", self.engine, if_exists="append", index=False)

    def read(self) -> pd.DataFrame:
        return pd.read_sql(QUERY, self.engine)


class Naive(_Plain):
    """One INSERT a row through the driver's executemany, numbers as JSON text."""

    can_repeat = True
    columns = "raw TEXT"
    outcome = "outcome TEXT"

    def write(self, day: pd.DataFrame) -> None:
        rows = [
            {"v": v, "s": s, "t": t, "raw": json.dumps([x])}
            for v, s, t, x in day.itertuples(index=False)
        ]
        self._insert(f"INSERT INTO p VALUES (:v, :s, :t, 'shadow', {START}, :raw)", rows)

    def outcomes(self, frame: pd.DataFrame) -> None:
        rows = [
            {"s": s, "t": t, "came": json.dumps([x if x == x else None])}
            for s, t, x in frame.itertuples(index=False)
        ]
        self._insert("INSERT INTO o VALUES (:s, :t, :came)", rows)

    def _insert(self, query: str, rows: list[dict[str, Any]]) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(f"{query} ON CONFLICT DO NOTHING"), rows)

    def read(self) -> pd.DataFrame:
        with self.engine.connect() as connection:
            frame = pd.DataFrame(connection.execute(text(QUERY)).mappings().all())
        frame["raw_0"] = [json.loads(said)[0] for said in frame.pop("raw")]
        frame["outcome_0"] = [json.loads(came)[0] for came in frame.pop("outcome")]
        return frame


QUERY = (
    "SELECT p.*, o.* FROM p LEFT JOIN o ON o.symbol = p.symbol AND o.ts_ms = p.ts_ms "
    "ORDER BY p.ts_ms, p.symbol, p.version"
)

CONTESTANTS: dict[str, type[Any]] = {"ledger": Ours, "pandas": Pandas, "naive": Naive}


def engine_of(url: str) -> Engine:
    """Open a database as the ledger does: a commit is on the disk."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

    return engine
