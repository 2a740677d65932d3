"""Opening, migrating, sharing and killing the database."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from filelock import FileLock
from sqlalchemy import Engine, create_engine, inspect, text

from orchestration.store import Store
from orchestration.store.database import POSTGRES_LOCK, open_database
from orchestration.store.errors import DatabaseDown, DatabaseTooNew
from orchestration.store.migrations import VERSION_TABLE, configuration
from orchestration.store.tables import Base

ROOT = Path(__file__).parents[2]
SLOT = "majors/direction/1m"


def engine_of(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def spawn(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_migrated_schema_is_that_of_the_tables(database_url: str) -> None:
    Store(database_url).close()
    engine = engine_of(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_sqlite_would_create_the_very_same_tables(tmp_path: Path) -> None:
    """What Alembic does not compare: keys, partial indexes, storage without row ids."""
    migrated, fresh = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    Store(migrated).close()
    Base.metadata.create_all(engine_of(fresh))

    def schema(url: str) -> set[str]:
        with engine_of(url).connect() as connection:
            statements = connection.execute(
                text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE :v"),
                {"v": f"%{VERSION_TABLE}%"},
            ).scalars()
            # The order of a table's constraints means nothing.
            return {"|".join(sorted(re.split(r"\s*[,\n]\s*", s))) for s in statements}

    assert schema(migrated) == schema(fresh)


def test_migrations_go_back_to_nothing(database_url: str) -> None:
    open_database(database_url).dispose()
    engine = engine_of(database_url)
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "base")
    assert set(inspect(engine).get_table_names()) == {VERSION_TABLE}
    engine.dispose()


def test_opening_again_keeps_everything(database_url: str) -> None:
    first = Store(database_url)
    first.begin_turn("t1", {})
    first.close()
    second = Store(database_url)
    assert second.get_turn("t1").status == "running"
    second.close()


def test_a_database_from_the_future_is_refused(database_url: str) -> None:
    Store(database_url).close()
    engine = engine_of(database_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(DatabaseTooNew, match="revision 9999"):
        Store(database_url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "outlive"),
        ("mysql://host/db", "mysql is not supported"),
        ("nonsense", "cannot be read"),
        ("postgresql://tide:secret@127.0.0.1:1/db", r"tide:\*\*\*@127.0.0.1:1/db"),
        ("sqlite:////proc/nowhere/tidewheel.db", "nowhere"),
    ],
)
def test_a_database_that_cannot_be_opened_says_why(url: str, message: str) -> None:
    with pytest.raises(DatabaseDown, match=message) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_sqlite_is_set_up_for_many_writers(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    engine.dispose()
    assert found == {
        "journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000, "synchronous": 2,
    }  # fmt: skip


OPEN_TOGETHER = """
    import sys
    from orchestration.store import Store
    url, number = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    store = Store(url)
    store.begin_turn("shared", {"by": number})
    store.register_model("majors/direction/1m", f"v{number}")
"""


def test_processes_may_open_a_fresh_database_at_once(database_url: str) -> None:
    children = [spawn(OPEN_TOGETHER, database_url, str(number)) for number in range(2)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate()[1] for child in children] == ["", ""]
    assert [child.returncode for child in children] == [0, 0]
    store = Store(database_url)
    assert sorted(m.version for m in store.list_models()) == ["v0", "v1"]
    assert len(store.list_turns()) == 1
    store.close()


@contextmanager
def migrating_elsewhere(url: str) -> Iterator[None]:
    """Hold what another process holds while it migrates."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir()
        with FileLock(f"{path}.lock"):
            yield
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [POSTGRES_LOCK])
        yield


def test_opening_waits_for_a_migration_that_is_under_way(database_url: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        with migrating_elsewhere(database_url):
            opening = pool.submit(Store, database_url)
            with pytest.raises(TimeoutError):
                opening.result(timeout=0.7)
        opening.result(timeout=30).close()


WRITE_UNTIL_KILLED = """
    import sys
    import pandas as pd
    from orchestration.store import Store
    store = Store(sys.argv[1])
    store.register_model("majors/direction/1m", "v1")
    for part in range(10_000):
        ts = [60_000 * (500 * part + k) for k in range(500)]
        frame = pd.DataFrame({"symbol": "BTC-USDT", "ts_ms": ts, "raw": 0.5})
        store.add_predictions("majors/direction/1m", "v1", "champion", frame)
        print(500 * (part + 1), flush=True)
"""


def test_kill_9_loses_nothing_that_was_committed(database_url: str) -> None:
    child = spawn(WRITE_UNTIL_KILLED, database_url)
    assert child.stdout is not None
    committed = 0
    for line in child.stdout:
        committed = int(line)
        if committed >= 5_000:
            break
    child.send_signal(signal.SIGKILL)
    committed = max([committed, *map(int, child.stdout.read().split())])
    child.wait()
    child.communicate()
    store = Store(database_url)
    kept = store.ledger(SLOT)
    # The one write that was under way is there whole or not at all.
    assert len(kept) in (committed, committed + 500)
    assert store.add_predictions(SLOT, "v1", "champion", kept.assign(raw=0.5)) == 0
    store.close()


def test_a_database_that_comes_back_is_used_again(postgres: str) -> None:
    """A restarted server costs a reconnect, not the turn."""
    store = Store(postgres)
    store.begin_turn("t1", {})
    with psycopg.connect(postgres, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'postgres' AND pid <> pg_backend_pid()"
        ).fetchall()
    assert len(ended) >= 1
    assert store.get_turn("t1").turn_id == "t1"
    store.close()
