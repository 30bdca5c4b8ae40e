"""Addresses of servers and of runs there."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from pancommons.base.errors import BadInput

_PORTS = {"http": 80, "https": 443}


def server(given: str) -> str:
    """Return the address of a portal in its one spelling: scheme, host and path, without a slash at the end.

    Raises
    ------
    BadInput
        If it is none.
    """
    parts = _split(given)
    if parts is None or parts.query or parts.fragment:
        raise BadInput(f"{given!r} is no address of a server", field="--server", remedy="write https://HOST")
    return f"{origin(given)}{parts.path.rstrip('/')}"


def run(given: str) -> tuple[str, str] | None:
    """Split the address of a run, ``SERVER/runs/ID``, into those of the server and the run; None if it is none."""
    parts = _split(given)
    before, slash, identifier = (parts.path.rstrip("/").rpartition("/runs/")) if parts else ("", "", "")
    if not slash or not identifier.isalnum():
        return None
    return f"{origin(given)}{before}", identifier


def origin(url: str) -> str:
    """Return scheme, host and port of an address; the usual port is left out."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host
    port = parts.port if parts.port != _PORTS.get(parts.scheme) else None
    return f"{parts.scheme}://{named}" + (f":{port}" if port else "")


def is_private(url: str) -> bool:
    """Say whether nobody on the way can read what is sent: it is encrypted, or does not leave this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _split(given: str) -> SplitResult | None:
    try:
        parts = urlsplit(given)
        known = parts.scheme in _PORTS and bool(parts.hostname) and "@" not in parts.netloc
        return parts if known and (parts.port is None or parts.port > 0) else None
    except ValueError:
        return None
