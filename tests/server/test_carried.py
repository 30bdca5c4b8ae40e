"""What the package carries for browsers is answered as a server of files would, and without touching one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi.testclient import TestClient

from pancommons.server import carried
from pancommons.server.app import create_app
from pancommons.server.services import Services, Settings
from pancommons.store.engine import Database

FOLDER = Path(carried.__file__).with_name("static")
NAMES = sorted(str(one.relative_to(FOLDER)) for one in FOLDER.rglob("*") if one.is_file())
SAME = ("content-type", "content-length", "accept-ranges", "content-range", "allow")


@pytest.fixture
def own(sqlite_database: Database) -> Iterator[TestClient]:
    yield TestClient(create_app(Services(sqlite_database, Settings())))


@pytest.fixture(scope="module")
def other() -> TestClient:
    """Serve the same files with a server that others made."""
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=FOLDER))
    return TestClient(app)


def compared(own: httpx.Response, other: httpx.Response) -> None:
    """Look whether two answers say the same."""
    assert own.status_code == other.status_code
    for name in SAME:
        assert own.headers.get(name) == other.headers.get(name), name
    assert own.content == other.content


def test_every_file_is_given_whole_and_in_part(own: TestClient, other: TestClient) -> None:
    assert "base.css" in NAMES
    for name in NAMES:
        for headers in ({}, {"Range": "bytes=3-9"}, {"Range": "bytes=-5"}, {"Range": "bytes=7-"}):
            compared(own.get(f"/static/{name}", headers=headers), other.get(f"/static/{name}", headers=headers))
        compared(own.head(f"/static/{name}"), other.head(f"/static/{name}"))
    assert own.get("/static/base.css", headers={"Range": "bytes=9999999-"}).status_code == 416


def test_a_browser_that_has_a_file_gets_nothing(own: TestClient) -> None:
    first = own.get("/static/base.css")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    again = own.get("/static/base.css", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert own.get("/static/base.css", headers={"If-None-Match": '"other"'}).status_code == 200
    assert own.get("/static/base.js").headers["etag"] != tag


def test_what_a_page_names_is_kept_without_asking_again(own: TestClient) -> None:
    named = re.findall('"(/static/[^"]+)"', own.get("/", headers={"Accept": "text/html"}).text)
    assert len(named) > 2
    for address in named:
        answer = own.get(address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True), address
        assert answer.headers["etag"].strip('"') == address.partition("?v=")[2]
    assert own.get("/static/base.css?v=0").headers["cache-control"] == "no-cache"


def test_a_part_of_what_was_there_before_is_not_joined_to_what_is_there_now(own: TestClient) -> None:
    part = {"Range": "bytes=3-9"}
    tag = own.get("/static/base.css").headers["etag"]
    assert own.get("/static/base.css", headers=part | {"If-Range": tag}).status_code == 206
    assert own.get("/static/base.css", headers=part | {"If-Range": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["", "nothing.css", "built", "../app.py", "%2e%2e/app.py", "..%2fapp.py", "a%00b"])
def test_nothing_else_is_given(own: TestClient, path: str) -> None:
    answer = own.get(f"/static/{path}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["name"]) == (404, "NotFoundError")


def test_nothing_is_changed(own: TestClient) -> None:
    answer = own.delete("/static/base.css")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_no_answer_goes_to_the_disk_or_to_another_thread(own: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    held = own.get("/static/base.css").content

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the disk was touched, or a thread was asked")

    for name in ("builtins.open", "os.stat", "os.open", "anyio.to_thread.run_sync"):
        monkeypatch.setattr(name, refused)
    assert own.get("/static/base.css").content == held
