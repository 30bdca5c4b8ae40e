"""Asking one server: patiently, with a token that no other origin gets, and with its own words where it refuses."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urljoin

import httpx

from pancommons.base.errors import BadInput, PanError
from pancommons.client import address

Sleep = Callable[[float], None]

PATIENCE = 60.0
"""Seconds for which a server that cannot be reached, or is busy, is asked again."""
FIRST = 3.0
"""The same for a server that never answered: its address may be wrong."""
TIMEOUT = httpx.Timeout(60, connect=10)
"""A server sends something at least every 15 s while a run is followed."""

_AGAIN = frozenset({429, 502, 503, 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_MOST_REDIRECTS = 5
_LONGEST_ERROR = 64 << 10


class NoAnswer(PanError):
    """The server cannot be reached, does not answer, or answers in a way that it should not."""


class SignInNeeded(PanError):
    """The server wants to know who asks, or has forgotten."""

    exit_code = 2


class Refused(BadInput):
    """The server refuses what is asked.

    Parameters
    ----------
    status
        Of HTTP.
    """

    def __init__(self, problem: str, *, file: str, status: int) -> None:
        super().__init__(problem, file=file)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return (_refused, (self.problem, self.file, self.status))


def _refused(problem: str, file: str, status: int) -> Refused:
    return Refused(problem, file=file, status=status)


def check_private(server: str) -> None:
    """Refuse to show a token where others could read it on its way.

    Raises
    ------
    BadInput
        If the server is asked without encryption and is not on this machine.
    """
    if not address.is_private(server):
        raise BadInput("others could read a token on its way there", file=server, remedy="ask the server through https")


class Connection:
    """A connection to a server, kept open between requests; may be used by several threads.

    Parameters
    ----------
    server
        As `address.server` spells it.
    token
        Shown to that server and to no other.
    patience
        Seconds for which what failed is tried again, where that does no harm.

    Raises
    ------
    BadInput
        If others could read the token on its way.
    """

    def __init__(
        self, server: str, token: str | None = None, *, patience: float = PATIENCE, sleep: Sleep = time.sleep
    ) -> None:
        if token is not None:
            check_private(server)
        self.server, self.patience = server, patience
        self._sleep, self._answered = sleep, False
        headers = {"User-Agent": f"pancommons/{version('pancommons')}", "Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=False)

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Ask for JSON, and return what it holds; None where the answer has no content.

        Parameters
        ----------
        path
            Below the server's address.
        more
            What httpx takes: ``params``, ``json``, ``data``, ``headers``.

        Raises
        ------
        NoAnswer, SignInNeeded, Refused
            In the server's own words where it has any.
        """
        answer = self._patiently(method, path, more, whole=True)
        try:
            return json.loads(answer.content) if answer.content.strip() else None
        except ValueError:
            raise self._strange() from None

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        """Give an answer whose content is read by whoever asked; one that refuses is an error."""
        answer = self._patiently(method, path, more, whole=False)
        try:
            yield answer
        finally:
            answer.close()

    def once(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask once, without a look at what the answer says; its content is not read yet."""
        headers = {**(more.pop("headers", None) or {})}
        url = self.server + path
        for _ in range(_MOST_REDIRECTS):
            answer = self._http.send(self._http.build_request(method, url, headers=headers, **more), stream=True)
            self._answered = True
            if answer.status_code not in (301, 302, 303, 307, 308) or "location" not in answer.headers:
                return answer
            answer.close()
            url = urljoin(url, answer.headers["location"])
            if address.origin(url) != address.origin(self.server) or method not in ("GET", "HEAD"):
                raise BadInput(
                    f"sends to {address.origin(url)}", file=self.server,
                    remedy="name the server under the address at which it answers",
                )  # fmt: skip
            more.pop("params", None)
        raise self._strange()

    def pause(self, tried: int, since: float, answer: httpx.Response | None = None) -> bool:
        """Wait before something is tried again; False where patience has ended.

        Parameters
        ----------
        tried
            How often it was.
        since
            When it went wrong for the first time, on the monotonic clock.
        answer
            Which may say how long to wait.
        """
        told = None if answer is None else _retry_after(answer.headers)
        seconds = told if told is not None else min(0.25 * 2**tried, 10.0) * random.uniform(0.7, 1.3)  # noqa: S311
        patience = self.patience if self._answered else min(self.patience, FIRST)
        if time.monotonic() + seconds > since + patience:
            return False
        self._sleep(seconds)
        return True

    def _patiently(self, method: str, path: str, more: Mapping[str, Any], *, whole: bool) -> httpx.Response:
        """Ask until there is an answer, with its whole content if that is wanted."""
        harmless = method in _IDEMPOTENT or "Idempotency-Key" in (more.get("headers") or {})
        since, tried = time.monotonic(), 0
        while True:
            try:
                answer = self.once(method, path, **more)
                if whole and answer.is_success:
                    answer.read()
            except httpx.HTTPError as error:
                sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if (sent and not harmless) or not self.pause(tried, since):
                    raise self._silent(error) from None
            else:
                if answer.is_success or not (_may_pass(answer, harmless=harmless) and self.pause(tried, since, answer)):
                    return self._checked(answer)
                answer.close()
            tried += 1

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        """Return an answer that is one, else raise what it says."""
        if answer.is_success or answer.status_code == 304:
            return answer
        told = self._told(answer)
        answer.close()
        if answer.status_code == 401:
            raise SignInNeeded(f"{self.server} wants to know who asks; run: pan login --server {self.server}")
        if answer.status_code >= 500:
            raise NoAnswer(f"{self.server} says: {told or f'error {answer.status_code}'}.")
        raise Refused(told or f"answers {answer.status_code}", file=self.server, status=answer.status_code)

    def _told(self, answer: httpx.Response) -> str:
        """Return what an answer that refuses says, without a full stop."""
        try:
            content = b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _LONGEST_ERROR:
                    return ""
            error = json.loads(content)["error"]
            message = error["message"] if isinstance(error, dict) else json.loads(content)["error_description"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return ""
        return "".join(sign if sign.isprintable() else " " for sign in str(message)).strip().removesuffix(".")

    def _silent(self, error: httpx.HTTPError) -> PanError:
        if not self._answered:
            return BadInput(f"cannot be reached ({type(error).__name__})", file=self.server, remedy="check the address")
        return NoAnswer(f"{self.server} does not answer any more ({type(error).__name__}).")

    def _strange(self) -> BadInput:
        return BadInput("does not answer as a server of PaN Commons does", file=self.server, remedy="check the address")


def _may_pass(answer: httpx.Response, *, harmless: bool) -> bool:
    """Say whether the same request may be granted later: the server is busy, or says when a conflict is over."""
    if answer.status_code == 409:
        return "retry-after" in answer.headers
    return answer.status_code in _AGAIN and (harmless or answer.status_code in (429, 503))


def _retry_after(headers: httpx.Headers) -> float | None:
    told = headers.get("retry-after", "").strip()
    if told.isdigit():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
