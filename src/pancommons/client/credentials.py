"""Tokens of servers, in one file under PANCOMMONS_HOME that nobody else may read; the server last signed in to."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pancommons.base import durable
from pancommons.base.errors import BadInput
from pancommons.base.home import home


@dataclass(frozen=True)
class Credential:
    """What a server gave at signing in."""

    token: str
    name: str | None = None

    def __repr__(self) -> str:
        """Leave the token out: a traceback may show this."""
        return f"Credential(name={self.name!r})"


def file() -> Path:
    """Return where they are kept."""
    return home() / "credentials.json"


def find(server: str) -> Credential | None:
    """Return what was kept for a server; None if nobody signed in there."""
    told = _read()["servers"].get(server)
    return None if told is None else Credential(told["token"], told.get("name"))


def default() -> str | None:
    """Return the server that was signed in to last."""
    found: str | None = _read()["default"]
    return found


def keep(server: str, credential: Credential) -> None:
    """Keep what a server gave, in place of what it gave before; the server becomes the default."""
    told = _read()
    told["servers"][server] = {"token": credential.token, "name": credential.name}
    _write({**told, "default": server})


def forget(server: str) -> Credential | None:
    """Remove what was kept for a server, and return it."""
    told = _read()
    gone = told["servers"].pop(server, None)
    if gone is None:
        return None
    left = list(told["servers"])
    _write({**told, "default": told["default"] if told["default"] != server else (left[-1] if left else None)})
    return Credential(gone["token"], gone.get("name"))


def _read() -> dict[str, Any]:
    place = file()
    try:
        told = json.loads(place.read_bytes())
        readable = stat.S_IMODE(place.stat().st_mode) & 0o077
        servers = {str(name): {**one, "token": str(one["token"])} for name, one in told["servers"].items()}
    except FileNotFoundError:
        return {"servers": {}, "default": None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(
            "cannot be read as what pan login writes", file=place, remedy="remove it and sign in again"
        ) from None
    if readable:
        raise BadInput("may be read by others", file=place, remedy=f"run: chmod 600 {place}")
    return {"servers": servers, "default": told.get("default")}


def _write(told: dict[str, Any]) -> None:
    place = file()
    place.parent.mkdir(parents=True, exist_ok=True)
    with durable.replacing(place) as beside:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(told, out, indent=1)
