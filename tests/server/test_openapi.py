"""Whatever a client makes of the OpenAPI description, the server never fails."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pancommons.base.settings import Provider, Settings
from pancommons.catalogue.ontology.graph import core
from pancommons.store.engine import Database
from tests.catalogue.search.demo import load_demo
from tests.catalogue.search.putting import put
from tests.server.conftest import listening


@pytest.fixture
def described(database: Database, shared_data: Callable[[str], Path]) -> Iterator[str]:
    """Give a server of the demo data whose federation has a provider that is dead."""
    load_demo(database, shared_data("panosc-search-demo/db.json"))
    put(database, [], list(core()))
    dead = Provider(name="Dead", url="http://127.0.0.1:9/api", timeout=1)
    with listening(database, Settings(providers=[dead])) as address:
        yield address


def fuzz(address: str, seconds: int, folder: Path) -> str:
    """Let schemathesis try all operations, half of the time with what should be right; give what it says."""
    said = ""
    for more in (["--mode=positive", "--phases=fuzzing"], ["--mode=all"]):
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json",
             "--checks=not_a_server_error", f"--max-time={seconds // 2}", "--seed=5", "--no-color",
             "--continue-on-failure", "--warnings=off", "--request-timeout=60", "--suppress-health-check=all", *more],
            cwd=folder, capture_output=True, text=True, check=False, timeout=seconds + 180,
        )  # fmt: skip
        assert _nothing_failed(done.stdout), done.stdout[-6000:] + done.stderr[-2000:]
        said += done.stdout
    return said


def _nothing_failed(said: str) -> bool:
    """Tell whether no answer was a failure; that it cannot negate one of our schemas is the tool's own trouble."""
    if "No issues found" in said:
        return True
    counted = re.search(r"(\d+) generated, (\d+) passed", said)
    errors = set(re.findall(r"^ *\S+ ([A-Z][\w ]+): \d+$", said, re.MULTILINE))
    return counted is not None and counted[1] == counted[2] and errors == {"Schema Error"}


def test_every_route_of_the_contract_is_described(described: str) -> None:
    told = httpx.get(f"{described}/openapi.json").json()
    api = "/search-api"
    for base in (api, f"{api}/federated"):
        for path in ("/Datasets", "/Documents", "/Instruments"):
            assert {f"{base}{path}", f"{base}{path}/count", f"{base}{path}/{{pid}}"} <= set(told["paths"])
        assert {f"{base}/Datasets/{{pid}}/files", f"{base}/Datasets/{{pid}}/files/count"} <= set(told["paths"])
    assert {f"{api}/score", f"{api}/techniques", f"{api}/techniques/pan-ontology"} <= set(told["paths"])
    parameters = told["paths"][f"{api}/Datasets"]["get"]["parameters"]
    [filter_] = [one for one in parameters if one["name"] == "filter"]
    assert filter_["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/FilterOfDataset"}
    assert {"Dataset", "Document", "Failure", "FilterOfDataset"} <= set(told["components"]["schemas"])


def test_nothing_fails_in_half_a_minute(described: str, tmp_path: Path) -> None:
    assert "Fuzzing" in fuzz(described, 30, tmp_path)


@pytest.mark.soak
def test_nothing_fails_in_ten_minutes(described: str, tmp_path: Path) -> None:
    print(fuzz(described, 600, tmp_path))
