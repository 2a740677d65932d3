"""Run by Alembic: applies the revisions on the connection it was handed."""

from __future__ import annotations

from alembic import context

from orchestration.store.migrations import VERSION_TABLE
from orchestration.store.tables import Base

connection = context.config.attributes["connection"]
if connection is None:
    raise SystemExit("the store migrates itself when it is opened; there is nothing to run here")
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
