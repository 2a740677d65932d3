"""The store's schema, revision by revision, and the one function that brings it up to date."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from orchestration.store.errors import DatabaseTooNew

# Not Alembic's default, which MLflow and Prefect use too: all three may share one database.
VERSION_TABLE = "tidewheel_revision"


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for these revisions, on `connection` when given."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database is at, None when it is empty."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def upgrade(connection: Connection) -> None:
    """Migrate the database to the newest revision; do nothing when it is there.

    Raises
    ------
    DatabaseTooNew
        The database is at a revision that this version of Tidewheel does not know.
    """
    config = configuration(connection)
    scripts = ScriptDirectory.from_config(config)
    current = current_revision(connection)
    if current == scripts.get_current_head():
        return
    try:
        scripts.get_revisions(current or "base")
    except CommandError:
        raise DatabaseTooNew(
            f"the database is at revision {current}, which this version of Tidewheel does not "
            f"know (it ends at {scripts.get_current_head()}); update Tidewheel"
        ) from None
    command.upgrade(config, "head")
    connection.commit()
