"""What was done with a record: the lines of the audit about it, for those who may edit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import Action, Principal, Resource, allows
from pancommons.catalogue.audit import SEEN
from pancommons.catalogue.ledger import audit

_MOST = 100


@dataclass(frozen=True)
class Line:
    """A line of the audit; see `pancommons.catalogue.audit.record`."""

    at: datetime
    who: str
    what: str
    facts: Mapping[str, Any]


def history(
    connection: Connection, kind: str, identifier: str, about: Resource, principal: Principal, at: datetime
) -> list[Line]:
    """Return the last changes of a record, the newest first; none if the principal may not edit it."""
    if not allows(principal, Action.EDIT, about, at):
        return []
    rows = connection.execute(
        sa.select(audit.c.at, audit.c.who, audit.c.what, audit.c.facts)
        .where(audit.c.kind == kind, audit.c.identifier == identifier, audit.c.what.not_in(SEEN))
        .order_by(audit.c.id.desc())
        .limit(_MOST)
    )
    return [Line(row.at, row.who, row.what, row.facts or {}) for row in rows]
