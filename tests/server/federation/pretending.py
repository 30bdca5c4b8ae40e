"""Catalogues that pretend to be servers, each with a fault of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from pancommons.base.settings import Provider
from pancommons.server.federation.breaker import Breaker
from pancommons.server.federation.providers import Remote

Record = dict[str, Any]


@dataclass
class Pretender:
    """A catalogue of datasets in memory.

    ``fault`` is one of: honest, repeats (gives every record three times), unsorted,
    collates (the longer title first), dead, slow, broken (500),
    refuses (400), nonsense (no JSON), moved (a redirection), packed, list (of no records), endless.
    """

    name: str
    records: list[Record]
    fault: str = "honest"
    asked: list[httpx.Request] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.fault == "dead":
            raise httpx.ConnectError("no route")
        if self.fault == "slow":
            raise httpx.ReadTimeout("too slow")
        status = {"broken": 500, "refuses": 400, "moved": 302}.get(self.fault)
        if status:
            away = {"location": "http://169.254.169.254/latest/meta-data"}
            return httpx.Response(status, text="Traceback: secret", headers=away)
        if self.fault == "nonsense":
            return httpx.Response(200, text='[{"pid": "x", "size": NaN}]')
        if self.fault == "list":
            return httpx.Response(200, json=["x", 3])
        if self.fault == "endless":
            return httpx.Response(200, content=b" " * (33 << 20))
        if self.fault == "packed":
            return httpx.Response(200, content=b"{}", headers={"content-encoding": "x-packed"})
        path = request.url.path
        if path.endswith("/Datasets/count"):
            return httpx.Response(200, json={"count": len(self.records)})
        if path.endswith("/Datasets"):
            return httpx.Response(200, json=self._page(json.loads(request.url.params.get("filter", "{}"))))
        pid = request.url.raw_path.decode().split("/Datasets/")[1].split("?")[0].split("/")[0]
        found = [one for one in self.records if httpx.URL(f"http://x/{pid}").path == f"/{one['pid']}"]
        if not found:
            return httpx.Response(404, json={"error": {}})
        if "/files" in path:
            return httpx.Response(200, json=[{"id": 1, "name": f"of {self.name}"}])
        return httpx.Response(200, json=found[0])

    def _page(self, asked: dict[str, Any]) -> list[Record]:
        found = self.records
        if self.fault != "unsorted" and "order" in asked:
            assert asked["order"] == ["title ASC", "pid ASC"]
            longer = self.fault == "collates"
            found = sorted(found, key=lambda one: (-len(one["title"]) * longer, one["title"], one["pid"]))
        if self.fault == "repeats":
            found = [one for one in found for _ in range(3)]
        skip = asked.get("skip", 0)
        return found[skip : skip + asked["limit"]]


def talking(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    """Give a client whose every request is answered by a function, as a stream."""

    def streamed(request: httpx.Request) -> httpx.Response:
        told = answer(request)
        return httpx.Response(told.status_code, headers=told.headers, stream=httpx.ByteStream(told.content))

    return httpx.AsyncClient(transport=httpx.MockTransport(streamed), trust_env=False)


def remotes(pretenders: list[Pretender], **more: Any) -> list[Remote]:
    """Give the catalogues as the federation knows them."""
    made = []
    for one in pretenders:
        told = Provider(
            name=one.name, url=f"http://{one.name}.example/api", honours_order=one.fault != "unsorted",
            kind="pancommons", timeout=1, **more,
        )  # fmt: skip
        made.append(Remote(told, talking(one.answer), Breaker()))
    return made
