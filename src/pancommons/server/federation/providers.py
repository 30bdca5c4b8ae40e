"""One catalogue of a federation: ours, or one that is asked over HTTP and trusted with nothing."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

import httpx
from starlette.concurrency import run_in_threadpool

from pancommons.base.settings import Provider as Configured
from pancommons.catalogue.access import Principal
from pancommons.catalogue.search import asking
from pancommons.catalogue.search.errors import TooLarge
from pancommons.catalogue.search.weighing import LARGEST
from pancommons.server.federation.breaker import Breaker
from pancommons.store.engine import Database, TookTooLong

GATEWAY = "1.1 pancommons-federation"
"""How we name ourselves to those we ask; nobody who asks in this name is the local user of another server."""

Record = dict[str, Any]


class NoAnswer(Exception):
    """A catalogue did not answer; the text is a reason that may be shown to anybody."""


class Provider(Protocol):
    """A catalogue that can be asked. Every question may raise `NoAnswer`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def honours_order(self) -> bool: ...  # noqa: D102
    @property
    def timeout(self) -> float: ...  # noqa: D102

    async def find(self, kind: str, asked: Mapping[str, Any]) -> list[Record]:
        """Find records of a model."""

    async def count(self, kind: str, where: Any) -> int:
        """Count records of a model."""

    async def get(self, kind: str, pid: str, asked: Any) -> Record | None:
        """Get one record."""

    async def files(self, pid: str, asked: Any) -> list[Record] | None:
        """List the files of a dataset."""

    async def count_files(self, pid: str, where: Any) -> int | None:
        """Count the files of a dataset."""


@dataclass(frozen=True)
class Own:
    """Our own catalogue, as the one who asks may see it."""

    name: str
    url: str
    database: Database
    who: Principal
    at: datetime
    timeout: float = 10.0
    kind: str = "pancommons"
    honours_order: bool = True

    async def find(self, kind: str, asked: Mapping[str, Any]) -> list[Record]:
        """Find records of a model."""
        return await self._ask(asking.search, kind, dict(asked))  # type: ignore[no-any-return]

    async def count(self, kind: str, where: Any) -> int:
        """Count records of a model."""
        return await self._ask(asking.count, kind, where)  # type: ignore[no-any-return]

    async def get(self, kind: str, pid: str, asked: Any) -> Record | None:
        """Get one record."""
        return await self._ask(asking.get, kind, pid, asked)  # type: ignore[no-any-return]

    async def files(self, pid: str, asked: Any) -> list[Record] | None:
        """List the files of a dataset."""
        return await self._ask(asking.files, pid, asked)  # type: ignore[no-any-return]

    async def count_files(self, pid: str, where: Any) -> int | None:
        """Count the files of a dataset."""
        return await self._ask(asking.count_files, pid, where)  # type: ignore[no-any-return]

    async def _ask(self, question: Any, *arguments: Any) -> Any:
        def ask() -> Any:
            with self.database.read(self.timeout) as connection:
                return question(connection, *arguments, self.who, self.at)

        try:
            return await run_in_threadpool(ask)
        except TookTooLong:
            raise NoAnswer(f"did not answer within {self.timeout:g} s") from None
        except TooLarge:
            raise NoAnswer(f"answers with more than {LARGEST >> 20} MiB") from None


