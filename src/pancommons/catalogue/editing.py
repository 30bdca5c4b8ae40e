"""Editing a record by hand: what a person wrote here is no longer changed by files or imports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue import audit
from pancommons.catalogue.access import LOCAL_USER, Principal
from pancommons.catalogue.policy import Policy
from pancommons.catalogue.read import Found, fetch
from pancommons.catalogue.tables import RECORDS
from pancommons.catalogue.write import Put, put_all

EDITABLE: Mapping[str, tuple[str, ...]] = {
    "dataset": (
        "title", "summary", "creation_date", "end_date", "license", "instrument", "documents", "techniques",
        "samples", "parameters", "keywords", "members",
    ),
    "document": (
        "title", "summary", "doi", "start_date", "end_date", "release_date", "license", "keywords", "members",
        "parameters",
    ),
    "instrument": ("name", "facility", "description"),
    "sample": ("name", "description"),
}  # fmt: skip
"""The fields of each kind that may be edited."""


def edit(
    connection: Connection,
    kind: str,
    key: str,
    changes: Mapping[str, Any],
    *,
    policy: Policy,
    by: Principal,
    at: datetime,
) -> Put:
    """Change fields of a record, and keep them from being changed by anything but another edit.

    Parameters
    ----------
    key
        An identifier or PID.
    changes
        The new values by the names of `records`, of `EDITABLE` fields.

    Raises
    ------
    BadInput
        If there is no such record or field, or a value refers to a record that is not there.
    Refused
        If ``by`` may not edit it.
    """
    for name in changes:
        if name not in EDITABLE[kind]:
            raise BadInput(
                f"the {name} of a {kind} cannot be edited", field=name, remedy=f"edit {', '.join(EDITABLE[kind])}"
            )
    found = fetch(connection, kind, key, LOCAL_USER, at)
    if not isinstance(found, Found):
        raise BadInput(f"the catalogue has no {kind} {key}")
    # Moments and policy stay those of the row.
    record = replace(found.record, terms=replace(found.record.terms, fixed=False), **changes)
    [done] = put_all(connection, [record], policy=policy, by=by, at=at, over_edits=True)
    table = RECORDS[kind]
    before = connection.execute(sa.select(table.c.edited).where(table.c.id == found.id)).scalar()
    names = sorted({*(before or ()), *changes})
    connection.execute(sa.update(table).where(table.c.id == found.id).values(edited=names))
    audit.record(connection, by, "edit", at, kind=kind, identifier=found.identifier, facts={"fields": sorted(changes)})
    return done
