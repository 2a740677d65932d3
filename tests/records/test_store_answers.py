"""Answers that the prediction engine keeps: the same one once, and the oldest go."""

from __future__ import annotations

from alembic import command
from sqlalchemy import create_engine, inspect

from orchestration.store import Store
from orchestration.store.migrations import configuration
from orchestration.store.records import AnswerRecord


def answer(ts: int, features: str = "f", version: str = "majors/price/1h/v1") -> AnswerRecord:
    said = {"price": 0.1 + 0.2, "interval": [1e-17, 3.0], "regime": None}
    return AnswerRecord(version, "BTC-USDT", ts, features, said, made_ms=ts + 1)


def test_what_is_kept_comes_back_with_all_its_bits_and_only_once(store: Store) -> None:
    store.keep_answers([answer(1), answer(2)], most=10)
    first = store.kept_answers()
    assert [row.ts_ms for row in first] == [1, 2]
    assert first[0].answer == answer(1).answer
    store.keep_answers([answer(2), answer(2, "g"), answer(2, "f", "majors/price/1h/v2")], most=10)
    new = store.kept_answers(after=first[-1].id)
    assert [(row.features, row.version[-2:]) for row in new] == [("g", "v1"), ("f", "v2")]


def test_the_oldest_go(store: Store) -> None:
    store.keep_answers([answer(ts) for ts in range(25)], most=10)
    assert [row.ts_ms for row in store.kept_answers()] == list(range(15, 25))
    store.keep_answers([answer(25)], most=10)
    assert [row.ts_ms for row in store.kept_answers()] == list(range(16, 26))
    assert [row.ts_ms for row in store.kept_answers(most=3)] == [23, 24, 25]
    store.keep_answers([], most=2)
    assert len(store.kept_answers()) == 2


def test_a_database_of_before_gains_the_table(database_url: str) -> None:
    store = Store(database_url)
    store.begin_turn("t1", {"days": 3})
    store.close()
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0003")
    assert "prediction_cache" not in inspect(engine).get_table_names()
    engine.dispose()
    newer = Store(database_url)
    newer.keep_answers([answer(1)], most=10)
    assert len(newer.kept_answers()) == 1
    assert newer.get_turn("t1").params == {"days": 3}
    newer.close()
