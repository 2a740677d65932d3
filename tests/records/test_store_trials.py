"""Trials of strategies: what is a new idea, what is the same one again, and the older database."""

from __future__ import annotations

from alembic import command
from sqlalchemy import create_engine, inspect, text

from orchestration.store import Store
from orchestration.store.migrations import VERSION_TABLE, configuration

FACTS = {"symbols": ["BTC-USDT"], "timeframe": "1m", "parameters": {"rsi": 30}}


def test_the_same_idea_again_is_no_new_trial(store: Store) -> None:
    first = store.add_trial("market", "contrarian", FACTS, {"sharpe": 0.01})
    again = store.add_trial("market", "contrarian", dict(reversed(FACTS.items())), {"sharpe": 0.02})
    assert (first.runs, again.runs) == (1, 2)
    assert (again.key, again.first_at) == (first.key, first.first_at)
    assert again.last_at >= first.last_at
    assert [trial.figures for trial in store.list_trials()] == [{"sharpe": 0.02}]


def test_another_parameter_or_market_is_another_trial(store: Store) -> None:
    store.add_trial("market", "contrarian", FACTS, {"sharpe": 0.01})
    store.add_trial("market", "contrarian", FACTS | {"parameters": {"rsi": 31}}, {"sharpe": None})
    store.add_trial("market", "momentum", FACTS, {"sharpe": float("nan")})
    store.add_trial("other", "contrarian", FACTS, {})
    assert len(store.list_trials()) == 4
    assert [trial.strategy for trial in store.list_trials("market")] == [
        "contrarian", "contrarian", "momentum",
    ]  # fmt: skip
    assert store.list_trials("market")[-1].figures == {"sharpe": None}
    assert store.list_trials("nowhere") == []


def test_a_database_of_before_gains_the_table_and_keeps_the_rest(database_url: str) -> None:
    store = Store(database_url)
    store.begin_turn("t1", {"days": 3})
    store.close()
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0002")
        revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one()
    assert revision == "0002"
    assert "trials" not in inspect(engine).get_table_names()
    engine.dispose()
    newer = Store(database_url)
    assert newer.list_trials() == []
    assert newer.add_trial("market", "contrarian", FACTS, {}).runs == 1
    assert newer.get_turn("t1").params == {"days": 3}
    newer.close()
