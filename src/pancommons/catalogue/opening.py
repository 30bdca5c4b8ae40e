"""Changing when a record opens, within what its policy allows; setting a derived dataset free of its inputs."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue import audit, bounds
from pancommons.catalogue.access import Action, Principal, Role, allows, roles_on
from pancommons.catalogue.ledger import take
from pancommons.catalogue.policy import policy_of
from pancommons.catalogue.read import find, resource
from pancommons.catalogue.tables import RECORDS, datasets
from pancommons.catalogue.write import Refused
from pancommons.store.schema import floor, instant_text


def change_opening(
    connection: Connection,
    kind: str,
    key: str,
    open_from: datetime | None,
    *,
    by: Principal,
    at: datetime,
    reason: str | None = None,
) -> None:
    """Open a record earlier or later, or restrict it to its team.

    Parameters
    ----------
    key
        Identifier or PID.
    open_from
        From when on anybody may have the data; None for never.
    reason
        Why, for the audit.

    Raises
    ------
    BadInput
        If there is no such record, or the moment is past what the policy allows at most.
    Refused
        If ``by`` may not publish it, or the policy does not let their role shorten or extend.
    """
    found = _found(connection, kind, key)
    about = resource(connection, kind, found)
    table = RECORDS[kind]
    row = connection.execute(sa.select(table).where(table.c.id == found)).one()
    policy = policy_of(connection, row.policy)
    new = None if open_from is None else floor(open_from)
    if new == row.open_from:
        return
    shorter = new is not None and (row.open_from is None or new < row.open_from)
    roles = policy.changes.shorten if shorter else policy.changes.extend
    if not allows(by, Action.PUBLISH, about, at) or not roles_on(by, about) & set(roles):
        raise Refused(f"{by.name} may not {'shorten' if shorter else 'extend'} the embargo of {kind} {key}.")
    since = row.creation_date if kind == "dataset" else row.created_at
    latest = policy.latest(row.data_class, since)
    if not shorter and latest is not None and (new is None or new > latest):
        raise BadInput(
            f"the data policy {policy.version} lets {row.data_class} data open at {instant_text(latest)} at the latest",
            field="open_from",
        )
    discoverable = row.discoverable_from
    if not policy.of(row.data_class).metadata_public or (new and (discoverable is None or discoverable > new)):
        discoverable = new
    _update(connection, table, found, at, open_from=new, discoverable_from=discoverable)
    if kind == "dataset":
        bounds.renew(connection, [found], at)
    audit.record(
        connection,
        by,
        "restrict" if new is None else "release",
        at,
        kind=kind,
        identifier=row.identifier,
        facts={
            "before": row.open_from and instant_text(row.open_from),
            "after": new and instant_text(new),
            "policy": policy.version,
            **({"reason": reason} if reason else {}),
        },
    )


def lift_bounds(connection: Connection, key: str, *, by: Principal, at: datetime) -> None:
    """Set a derived dataset free of what its inputs allow; from now on its own state holds.

    Raises
    ------
    BadInput
        If there is no such dataset.
    Refused
        If the policy does not let a role of ``by`` over the dataset and all its inputs do so.
    """
    found = _found(connection, "dataset", key)
    about = resource(connection, "dataset", found)
    row = connection.execute(sa.select(datasets).where(datasets.c.id == found)).one()
    roles: set[Role] = set(policy_of(connection, row.policy).changes.lift)
    held = all(roles & roles_on(by, one) for one in (about, *about.inputs))
    if not held or not allows(by, Action.ADMINISTER, about, at):
        raise Refused(f"{by.name} may not lift the bounds of dataset {key}.")
    _update(connection, datasets, found, at, lifted=True)
    bounds.renew(connection, [found], at)
    audit.record(connection, by, "lift", at, kind="dataset", identifier=row.identifier)


def _found(connection: Connection, kind: str, key: str) -> int:
    found = find(connection, kind, key)
    if found is None:
        raise BadInput(f"the catalogue has no {kind} {key}")
    return found


def _update(connection: Connection, table: sa.Table, key: int, at: datetime, **values: object) -> None:
    sequence = take(connection, "sequence", 1)[0]
    connection.execute(sa.update(table).where(table.c.id == key).values(updated_at=at, sequence=sequence, **values))
