"""Who asks: somebody who signed in, the one local user on this machine itself, or anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Principal
from pancommons.server.mounting import FORWARDED

_LOCAL_HOSTS = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Visitor:
    """Whoever sent a request.

    Attributes
    ----------
    principal
        What every decision on access is made with.
    name
        What pages call them; None for anybody.
    by
        How they are known: by a session of a browser, by a token, by sitting at this machine, or not at all.
    """

    principal: Principal
    name: str | None
    by: Literal["session", "token", "machine", "nothing"]


NOBODY = Visitor(ANONYMOUS, None, "nothing")


def visitor(request: Request) -> Visitor:
    """Decide who asks, once for a request."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is None:
        known = request.state.visitor = _local(request)
    return known


def from_here(request: Request) -> bool:
    """Say whether a program or a browser on this machine itself asks.

    A request that a proxy passed on, that names another host, or that a page of another origin makes is from
    elsewhere: a page somewhere on the internet could have made the browser of the local user send it.
    """
    return (
        request.client is not None
        and request.client.host in _LOCAL_HOSTS
        and not any(name in request.headers for name in FORWARDED)
        and request.headers.get("origin") in (None, f"{request.url.scheme}://{request.url.netloc}")
        and request.headers.get("sec-fetch-site") not in ("cross-site", "same-site")
        and (request.url.hostname or "") in _LOCAL_HOSTS
    )


def _local(request: Request) -> Visitor:
    """Find the local user, or nobody."""
    return Visitor(LOCAL_USER, "local user", "machine") if from_here(request) else NOBODY


def principal(asking: Annotated[Visitor, Depends(visitor)]) -> Principal:
    """Return what decisions on access are made with."""
    return asking.principal


Asking = Annotated[Visitor, Depends(visitor)]
Who = Annotated[Principal, Depends(principal)]
