"""``pan catalogue edit``: correct a record by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

_LISTS = frozenset({"keywords", "documents", "techniques", "samples"})
_MOMENTS = frozenset({"creation_date", "end_date", "start_date", "release_date"})
_NOT_HERE = frozenset({"parameters", "members"})


class _Kind(StrEnum):
    DATASET = "dataset"
    DOCUMENT = "document"
    INSTRUMENT = "instrument"
    SAMPLE = "sample"


def edit(
    kind: Annotated[_Kind, typer.Argument(metavar="KIND", help="dataset, document, instrument or sample.")],
    key: Annotated[str, typer.Argument(metavar="PID", help="Its PID, or our identifier of it.")],
    changes: Annotated[
        list[str], typer.Argument(metavar="FIELD=VALUE...", help="What to write; several of a list's field make it up.")
    ],
) -> None:
    """Correct fields of a record; files that are ingested later do not change these any more."""
    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.catalogue.editing import edit as edit_record
    from pancommons.catalogue.policy import read_policy
    from pancommons.catalogue.ready import make_ready
    from pancommons.store.engine import open_database

    values = _values(kind, changes)
    database = open_database()
    make_ready(database)
    with database.write() as connection:
        done = edit_record(
            connection, kind, key, values, policy=read_policy(), by=LOCAL_USER, at=datetime.now(UTC)
        )  # fmt: skip
    database.close()
    print(f"{done.identifier} {done.change}: {', '.join(sorted(values))}")


def _values(kind: str, changes: Sequence[str]) -> dict[str, Any]:
    from pancommons.base.errors import BadInput
    from pancommons.catalogue.editing import EDITABLE

    values: dict[str, Any] = {}
    names = [name for name in EDITABLE[kind] if name not in _NOT_HERE]
    for change in changes:
        name, sign, value = change.partition("=")
        if not sign or name not in names:
            raise BadInput(f"cannot edit {change!r}", field=name, remedy=f"write FIELD=VALUE with {', '.join(names)}")
        if name in _LISTS:
            values[name] = (*values.get(name, ()), *([value] if value else []))
        elif name in _MOMENTS:
            values[name] = _moment(name, value)
        else:
            values[name] = value or None
    for name in ("title", "name", "facility", "creation_date"):
        if name in values and values[name] is None:
            raise BadInput(f"the {name} cannot be empty", field=name)
    return values


def _moment(name: str, value: str) -> datetime | None:
    from pancommons.base.errors import BadInput

    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(f"{value!r} is no moment", field=name, remedy="write 2026-11-21T08:30:00+01:00")
    return moment
