"""``pan serve``: the commons over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

_WAITING = 2048
"""Connections that wait to be taken; as many as uvicorn lets."""


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Examples: pan serve --port 8080; pan serve --processes 4")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on [default: 8000].")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=64, help="How many answer: one for each core to be used [default: 1].")
    ] = None,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a unit for systemd, and serve nothing.")
    ] = False,
) -> None:
    """Serve the catalogue: the search API, OAI-PMH, DCAT. The database is made where there is none."""
    import ipaddress
    import socket

    from pancommons.base.errors import BadInput
    from pancommons.base.settings import settings
    from pancommons.server.services import Services
    from pancommons.server.serving import unit

    if print_unit:
        print(unit(settings()), end="")
        return
    told, signin = settings().server, settings().signin
    place, number = host or told.host, told.port if port is None else port
    try:
        family = socket.AF_INET6 if ":" in place else socket.AF_INET
        address = socket.getaddrinfo(place, number, family, socket.SOCK_STREAM)[0][4]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise BadInput(
            f"cannot listen on {place}:{number} ({error.strerror})", field="--port", remedy="choose another port"
        ) from None
    own = listener.getsockname()

    def say() -> None:
        shown = f"[{own[0]}]" if ":" in own[0] else own[0]
        print(f"Serving on http://{shown}:{own[1]} (Ctrl-C ends it)", flush=True)
        if not signin.providers and not ipaddress.ip_address(own[0]).is_loopback:
            print("Nobody can sign in: whoever asks from elsewhere sees what is public.", flush=True)

    count = processes or told.processes
    if count > 1:
        from pancommons.server.processes import serve_several

        Services.open().database.close()
        listener.listen(_WAITING)
        serve_several(count, listener, say)
        return
    from pancommons.server.app import create_app
    from pancommons.server.serving import serve as answer

    app = create_app(Services.open())
    listener.listen(_WAITING)  # who connects from now on waits until the server is up
    say()
    answer(app, listener)
