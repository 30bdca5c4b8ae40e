"""Signing in to a server from the command line: ``pan login``, ``pan whoami``, ``pan logout``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

Server = Annotated[str | None, typer.Option(metavar="URL", help="The server [default: the one last signed in to].")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: pan login --server https://data.facility.example")(login)
    app.command(epilog="Example: pan whoami")(whoami)
    app.command(epilog="Example: pan logout")(logout)


def login(
    server: Server = None,
    token: Annotated[
        bool, typer.Option("--token", help="Read a personal token from standard input, such as one made in the portal.")
    ] = False,
) -> None:
    """Sign in to a server: shows a code, waits until you approve it in a browser, and keeps the token."""
    import socket

    from pancommons.base.errors import BadInput
    from pancommons.cli.terminal import printable
    from pancommons.client import Client, credentials, device
    from pancommons.client.commons import named
    from pancommons.client.connection import Connection, check_private

    place = named(server)
    check_private(place)
    if token:
        given = sys.stdin.readline().strip()
        if not given:
            raise BadInput("no token was given", field="--token", remedy="write it to standard input")
    else:
        connection = Connection(place)
        asked = device.ask(connection, f"pan on {socket.gethostname()}")
        print(f"Open {asked.address} and approve the code {printable(asked.code)}", flush=True)
        if asked.complete:
            print(f"or open {asked.complete}", flush=True)
        given = device.wait(connection, asked)
        connection.close()
    with Client(place, token=given) as client:
        who = client.account()
        if who.get("person") is None:
            raise BadInput("does not know this token", file=place, field="--token", remedy="make a new one there")
    credentials.keep(place, credentials.Credential(given, who.get("name")))
    print(f"Signed in to {place} as {printable(str(who.get('name') or who['person']))}.")


def whoami(server: Server = None) -> None:
    """Say who you are at a server; exit 2 if it does not know you."""
    from pancommons.cli.terminal import printable
    from pancommons.client import Client
    from pancommons.client.connection import SignInNeeded

    with Client(server) as client:
        who = client.account()
        if who.get("person") is None:
            raise SignInNeeded(f"Nobody at {client.server}; run: pan login --server {client.server}")
        print(f"{printable(str(who.get('name') or who['person']))} at {client.server}")
        for label, text in (
            ("person", str(who["person"])),
            ("roles", ", ".join(who.get("roles_everywhere") or ())),
            ("the token allows", ", ".join(who.get("scopes") or ())),
        ):
            if text:
                print(f"  {label}: {printable(text)}")


def logout(server: Server = None) -> None:
    """Forget the token of a server, and revoke it there."""
    from pancommons.base.errors import PanError
    from pancommons.client import Client, credentials

    with Client(server) as client:
        gone = credentials.forget(client.server)
        if gone is None:
            print(f"You are not signed in to {client.server}.")
            return
        try:
            client.connection.ask("DELETE", "/me/tokens/current")
        except PanError as error:
            print(f"Forgotten here, but not revoked at {client.server}: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
    print(f"Signed out of {client.server}.")
