"""Making a database ready: its tables of the newest version, and the techniques that come with the package."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.ontology.graph import core
from pancommons.catalogue.ontology.stored import ensure_core
from pancommons.catalogue.tables import techniques
from pancommons.store.engine import Database
from pancommons.store.functions import among
from pancommons.store.migrate import upgrade
from pancommons.store.turns import Turn, take_turn


def make_ready(database: Database) -> None:
    """Bring a database to where the catalogue can be used; one that is ready is only looked at.

    Raises
    ------
    BadInput
        If a newer release of the program made the tables.
    """
    upgrade(database)
    own = [one.pid for one in core()]
    with database.read() as connection:
        there = sa.select(sa.func.count()).select_from(techniques).where(among(techniques.c.pid, own))
        complete = connection.execute(there).scalar_one() == len(own)
    if not complete:
        with database.write() as connection:
            take_turn(connection, Turn.TABLES)
            ensure_core(connection, by=LOCAL_USER, at=datetime.now(UTC))
