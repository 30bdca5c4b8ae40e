"""The tables of runs that people asked for: the queue, and what they were run on."""

from __future__ import annotations

import sqlalchemy as sa

from pancommons.store.schema import METADATA, Instant, Key, Text

STATES = ("waiting", "running", "stopping", "done", "partial", "stopped", "failed")
GOING = ("running", "stopping")
ENDED = ("done", "partial", "stopped", "failed")

runs = sa.Table(
    "runs",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("identifier", Text, nullable=False, unique=True),
    sa.Column("person", Text, nullable=False, comment="as signed in"),
    sa.Column("name", Text, comment="how the provenance names them"),
    sa.Column("pipeline", Text, nullable=False),
    sa.Column("version", Text, nullable=False),
    sa.Column("title", Text, nullable=False),
    sa.Column("preset", Text),
    sa.Column("parameters", sa.JSON, nullable=False, comment="as given"),
    sa.Column("preview", sa.Boolean, nullable=False),
    sa.Column("key", Text, comment="by which a request that is sent twice is known again"),
    sa.Column("digest", Text, nullable=False, comment="of the request"),
    sa.Column("folder", Text, nullable=False, unique=True, comment="below the folder of runs"),
    sa.Column("alone", sa.Boolean, nullable=False, comment="the result is no proposal's, whatever the inputs are"),
    sa.Column("seconds", sa.Double, nullable=False, comment="estimated"),
    sa.Column("memory", sa.BigInteger, nullable=False, comment="estimated, bytes"),
    sa.Column("disk", sa.BigInteger, nullable=False, comment="estimated, bytes"),
    sa.Column("allowed", sa.BigInteger, nullable=False, comment="bytes of memory it may plan with"),
    sa.Column("state", Text, nullable=False),
    sa.Column("why", Text),
    sa.Column("created", Instant, nullable=False),
    sa.Column("queued", Instant, nullable=False, comment="since when it waits"),
    sa.Column("began", Instant, comment="when it was last started from the queue"),
    sa.Column("started", Instant, comment="when it was first started"),
    sa.Column("ended", Instant),
    sa.Column("line", sa.Integer, nullable=False, comment="lines of its events when it was last started"),
    sa.Column("tries", sa.Integer, nullable=False, comment="how often it was taken up again after its runner died"),
    sa.Column("handle", Text, comment="by which the starter knows its runner"),
    sa.Column("holder", Text, comment="the server that looks after it"),
    sa.Column("held_until", Instant),
    sa.Column("dataset_id", Key, sa.ForeignKey("datasets.id")),
    sa.Column("to_register", sa.Boolean, nullable=False, comment="its result is not in the catalogue yet"),
    sa.Column("tell", Text, comment="mail address or webhook"),
    sa.Column("to_tell", sa.Integer, nullable=False, comment="tries left to tell"),
    sa.Column("tell_at", Instant, comment="not before"),
    sa.Column("removed", Instant, comment="when its folder was"),
    sa.CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
    sa.UniqueConstraint("person", "key"),
)
sa.Index("ix_runs_person", runs.c.person, runs.c.id)
sa.Index("ix_runs_state", runs.c.state, runs.c.ended)
sa.Index("ix_runs_began", runs.c.person, runs.c.preview, runs.c.began)

run_inputs = sa.Table(
    "run_inputs",
    METADATA,
    sa.Column("run_id", Key, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("role", Text, primary_key=True, comment="linked for what an input reads from other files"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("dataset_id", Key, sa.ForeignKey("datasets.id"), nullable=False, index=True),
    sa.Column("file", Text, nullable=False, comment="identifier of the file"),
    sa.Column("name", Text, nullable=False, comment="of the file"),
)
