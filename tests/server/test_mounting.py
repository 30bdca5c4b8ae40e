"""Below a path and through proxies: no link leads elsewhere, and nobody says for themselves where they come from."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from pancommons.base.errors import BadInput
from pancommons.base.settings import Server, Settings
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.store.engine import Database
from tests.catalogue.search.putting import dataset, put
from tests.server.conftest import listening
from tests.server.nginx import nginx

MOUNTED = Settings(server=Server(root_path="/commons", proxies=["127.0.0.1"]))
HTML = {"Accept": "text/html"}

_PASSED = """
    location /commons/ {{
      proxy_pass {server}{rest};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
"""


@pytest.mark.parametrize("rest", ["", "/"], ids=["the proxy leaves the path", "the proxy takes the path away"])
def test_every_address_lies_below_the_path(sqlite_database: Database, tmp_path: Path, rest: str) -> None:
    put(sqlite_database, [dataset(f"10.1/{number}", "lung") for number in range(3)])
    with (
        listening(sqlite_database, MOUNTED) as server,
        nginx(tmp_path / "nginx", _PASSED.format(server=server, rest=rest)) as outside,
    ):
        begin = f"{outside}/commons/"
        seen, ahead, styles = set(), ["/commons/", "/commons/datasets", "/commons/nothing/there"], 0
        while ahead and len(seen) < 40:
            path = ahead.pop()
            answer = httpx.get(outside + path, headers=HTML, timeout=30)
            assert answer.status_code < 500, path
            seen.add(path)
            if "location" in answer.headers:
                assert answer.headers["location"].startswith(("/commons/", begin)), path
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            for link in re.findall(r'(?:href|src|action|hx-\w+)="([^"]+)"', answer.text):
                if link.startswith("/"):
                    assert link.startswith("/commons/"), f"{path}: {link}"
                    target = link.split("#")[0].split("?")[0].replace("&amp;", "&")
                    styles += target.endswith(".css")
                    if target not in seen and target not in ahead and "signout" not in target:
                        ahead.append(target)
        assert styles and len(seen) > 5

        assert httpx.get(f"{begin}static/base.css").status_code == 200
        assert httpx.get(f"{begin}search-api/Datasets", params={"filter": '{"limit":1}'}).json()[0]["pid"]
        assert httpx.get(f"{begin}search-api/datasets/COUNT").json()["count"] > 0
        assert f"{begin}oai" in httpx.get(f"{begin}oai?verb=Identify").text
        assert f"<loc>{begin}" in httpx.get(f"{begin}sitemap.xml").text
        chosen = httpx.post(
            f"{begin}choices", data={"theme": "dark", "next": "/commons/datasets"}, headers={"Origin": outside}
        )
        assert chosen.headers["location"] == "/commons/datasets" and "Path=/commons" in chosen.headers["set-cookie"]
        assert httpx.get(f"{outside}/datasets").status_code == 404


def test_the_next_page_of_the_catalogue_lies_below_the_path(sqlite_database: Database) -> None:
    from pancommons.server import publishing

    put(sqlite_database, [dataset(f"10.1/{number}", "lung") for number in range(3)])
    kept, publishing._CATALOGUE_PAGE = publishing._CATALOGUE_PAGE, 1
    try:
        with listening(sqlite_database, MOUNTED) as server:
            link = httpx.get(f"{server}/catalog.ttl").headers["link"]
            assert link.startswith(f"<{server}/commons/catalog.ttl?after=")
            assert httpx.get(link[1 : link.index(">")]).status_code == 200
    finally:
        publishing._CATALOGUE_PAGE = kept


def _seen(database: Database, settings: Settings, peer: str, headers: list[tuple[str, str]]) -> tuple[str, str, str]:
    """Return from where, how and under which name the application believes to be asked."""
    app = create_app(Services(database, settings))

    @app.get("/seen")
    def seen(request: Request) -> tuple[str, str, str]:
        assert request.client is not None
        return request.client.host, request.url.scheme, request.url.netloc

    host, scheme, name = TestClient(app, client=(peer, 1)).get("/seen", headers=headers).json()
    return host, scheme, name


BELIEVED = Settings(server=Server(proxies=["192.0.2.7", "10.0.0.0/8"]))


@pytest.mark.parametrize(
    ("peer", "headers", "seen"),
    [
        ("192.0.2.7", {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "https"}, ("203.0.113.5", "https")),
        ("192.0.2.7", {"X-Forwarded-For": "127.0.0.1, 203.0.113.5"}, ("203.0.113.5", "http")),
        ("192.0.2.7", {"X-Forwarded-For": "127.0.0.1, 203.0.113.5, 10.1.2.3"}, ("203.0.113.5", "http")),
        ("192.0.2.8", {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "https"}, ("192.0.2.8", "http")),
        ("192.0.2.7", {"X-Forwarded-Proto": "javascript"}, ("192.0.2.7", "http")),
        ("192.0.2.7", {"Forwarded": "for=203.0.113.5;proto=https;host=evil.example"}, ("192.0.2.7", "http")),
        ("192.0.2.7", {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "10.0.0.1"}, ("10.0.0.1", "http")),
    ],
)
def test_who_is_believed(sqlite_database: Database, peer: str, headers: dict[str, str], seen: tuple[str, str]) -> None:
    found = _seen(sqlite_database, BELIEVED, peer, list(headers.items()))
    assert found == (*seen, "testserver")


def test_two_headers_are_one_list(sqlite_database: Database) -> None:
    twice = [("X-Forwarded-For", "203.0.113.5"), ("X-Forwarded-For", "203.0.113.6")]
    assert _seen(sqlite_database, BELIEVED, "192.0.2.7", twice)[0] == "203.0.113.6"


@pytest.mark.parametrize("proxies", [[], ["127.0.0.1"]], ids=["no proxy is named", "this machine is"])
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
def test_what_was_passed_on_is_never_the_local_user(sqlite_database: Database, header: str, proxies: list[str]) -> None:
    app = create_app(Services(sqlite_database, Settings(server=Server(proxies=proxies))))
    here = TestClient(app, base_url="http://localhost:8000", client=("127.0.0.1", 1))
    assert here.get("/metrics").status_code == 200
    assert here.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_browsers_are_told_to_stay_with_https(sqlite_database: Database) -> None:
    app = create_app(Services(sqlite_database, BELIEVED))
    proxy = TestClient(app, client=("192.0.2.7", 1))
    assert "strict-transport-security" not in proxy.get("/health").headers
    assert "strict-transport-security" in proxy.get("/health", headers={"X-Forwarded-Proto": "https"}).headers


@pytest.mark.parametrize("proxy", ["*", "nginx", "10.0.0.1/8", ""])
def test_a_proxy_is_an_address_or_a_network(sqlite_database: Database, proxy: str) -> None:
    with pytest.raises(BadInput, match="neither an address nor a network"):
        create_app(Services(sqlite_database, Settings(server=Server(proxies=[proxy]))))
