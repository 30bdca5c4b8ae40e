"""Roles of people: given, taken, and gathered into the principal who asks."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action, Principal, Role
from pancommons.catalogue.audit import record
from pancommons.catalogue.ledger import grants, take
from pancommons.catalogue.tables import documents, instruments


def grant(
    connection: Connection,
    person: str,
    role: Role,
    *,
    proposal: str | None = None,
    instrument: str | None = None,
    by: Principal,
    at: datetime,
) -> None:
    """Give a person a role: in a proposal, at an instrument (both by PID), or everywhere. Twice is once."""
    row = _scope(connection, person, role, proposal, instrument)
    if connection.execute(sa.select(grants.c.id).where(*_same(row))).first() is None:
        connection.execute(sa.insert(grants).values(id=take(connection, "id", 1)[0], **row))
        record(connection, by, "grant", at, facts={**row, "role": str(role)})


def revoke(
    connection: Connection,
    person: str,
    role: Role,
    *,
    proposal: str | None = None,
    instrument: str | None = None,
    by: Principal,
    at: datetime,
) -> None:
    """Take a role from a person; one that was not held is no error."""
    row = _scope(connection, person, role, proposal, instrument)
    if connection.execute(sa.delete(grants).where(*_same(row))).rowcount:
        record(connection, by, "revoke", at, facts={**row, "role": str(role)})


def principal(connection: Connection, person: str, scopes: frozenset[Action] | None = None) -> Principal:
    """Gather the roles of a person who has signed in."""
    proposals: defaultdict[Role, set[int]] = defaultdict(set)
    places: defaultdict[Role, set[int]] = defaultdict(set)
    everywhere = set()
    for row in connection.execute(sa.select(grants).where(grants.c.person == person)):
        if row.proposal_id is not None:
            proposals[Role(row.role)].add(row.proposal_id)
        elif row.instrument_id is not None:
            places[Role(row.role)].add(row.instrument_id)
        else:
            everywhere.add(Role(row.role))
    return Principal(
        person,
        {role: frozenset(ids) for role, ids in proposals.items()},
        {role: frozenset(ids) for role, ids in places.items()},
        frozenset(everywhere),
        scopes,
    )


def _scope(
    connection: Connection, person: str, role: Role, proposal: str | None, instrument: str | None
) -> dict[str, object]:
    return {
        "person": person,
        "role": role.value,
        "proposal_id": _id(connection, documents, proposal),
        "instrument_id": _id(connection, instruments, instrument),
    }


def _id(connection: Connection, table: sa.Table, pid: str | None) -> int | None:
    if pid is None:
        return None
    found: int | None = connection.execute(sa.select(table.c.id).where(table.c.pid == pid)).scalar()
    if found is None:
        raise BadInput(f"the catalogue has no {table.name[:-1]} {pid}", field="grant")
    return found


def _same(row: dict[str, object]) -> list[sa.ColumnElement[bool]]:
    return [grants.c[name].is_not_distinct_from(value) for name, value in row.items()]
