"""Telling people that a run ended: by mail, or by a request to an address that the facility allows.

What is told is the run's identifier, pipeline, state and address: no title, no value, no data.
"""

from __future__ import annotations

import ipaddress
import re
import smtplib
import socket
from email.message import EmailMessage
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from pancommons.base.errors import BadInput, PanError
from pancommons.base.settings import Runs, Settings

TRIES = 3
PAUSE = 60.0
"""Seconds before it is tried again, twice as long each time."""
_SECONDS = 10.0
_MAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}")
_PORTS = {"http": 80, "https": 443}


class NotTold(PanError):
    """It could not be told; trying again may help."""


def check_tell(tell: str, settings: Runs) -> None:
    """Refuse an address that will not be told.

    Raises
    ------
    BadInput
        Saying which are.
    """
    if "://" in tell:
        if _allowed(tell, settings.webhooks) is None:
            raise BadInput("this address may not be told", field="tell", remedy="ask the facility which may")
    elif not _MAIL.fullmatch(tell):
        raise BadInput(
            "this is neither a mail address nor the address of a webhook", field="tell", remedy="write name@host"
        )
    elif settings.mail is None:
        raise BadInput("this server sends no mail", field="tell", remedy="leave it out")


def tell(run: Any, dataset: str | None, settings: Settings) -> None:
    """Tell that a run ended.

    Parameters
    ----------
    run
        Its row.
    dataset
        Identifier of its result.

    Raises
    ------
    NotTold
        If it did not arrive.
    """
    site = settings.site.url or ""
    facts = {
        "run": run.identifier,
        "pipeline": run.pipeline,
        "state": run.state,
        "dataset": dataset,
        "url": f"{site}/runs/{run.identifier}",
    }
    try:
        if "://" in run.tell:
            _post(run.tell, facts, settings.runs)
        elif settings.runs.mail is not None:
            _mail(run.tell, facts, settings)
    except (OSError, smtplib.SMTPException, httpx.HTTPError, UnicodeError, ValueError) as error:
        raise NotTold(f"{type(error).__name__}: {error}") from None


def _mail(to: str, facts: dict[str, str | None], settings: Settings) -> None:
    server = urlsplit(settings.runs.mail or "")
    message = EmailMessage()
    message["From"], message["To"] = settings.site.email, to
    message["Subject"] = f"Your {facts['pipeline']} run is {facts['state']}"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"Your run {facts['run']} ({facts['pipeline']}) has ended: {facts['state']}.\n\n{facts['url']}\n\n"
        f"-- \n{settings.site.publisher}\n"
    )
    kind = smtplib.SMTP_SSL if server.scheme == "smtps" else smtplib.SMTP
    with kind(server.hostname or "localhost", server.port or 0, timeout=_SECONDS) as connection:
        if server.username:
            connection.login(server.username, server.password or "")
        connection.send_message(message)


def _post(address: str, facts: dict[str, str | None], settings: Runs) -> None:
    """Send a request to the very address that was looked up and found to be allowed; redirects are not followed."""
    pattern = _allowed(address, settings.webhooks)
    if pattern is None:
        raise NotTold("the address may not be told any more")
    url = urlsplit(address)
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    named = not any(sign in (pattern.hostname or "") for sign in "*?[")
    target = _checked(host, port, private=named)
    shown = f"[{target}]" if ":" in target else target
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    with (
        httpx.Client(timeout=_SECONDS, follow_redirects=False, trust_env=False) as client,
        client.stream(
            "POST",
            f"{url.scheme}://{shown}:{port}{path}",
            json=facts,
            headers={"Host": url.netloc, "User-Agent": "PaN Commons"},
            extensions={"sni_hostname": host},
        ) as answer,
    ):
        if not 200 <= answer.status_code < 300:
            raise NotTold(f"it answered {answer.status_code}")


def _checked(host: str, port: int, *, private: bool) -> str:
    """Return the address to connect to; none of a private network but for hosts that are allowed by their name."""
    found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not private:
        for one in found:
            address = ipaddress.ip_address(str(one).partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None) or address
            if not mapped.is_global or mapped.is_multicast:
                raise NotTold("the address is one of a private network")
    return str(found[0])


def _allowed(address: str, patterns: list[str]) -> SplitResult | None:
    """Return the first pattern that an address fits, part by part; None if there is none."""
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        return None
    if url.scheme not in _PORTS or not url.hostname or "@" in url.netloc or url.fragment:
        return None
    if any(ord(sign) <= 32 or ord(sign) > 126 or sign == "\\" for sign in address) or "/../" in f"{url.path}/":
        return None
    for text in patterns:
        pattern = urlsplit(text)
        if (
            url.scheme == pattern.scheme
            and (port or _PORTS[url.scheme]) == (pattern.port or _PORTS.get(pattern.scheme))
            and fnmatchcase(url.hostname, pattern.hostname or "")
            and fnmatchcase(url.path or "/", pattern.path or "/")
        ):
            return pattern
    return None
