"""Ledgers of before the numbers: every row is kept, to the bit, forward and back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from alembic import command
from sqlalchemy import Connection, Engine, create_engine, text

from orchestration.store import Store
from orchestration.store.migrations import configuration

SLOTS = {"majors/direction/1m": 1, "majors/volatility/1m": 2}
MINUTE = 60_000


def engine_of(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def old_ledger(connection: Connection, rows: int) -> pd.DataFrame:
    """Fill a database of revision 0001 and return what it holds."""
    rng = np.random.default_rng(4)
    kept = []
    for model_id, (slot, width) in enumerate(SLOTS.items(), start=1):
        connection.execute(
            text(
                "INSERT INTO models VALUES (:id, :slot, 'v1', 'v1', 'champion', '{}', "
                "'2025-05-20 00:00:00', '2025-05-20 00:00:00')"
            ),
            {"id": model_id, "slot": slot},
        )
        for k in range(rows):
            raw = (rng.normal(size=width) * 10.0 ** rng.integers(-300, 300)).tolist()
            if k == 3:
                raw[0] = -0.0
            came = [None if k == 5 else 0.1 * k, *rng.random(width - 1).tolist()]
            symbol = "BTC-USDT" if k % 2 else "ETH-USDT"
            row = {"m": model_id, "t": k * MINUTE, "s": symbol, "k": slot, "made": 7 + k}
            row |= {"role": ("champion", "shadow", "baseline")[k % 3]}
            row |= {"raw": json.dumps(raw), "came": json.dumps(came)}
            connection.execute(
                text("INSERT INTO predictions VALUES (:m, :t, :s, :role, :raw, :made)"), row
            )
            if k < rows - 2:
                connection.execute(text("INSERT INTO outcomes VALUES (:k, :t, :s, :came)"), row)
            else:
                came = [np.nan] * width
            kept.append((slot, symbol, k * MINUTE, row["role"], 7 + k, k < rows - 2, raw, came))
    names = ["slot", "symbol", "ts_ms", "role", "made_ms", "resolved", "raw", "outcome"]
    return pd.DataFrame(kept, columns=names)


def test_old_rows_are_kept_to_the_bit(database_url: str) -> None:
    Store(database_url).close()
    engine = engine_of(database_url)
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0001")
        old = old_ledger(connection, 20)
    store = Store(database_url)
    for slot, width in SLOTS.items():
        new, was = store.ledger(slot), old[old["slot"] == slot].reset_index(drop=True)
        for name in ("symbol", "ts_ms", "role", "made_ms", "resolved"):
            assert new[name].tolist() == was[name].tolist(), name
        for prefix in ("raw", "outcome"):
            columns = [f"{prefix}_{k}" for k in range(width)]
            assert f"{prefix}_{width}" not in new
            numbers = np.array(was[prefix].tolist(), dtype=np.float64)
            same = (new[columns].to_numpy() == numbers) | np.isnan(numbers)
            assert same.all()
            signs = np.signbit(new[columns].to_numpy()) == np.signbit(numbers)
            assert (signs | np.isnan(numbers)).all()
    # What is added now meets what was there.
    again = pd.DataFrame({"symbol": ["ETH-USDT"], "ts_ms": [0], "raw": [[0.5]]})
    assert store.add_predictions("majors/direction/1m", "v1", "shadow", again) == 0
    more = again.assign(symbol="SOL-USDT")
    assert store.add_predictions("majors/direction/1m", "v1", "shadow", more) == 1
    store.close()
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0001")
        texts = connection.execute(
            text("SELECT raw FROM predictions WHERE model_id = 2 ORDER BY ts_ms")
        ).scalars()
        back = [json.loads(t) if isinstance(t, str) else t for t in texts]
    engine.dispose()
    assert back == old[old["slot"] == "majors/volatility/1m"]["raw"].tolist()