@dataclass(frozen=True)
class Remote:
    """A catalogue behind another server's search API."""

    told: Configured
    client: httpx.AsyncClient
    breaker: Breaker = field(default_factory=Breaker)

    @property
    def name(self) -> str:
        """How answers name it."""
        return self.told.name

    @property
    def url(self) -> str:
        """Where its search API lies."""
        return self.told.url

    @property
    def kind(self) -> str:
        """What serves it."""
        return self.told.kind

    @property
    def timeout(self) -> float:
        """How many seconds it has."""
        return self.told.timeout

    @property
    def honours_order(self) -> bool:
        """Whether it sorts as asked."""
        return self.kind == "pancommons" if self.told.honours_order is None else self.told.honours_order

    async def find(self, kind: str, asked: Mapping[str, Any]) -> list[Record]:
        """Find records of a model."""
        return _records(await self._ask(f"/{kind}s", filter=asked))

    async def count(self, kind: str, where: Any) -> int:
        """Count records of a model."""
        return _count(await self._ask(f"/{kind}s/count", where=where))

    async def get(self, kind: str, pid: str, asked: Any) -> Record | None:
        """Get one record."""
        found = await self._ask(f"/{kind}s/{quote(pid, safe='')}", filter=asked, may_miss=True)
        return None if found is None else _records([found])[0]

    async def files(self, pid: str, asked: Any) -> list[Record] | None:
        """List the files of a dataset."""
        found = await self._ask(f"/Datasets/{quote(pid, safe='')}/files", filter=asked, may_miss=True)
        return None if found is None else _records(found)

    async def count_files(self, pid: str, where: Any) -> int | None:
        """Count the files of a dataset."""
        found = await self._ask(f"/Datasets/{quote(pid, safe='')}/files/count", where=where, may_miss=True)
        return None if found is None else _count(found)

    async def _ask(self, path: str, *, may_miss: bool = False, **arguments: Any) -> Any:
        """Ask for JSON; None where there is nothing and that may be."""
        if not self.breaker.passes():
            raise NoAnswer("is not asked for a while, since it did not answer")
        given = {name: json.dumps(value) for name, value in arguments.items() if value}
        try:
            async with asyncio.timeout(self.timeout):
                status, body = await self._read(path, given)
                if status == 404 and may_miss:
                    self.breaker.succeeded()
                    return None
                if status != 200:
                    raise _refused(status)
                told = await asyncio.to_thread(_parsed, body)
        except httpx.PoolTimeout:
            raise NoAnswer("was not asked: too many questions at once") from None
        except (TimeoutError, httpx.TimeoutException):
            self.breaker.failed()
            raise NoAnswer(f"did not answer within {self.timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            self.breaker.failed()
            raise NoAnswer("cannot be reached") from None
        except _Refused as error:
            (self.breaker.succeeded if error.harmless else self.breaker.failed)()
            raise NoAnswer(str(error)) from None
        self.breaker.succeeded()
        return told

    async def _read(self, path: str, given: Mapping[str, str]) -> tuple[int, bytes]:
        """Read an answer of bounded size, as it comes: nothing is unpacked, no redirection is followed."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Via": GATEWAY}
        body = bytearray()
        limits = httpx.Timeout(self.timeout, pool=self.timeout / 2)
        async with self.client.stream(
            "GET", self.url + path, params=given, headers=headers, timeout=limits, follow_redirects=False
        ) as answer:
            if answer.status_code != 200:
                return answer.status_code, b""
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise _Refused("answers packed, though asked not to")
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > LARGEST:
                    raise _Refused(f"answers with more than {LARGEST >> 20} MiB")
        return 200, bytes(body)


class _Refused(Exception):
    """An answer that is of no use; harmless where the server is well all the same."""

    def __init__(self, reason: str, *, harmless: bool = False) -> None:
        super().__init__(reason)
        self.harmless = harmless


def _refused(status: int) -> _Refused:
    if 300 <= status < 400:
        return _Refused("answers from another address; its URL in the settings must be renewed")
    return _Refused(f"answers with status {status}", harmless=status < 500 and status != 429)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise _Refused("answers with what is no JSON") from None


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _records(told: Any) -> list[Record]:
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise NoAnswer("answers with what is no list of records")
    for one in told:
        for key in ("pid", "id"):
            if isinstance(one.get(key), int):
                one[key] = str(one[key])
    return told


def _count(told: Any) -> int:
    count = told.get("count") if isinstance(told, dict) else None
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**53:
        raise NoAnswer("answers with what is no count")
    return count
