"""The tables of who may do what, under which policy, and what was done; and the counters."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.store.schema import METADATA, Instant, Key, Text

grants = sa.Table(
    "grants",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("person", Text, nullable=False, index=True),
    sa.Column("role", Text, nullable=False),
    sa.Column("proposal_id", Key, sa.ForeignKey("documents.id", ondelete="CASCADE"), index=True),
    sa.Column("instrument_id", Key, sa.ForeignKey("instruments.id", ondelete="CASCADE"), index=True),
    sa.CheckConstraint("proposal_id IS NULL OR instrument_id IS NULL", name="one_scope"),
    comment="a role of a person: in a proposal, at an instrument, or everywhere",
)

policies = sa.Table(
    "policies",
    METADATA,
    sa.Column("version", Text, primary_key=True),
    sa.Column("content", Text, nullable=False),
    sa.Column("adopted_at", Instant, nullable=False),
)

audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("who", Text, nullable=False, index=True),
    sa.Column("what", Text, nullable=False),
    sa.Column("kind", Text),
    sa.Column("identifier", Text, index=True),
    sa.Column("facts", sa.JSON(none_as_null=True)),
)

counters = sa.Table(
    "counters",
    METADATA,
    sa.Column("name", Text, primary_key=True),
    sa.Column("value", Key, nullable=False),
)


def take(connection: Connection, counter: str, count: int) -> range:
    """Take the next numbers of a counter.

    Until its transaction ends nobody else takes any of this counter: numbers become visible in order.
    """
    table = counters.c
    update = sa.update(counters).where(table.name == counter).values(value=table.value + count).returning(table.value)
    last = connection.execute(update).scalar_one_or_none()
    if last is None:
        raise LookupError(f"there is no counter {counter}")
    return range(last - count + 1, last + 1)


Reached = tuple[int, int]
"""How far the catalogue has come.

A number that grows with every change of a record or of the techniques, and the highest id there can be: whatever is put
from then on has a higher one.
"""


def reached(connection: Connection) -> Reached:
    """Return how far the catalogue has come."""
    rows = connection.execute(sa.select(counters).where(counters.c.name.in_(("sequence", "id"))))
    found = {row.name: int(row.value) for row in rows}
    return found["sequence"], found["id"]


def numbers(connection: Connection, counter: str, block: int = 1000) -> Iterator[int]:
    """Give one number of a counter after the other, taken in blocks; those not used are lost."""
    while True:
        yield from take(connection, counter, block)
