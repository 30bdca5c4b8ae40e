"""What the server says of itself: counted by route, readable to few."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi.testclient import TestClient

from pancommons.base.settings import Settings
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.store.engine import Database
from tests.server.conftest import listening


def test_requests_are_counted_by_their_route(database: Database) -> None:
    with listening(database) as server, httpx.Client(base_url=server) as client:
        for path in ("/datasets/1.jsonld", "/datasets/2.jsonld", "/search-api/Datasets", "/search-api/datasets"):
            client.get(path)
        client.get("/no/such/place")
        client.delete("/search-api/Datasets")
        client.request("BREW", "/health")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    told = answer.text
    assert _value(told, route="/datasets/{identifier}.jsonld", method="GET", status="404") == 2
    assert _value(told, route="/search-api/Datasets", method="GET", status="200") == 2
    assert _value(told, route="none", method="GET", status="404") == 1
    assert _value(told, route="none", method="DELETE", status="404") == 1
    assert _value(told, route="/health", method="other", status="405") == 1
    assert "/no/such/place" not in told and "BREW" not in told
    assert 'pancommons_request_seconds_count{method="GET",route="/search-api/Datasets"} 2.0' in told
    assert "pancommons_requests_in_flight 1.0" in told  # this one
    assert f'database="{database.dialect}"' in told
    assert re.search(r'pancommons_runs\{state="running"\} 0.0', told)
    assert re.search(r'pancommons_readers\{state="busy"\} 0.0', told)
    assert re.search(r'pancommons_database_connections\{state="used"\} \d', told)
    memory = re.search(r"process_resident_memory_bytes ([\d.e+]+)", told)
    assert memory is not None and float(memory[1]) > 10e6


def _value(told: str, **labels: str) -> float:
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    found = re.search(re.escape(f"pancommons_requests_total{{{inside}}} ") + r"([\d.]+)", told)
    assert found is not None, f"{inside} in\n{told}"
    return float(found[1])


def test_a_failure_is_counted(sqlite_database: Database) -> None:
    app = create_app(Services(sqlite_database, Settings()))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("on purpose")

    client = TestClient(app, raise_server_exceptions=False, base_url="http://localhost", client=("127.0.0.1", 1))
    assert client.get("/broken").status_code == 500
    assert _value(client.get("/metrics").text, route="/broken", method="GET", status="500") == 1


@pytest.mark.parametrize(
    ("peer", "name", "headers"),
    [
        ("192.0.2.9", "localhost", {}),
        ("127.0.0.1", "data.facility.example", {}),
        ("127.0.0.1", "localhost", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", "localhost", {"Origin": "https://evil.example"}),
    ],
)
def test_nobody_from_elsewhere_reads_it(
    sqlite_database: Database, peer: str, name: str, headers: dict[str, str]
) -> None:
    app = create_app(Services(sqlite_database, Settings()))
    answer = TestClient(app, base_url=f"http://{name}", client=(peer, 1)).get("/metrics", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "only programs on this machine and administrators may read this"
