"""What is in a catalogue, in a few numbers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pancommons.catalogue import parts
from pancommons.catalogue.ledger import policies
from pancommons.catalogue.tables import RECORDS, techniques
from pancommons.store.engine import Database
from pancommons.store.migrate import version
from pancommons.store.schema import instant_text


def summary(database: Database) -> dict[str, Any]:
    """Count the records by kind, the techniques and the files.

    Returns
    -------
    dict
        ``database`` (its address without a password), ``revision``, a number for each kind of record,
        ``deleted``, ``techniques``, ``files``, ``bytes``, ``policy`` (the last adopted) and ``changed``.
    """
    told: dict[str, Any] = {
        "database": database.reader.url.set(query={}).render_as_string(hide_password=True),
        "revision": version(database),
    }
    with database.read() as connection:
        for kind, table in RECORDS.items():
            told[f"{kind}s"] = _one(connection, sa.select(sa.func.count()).where(table.c.deleted_at.is_(None)))
        gone = (sa.select(sa.func.count()).where(one.c.deleted_at.is_not(None)) for one in RECORDS.values())
        told["deleted"] = sum(_one(connection, query) for query in gone)
        told["techniques"] = _one(connection, sa.select(sa.func.count()).select_from(techniques))
        told["files"] = _one(connection, sa.select(sa.func.count()).select_from(parts.files))
        told["bytes"] = int(_one(connection, sa.select(sa.func.sum(parts.files.c.size))) or 0)
        newest = sa.select(policies.c.version).order_by(policies.c.adopted_at.desc(), policies.c.version).limit(1)
        told["policy"] = _one(connection, newest)
        moments = (_one(connection, sa.select(sa.func.max(one.c.updated_at))) for one in RECORDS.values())
        told["changed"] = max((instant_text(moment) for moment in moments if moment), default=None)
    return told


def _one(connection: sa.Connection, query: sa.Select[Any]) -> Any:
    return connection.execute(query).scalar()
