"""What changed in the catalogue between two moments, as far as its counters tell."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.ledger import Reached
from pancommons.catalogue.tables import datasets

_MOST_NEW = 1000


def only_new(connection: Connection, then: Reached, now: Reached, *conditions: sa.ColumnElement[bool]) -> bool:
    """Say whether all that changed is that datasets came, not very many, which fulfil some conditions.

    Every change of a record or of the techniques takes a number, and the record has the last of its own: as many new
    datasets as numbers mean that nothing else changed.
    """
    count = now[0] - then[0]
    if not 0 < count <= _MOST_NEW:
        return False
    table = datasets.c
    those = table.sequence > then[0], table.sequence <= now[0], table.id > then[1], *conditions
    return connection.execute(sa.select(sa.func.count()).where(*those)).scalar_one() == count
