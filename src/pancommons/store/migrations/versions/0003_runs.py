"""Runs that people asked for.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pancommons.store.schema import Instant, Key, Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATES = ("waiting", "running", "stopping", "done", "partial", "stopped", "failed")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "runs",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("identifier", Text, nullable=False),
        sa.Column("person", Text, nullable=False, comment="as signed in"),
        sa.Column("name", Text, nullable=True, comment="how the provenance names them"),
        sa.Column("pipeline", Text, nullable=False),
        sa.Column("version", Text, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("preset", Text, nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=False, comment="as given"),
        sa.Column("preview", sa.Boolean(), nullable=False),
        sa.Column("key", Text, nullable=True, comment="by which a request that is sent twice is known again"),
        sa.Column("digest", Text, nullable=False, comment="of the request"),
        sa.Column("folder", Text, nullable=False, comment="below the folder of runs"),
        sa.Column(
            "alone", sa.Boolean(), nullable=False, comment="the result is no proposal's, whatever the inputs are"
        ),
        sa.Column("seconds", sa.Double(), nullable=False, comment="estimated"),
        sa.Column("memory", sa.BigInteger(), nullable=False, comment="estimated, bytes"),
        sa.Column("disk", sa.BigInteger(), nullable=False, comment="estimated, bytes"),
        sa.Column("allowed", sa.BigInteger(), nullable=False, comment="bytes of memory it may plan with"),
        sa.Column("state", Text, nullable=False),
        sa.Column("why", Text, nullable=True),
        sa.Column("created", Instant(), nullable=False),
        sa.Column("queued", Instant(), nullable=False, comment="since when it waits"),
        sa.Column("began", Instant(), nullable=True, comment="when it was last started from the queue"),
        sa.Column("started", Instant(), nullable=True, comment="when it was first started"),
        sa.Column("ended", Instant(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=False, comment="lines of its events when it was last started"),
        sa.Column(
            "tries", sa.Integer(), nullable=False, comment="how often it was taken up again after its runner died"
        ),
        sa.Column("handle", Text, nullable=True, comment="by which the starter knows its runner"),
        sa.Column("holder", Text, nullable=True, comment="the server that looks after it"),
        sa.Column("held_until", Instant(), nullable=True),
        sa.Column("dataset_id", Key, nullable=True),
        sa.Column("to_register", sa.Boolean(), nullable=False, comment="its result is not in the catalogue yet"),
        sa.Column("tell", Text, nullable=True, comment="mail address or webhook"),
        sa.Column("to_tell", sa.Integer(), nullable=False, comment="tries left to tell"),
        sa.Column("tell_at", Instant(), nullable=True, comment="not before"),
        sa.Column("removed", Instant(), nullable=True, comment="when its folder was"),
        sa.CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name=op.f("ck_runs_state")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_runs_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("folder", name=op.f("uq_runs_folder")),
        sa.UniqueConstraint("identifier", name=op.f("uq_runs_identifier")),
        sa.UniqueConstraint("person", "key", name=op.f("uq_runs_person_key")),
    )
    op.create_index("ix_runs_person", "runs", ["person", "id"], unique=False)
    op.create_index("ix_runs_state", "runs", ["state", "ended"], unique=False)
    op.create_index("ix_runs_began", "runs", ["person", "preview", "began"], unique=False)
    op.create_table(
        "run_inputs",
        sa.Column("run_id", Key, autoincrement=False, nullable=False),
        sa.Column("role", Text, nullable=False, comment="linked for what an input reads from other files"),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset_id", Key, nullable=False),
        sa.Column("file", Text, nullable=False, comment="identifier of the file"),
        sa.Column("name", Text, nullable=False, comment="of the file"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_run_inputs_dataset_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_inputs_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "role", "position", name=op.f("pk_run_inputs")),
    )
    op.create_index(op.f("ix_run_inputs_dataset_id"), "run_inputs", ["dataset_id"], unique=False)


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("run_inputs")
    op.drop_table("runs")
