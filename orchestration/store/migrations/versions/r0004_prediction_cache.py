"""Prediction cache: answers of the prediction engine, which another process need not compute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prediction_cache",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("features", sa.String(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prediction_cache"),
        sa.UniqueConstraint(
            "version",
            "symbol",
            "ts_ms",
            "features",
            name="uq_prediction_cache_version_symbol_ts_ms_features",
        ),
    )


def downgrade() -> None:
    op.drop_table("prediction_cache")
