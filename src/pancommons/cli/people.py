"""``pan people``: who has signed in, and what they may do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pancommons.base.errors import BadInput
from pancommons.cli.terminal import printable

if TYPE_CHECKING:
    from pancommons.catalogue.access import Role
    from pancommons.store.engine import Database

_PERSON = typer.Argument(metavar="PERSON", help="As pan people list prints it: ISSUER#SUBJECT.")
_ROLE = typer.Argument(metavar="ROLE", help='Such as administrator, "data manager", member.')
_PROPOSAL = typer.Option("--proposal", metavar="PID", help="In this proposal only.")
_INSTRUMENT = typer.Option("--instrument", metavar="PID", help="At this instrument only.")


def app() -> typer.Typer:
    """Make the group."""
    group = typer.Typer(help=_group.__doc__, no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_group)
    group.command("list", epilog="Example: pan people list")(list_)
    group.command(epilog="Example: pan people grant 'https://login.example.org#ada' administrator")(grant)
    group.command(epilog="Example: pan people revoke 'https://login.example.org#ada' administrator")(revoke)
    group.command("sign-out", epilog="Example: pan people sign-out 'https://login.example.org#ada'")(sign_out)
    group.command(epilog="Example: pan people sessions 'https://login.example.org#ada'")(sessions)
    group.command(epilog="Example: pan people end 1042")(end)
    group.command(epilog="Example: pan people disable 'https://login.example.org#ada'")(disable)
    group.command(epilog="Example: pan people enable 'https://login.example.org#ada'")(enable)
    return group


def _group() -> None:
    """Say who may do what: whoever runs this command on the server's machine decides."""


def list_(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Print everybody who has signed in or holds a role, and the roles that were granted here."""
    from pancommons.server.signin.accounts import everybody

    with _database() as database, database.read() as connection:
        found = everybody(connection)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    if not found:
        print("Nobody has signed in yet.", file=sys.stderr)
    for one in found:
        print(printable(one["person"]))
        for line in _lines(one):
            print(f"  {printable(line)}")


def grant(
    person: Annotated[str, _PERSON],
    role: Annotated[str, _ROLE],
    proposal: Annotated[str | None, _PROPOSAL] = None,
    instrument: Annotated[str | None, _INSTRUMENT] = None,
) -> None:
    """Give somebody a role: everywhere, in a proposal, or at an instrument. Twice is once."""
    from pancommons.catalogue.principals import grant as give
    from pancommons.server.signin.accounts import everybody

    _change(give, person, role, proposal, instrument)
    with _database() as database, database.read() as connection:
        if all(one["signed_in"] is None for one in everybody(connection) if one["person"] == person):
            print(f"{printable(person)} has not signed in yet", file=sys.stderr)


def revoke(
    person: Annotated[str, _PERSON],
    role: Annotated[str, _ROLE],
    proposal: Annotated[str | None, _PROPOSAL] = None,
    instrument: Annotated[str | None, _INSTRUMENT] = None,
) -> None:
    """Take a role that was granted here; one that was not held is no error."""
    from pancommons.catalogue.principals import revoke as take

    _change(take, person, role, proposal, instrument)


def sign_out(person: Annotated[str, _PERSON]) -> None:
    """End all sessions of somebody in browsers; tokens go on, and they may sign in again."""
    from pancommons.server.signin.accounts import sign_out as end

    _switch(end, person)


def sessions(
    person: Annotated[str, _PERSON],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Print the sessions and tokens of somebody, with their numbers, and when they were last seen."""
    from datetime import UTC, datetime

    from pancommons.base.settings import settings
    from pancommons.server.signin.held import held

    with _database() as database, database.read() as connection:
        found = [one.json() for one in held(connection, person, settings().signin, datetime.now(UTC))]
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    if not found:
        print(f"{printable(person)} has no session and no token.", file=sys.stderr)
    for one in found:
        print(f"{one['number']}  {one['kind']}  {printable(one['name'])}")
        print(f"  begun {one['begun']}, last seen {one['seen'] or 'never'}, ends {one['ends']}")


def end(
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", min=0, max=2**63 - 1, help="As pan people sessions prints it.")
    ],
) -> None:
    """End one session or revoke one token of somebody, at once."""
    from datetime import UTC, datetime

    from pancommons.catalogue.access import LOCAL_USER
    from pancommons.server.signin.held import end as end_held

    with _database() as database, database.write() as connection:
        person = end_held(connection, number, by=LOCAL_USER, at=datetime.now(UTC))
    print(f"ended {number} of {printable(person)}")


def disable(person: Annotated[str, _PERSON]) -> None:
    """Keep somebody from signing in, and end their sessions and tokens at once."""
    from pancommons.server.signin.accounts import disable as keep_out

    _switch(keep_out, person)


def enable(person: Annotated[str, _PERSON]) -> None:
    """Let somebody sign in again who was disabled; tokens have to be made anew."""
    from pancommons.server.signin.accounts import enable as let_in

    _switch(let_in, person)


def _change(how: Any, person: str, role: str, proposal: str | None, instrument: str | None) -> None:
    from datetime import UTC, datetime

    from pancommons.catalogue.access import LOCAL_USER

    if proposal is not None and instrument is not None:
        raise BadInput("a role is held in a proposal or at an instrument", field="--instrument", remedy="give one")
    wanted = _role(role)
    issuer, _, subject = person.partition("#")
    if not issuer.startswith(("https://", "http://")) or not subject:
        raise BadInput(f"{person!r} is nobody who can sign in", field="PERSON", remedy="write ISSUER#SUBJECT")
    with _database() as database, database.write() as connection:
        how(
            connection, person, wanted, proposal=proposal, instrument=instrument, by=LOCAL_USER, at=datetime.now(UTC)
        )  # fmt: skip


def _switch(how: Any, person: str) -> None:
    from datetime import UTC, datetime

    from pancommons.catalogue.access import LOCAL_USER

    with _database() as database, database.write() as connection:
        how(connection, person, by=LOCAL_USER, at=datetime.now(UTC))


def _role(name: str) -> Role:
    from pancommons.catalogue.access import Role

    try:
        return Role(name)
    except ValueError:
        raise BadInput(f"there is no role {name!r}", field="ROLE", remedy=f"take of: {', '.join(Role)}") from None


def _lines(one: dict[str, Any]) -> Iterator[str]:
    shown = ", ".join(part for part in (one["name"], one["email"], one["orcid"]) if part)
    if shown:
        yield shown
    yield f"last signed in {one['signed_in']}" if one["signed_in"] else "has not signed in yet"
    if one["disabled"]:
        yield f"disabled since {one['disabled']}"
    for held in one["roles"]:
        where = held["proposal"] or held["instrument"]
        yield f"{held['role']} {'in ' if held['proposal'] else 'at '}{where}" if where else f"{held['role']} everywhere"


@contextmanager
def _database() -> Iterator[Database]:
    from pancommons.catalogue.ready import make_ready
    from pancommons.store.engine import open_database

    database = open_database()
    try:
        make_ready(database)
        yield database
    finally:
        database.close()
