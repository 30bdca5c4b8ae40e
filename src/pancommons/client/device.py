"""Signing in a program: it shows a code, a person approves it in a browser (RFC 8628)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from pancommons.base.errors import BadInput
from pancommons.client.connection import Connection, NoAnswer, Refused, Sleep

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER = 5.0
_SAYS = {
    "access_denied": "it was denied",
    "expired_token": "the code was not approved in time; sign in again for a new one",
}


@dataclass(frozen=True)
class Asked:
    """What the person is to do.

    Attributes
    ----------
    code
        To be typed in, or to be compared.
    address, complete
        Where; with the code in it, if the server says so.
    seconds
        How long the code is good.
    """

    code: str
    address: str
    complete: str | None
    seconds: float
    interval: float
    device_code: str


def ask(connection: Connection, name: str) -> Asked:
    """Ask to be signed in.

    Parameters
    ----------
    name
        Of this program, as the person is shown it.
    """
    try:
        told = connection.ask("POST", "/device/code", data={"name": name})
    except Refused as error:
        if error.status == 404:
            raise BadInput("nobody signs in there", file=connection.server) from None
        raise
    try:
        complete = told.get("verification_uri_complete")
        return Asked(
            str(told["user_code"]),
            _web(told["verification_uri"]),
            None if complete is None else _web(complete),
            float(told["expires_in"]),
            float(told.get("interval", 5)),
            str(told["device_code"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput("does not answer as a server of PaN Commons does", file=connection.server) from None


def wait(connection: Connection, asked: Asked, *, sleep: Sleep = time.sleep) -> str:
    """Wait until the person has approved, and return the token.

    Raises
    ------
    BadInput
        If they denied it, or took too long.
    """
    interval, until = asked.interval, time.monotonic() + asked.seconds
    while time.monotonic() < until:
        sleep(interval)
        error, told = _poll(connection, asked)
        if error is None:
            return str(told["access_token"])
        if error == "slow_down":
            interval += _SLOWER
        elif error not in ("authorization_pending", "temporarily_unavailable"):
            says = _SAYS.get(error) or str(told.get("error_description") or error).removesuffix(".")
            raise BadInput(says, file=connection.server)
    raise BadInput(_SAYS["expired_token"], file=connection.server)


def _poll(connection: Connection, asked: Asked) -> tuple[str | None, dict[str, Any]]:
    """Ask once whether the person has answered; a connection that fails is asked again at the next turn."""
    data = {"grant_type": _GRANT, "device_code": asked.device_code}
    try:
        answer = connection.once("POST", "/device/token", data=data, headers={"Accept": "application/json"})
        try:
            told = json.loads(answer.read())
        finally:
            answer.close()
    except httpx.HTTPError:
        return "temporarily_unavailable", {}
    except ValueError:
        raise NoAnswer(f"{connection.server} does not answer as a server of PaN Commons does.") from None
    if answer.is_success and isinstance(told, dict) and isinstance(told.get("access_token"), str):
        return None, told
    error = told.get("error") if isinstance(told, dict) else None
    return (error, told) if isinstance(error, str) else ("the server failed", {})


def _web(url: Any) -> str:
    """Return an address that a browser may be sent to."""
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or not url.isprintable():
        raise ValueError(url)
    return url
