"""``pan audit``: who did and who saw what, and when."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pancommons.base.errors import BadInput
from pancommons.cli.terminal import printable

if TYPE_CHECKING:
    from pancommons.catalogue.audit import Line

_DAY = len("2026-11-21")
_EPILOG = "Example: pan audit --record 01m8010k0v4bvmshe5c --what reads --since 2026-11-01"


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", epilog=_EPILOG)(audit)


def audit(
    who: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Part of a name, an e-mail address or issuer#subject.")
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(metavar="WORD", help='reads, changes, or one word such as download, refuse, "sign in".'),
    ] = None,
    record: Annotated[
        str | None, typer.Option(metavar="ID", help="Identifier or PID of a record, identifier of a run or a file.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="From this day or moment on, in UTC unless it says otherwise.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Up to this moment, or to the end of this day.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many lines, the newest.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Print who did what, and who saw protected data, the newest first.

    Whoever runs this command on the server's machine may see everything. Reading of data that are open to everybody
    is not written down; what was seen is kept for audit.seen_days.
    """
    from pancommons.catalogue.audit import CHANGES, SEEN, search
    from pancommons.catalogue.ready import make_ready
    from pancommons.store.engine import open_database

    if what is not None and what not in {"reads", "changes", *SEEN, *CHANGES}:
        known = ", ".join(["reads", "changes", *SEEN, *CHANGES])
        raise BadInput(f"nothing is called {what!r}", field="--what", remedy=f"take of: {known}")
    begin, end = _moment(since, "--since"), _moment(until, "--until", days=1)
    database = open_database()
    try:
        make_ready(database)
        with database.read() as connection:
            lines = search(connection, who=who, what=what, about=record, since=begin, until=end, limit=limit)
    finally:
        database.close()
    if as_json:
        print(json.dumps([_told(line) for line in lines], indent=1, ensure_ascii=False))
        return
    if not lines:
        print("Nothing like this was done or seen.", file=sys.stderr)
    for line in lines:
        print(printable(_line(line)))


def _moment(text: str | None, option: str, *, days: int = 0) -> datetime | None:
    """Read a moment; a day is its beginning, so many days later."""
    if text is None:
        return None
    try:
        if len(text) == _DAY:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=days)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadInput(
            f"{text!r} is no moment", field=option, remedy="write 2026-11-21 or 2026-11-21T14:30:00Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _told(line: Line) -> dict[str, Any]:
    return {
        "at": line.at.isoformat(),
        "who": line.who,
        "what": line.what,
        "kind": line.kind,
        "record": line.identifier,
        "facts": dict(line.facts or {}),
    }


def _line(line: Line) -> str:
    about = f"  {line.kind} {line.identifier}" if line.identifier else ""
    facts = ", ".join(f"{name}: {_value(value)}" for name, value in (line.facts or {}).items() if value is not None)
    return f"{line.at:%Y-%m-%d %H:%M:%S}  {line.who}  {line.what}{about}{f'  ({facts})' if facts else ''}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(map(str, value.values()))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
