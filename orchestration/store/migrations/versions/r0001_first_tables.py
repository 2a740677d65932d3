"""The first tables: turns, models, verdicts, ledger, drift, ensembles, flags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    turns()
    models()
    ledger()
    ensembles()
    flags()


def downgrade() -> None:
    for table in (
        "flags", "ensembles", "drift", "outcomes", "predictions", "verdicts", "models", "stages",
        "turns",
    ):  # fmt: skip
        op.drop_table(table)


def turns() -> None:
    op.create_table(
        "turns",
        sa.Column("turn_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("turn_id", name="pk_turns"),
    )
    op.create_table(
        "stages",
        sa.Column("turn_id", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["turns.turn_id"], name="fk_stages_turn_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("turn_id", "stage", name="pk_stages"),
    )


def models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slot_key", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("slot_key", "version", name="uq_models_slot_key_version"),
    )
    op.create_index("ix_models_name", "models", ["name"])
    op.create_index("ix_models_version", "models", ["version"])
    op.create_table(
        "verdicts",
        sa.Column("turn_id", sa.String(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("against", sa.String(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.turn_id"], name="fk_verdicts_turn_id"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_verdicts_model_id"),
        sa.PrimaryKeyConstraint("turn_id", "model_id", "against", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_model_id", "verdicts", ["model_id"])


def ledger() -> None:
    op.create_table(
        "predictions",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("raw", sa.JSON(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_predictions_model_id"),
        sa.PrimaryKeyConstraint("model_id", "ts_ms", "symbol", name="pk_predictions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcomes",
        sa.Column("slot_key", sa.String(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("slot_key", "ts_ms", "symbol", name="pk_outcomes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "drift",
        sa.Column("turn_id", sa.String(), nullable=False),
        sa.Column("slot_key", sa.String(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.turn_id"], name="fk_drift_turn_id"),
        sa.PrimaryKeyConstraint("turn_id", "slot_key", name="pk_drift"),
    )


def ensembles() -> None:
    op.create_table(
        "ensembles",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slot_key", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_ensembles"),
    )
    op.create_index(
        "uq_ensembles_active_slot",
        "ensembles",
        ["slot_key"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )


def flags() -> None:
    op.create_table(
        "flags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("cleared_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_flags"),
    )
    op.create_index(
        "uq_flags_open_name",
        "flags",
        ["name"],
        unique=True,
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
