"""Whatever a client makes of the OpenAPI description, the server never fails and says nothing of its machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from fastapi import FastAPI

from pancommons.base.settings import Provider
from pancommons.catalogue.access import Action, Role
from pancommons.catalogue.ontology.graph import core
from pancommons.store.engine import Database
from tests.catalogue.search.demo import load_demo
from tests.catalogue.search.putting import put
from tests.runs.conftest import plugged
from tests.server.conftest import serving
from tests.server.crawling import AT, Commons, full_of_secrets, values_of
from tests.server.credentials import Office
from tests.server.leaking import templates

__all__ = ["plugged"]

MOST = 400 << 20
"""Bytes by which the server and its readers may grow."""


@dataclass
class Described:
    """A server of the demo data and of a world with files and a run, whose federation has a provider that is dead.

    Attributes
    ----------
    visitors
        Headers, by who shows them.
    """

    address: str
    commons: Commons
    folder: Path
    visitors: dict[str, dict[str, str]] = field(default_factory=dict)


@pytest.fixture
def described(database: Database, shared_data: Callable[[str], Path], tmp_path: Path) -> Iterator[Described]:
    load_demo(database, shared_data("panosc-search-demo/db.json"))
    put(database, [], list(core()))
    dead = Provider(name="Dead", url="http://127.0.0.1:9/api", timeout=1)
    with full_of_secrets(database, tmp_path, providers=[dead]) as commons, serving(commons.app) as address:
        with database.write() as connection:
            office = Office(connection, commons.app.state.signin.told, AT)
            account = office.account("root", Role.ADMINISTRATOR)
            session, token = office.session(account), office.token(account, *Action)
        made = Described(address, commons, tmp_path)
        made.visitors = {
            "anybody": {},
            "session": {"Cookie": f"pancommons-session={session}", "Sec-Fetch-Site": "same-origin"},
            "token": {"Authorization": f"Bearer {token}"},
        }
        yield made


def know(described: Described) -> None:
    """Write down what schemathesis is to know."""
    values = values_of(described.commons.world)
    world = described.commons.world
    inside = ["/", "/entry", "/entry/data", "/entry/data/v", "/entry/title"]
    told = {
        "values": values
        | {
            f"{template} identifier": world.runs
            for template in ("/runs/{identifier}/stop", "/runs/{identifier}/resume")
        }
        | {"query path": inside, "query selection": ["0", ":,1", "::2"]},
        "hidden": [str(described.folder), str(Path.cwd()), sys.prefix],
    }
    (described.folder / "known.json").write_text(json.dumps(told))


def fuzz(described: Described, seconds: int) -> str:
    """Let schemathesis try all operations as everybody; for long, half of the time with what should be right."""
    know(described)
    httpx.get(f"{described.address}/openapi.json", timeout=120)  # it is made once, and schemathesis waits for 10 s
    said = ""
    quick = ["--mode=all", "--phases=fuzzing", "--max-examples=3"]
    ways = [quick] if seconds < 60 else [["--mode=positive", "--phases=fuzzing"], ["--mode=all"]]
    each = seconds // len(described.visitors) // len(ways)
    for who, shown in described.visitors.items():
        headers = [f"--header={name}: {value}" for name, value in shown.items()]
        headers += ["--exclude-path=/me/tokens/current"] if who == "token" else []  # it would revoke itself
        for more in ways:
            done = subprocess.run(
                [sys.executable, "-m", "schemathesis.cli", "run", f"{described.address}/openapi.json",
                 "--checks=not_a_server_error,says_nothing_of_the_machine", f"--max-time={each}", "--seed=5",
                 "--no-color", "--continue-on-failure", "--warnings=off", "--request-timeout=60",
                 "--suppress-health-check=all", *headers, *more],
                cwd=described.folder, capture_output=True, text=True, check=False, timeout=seconds + 180,
                env={**os.environ, "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("fuzzed.py"))},
            )  # fmt: skip
            assert _nothing_failed(done.stdout), f"{who}: {done.stdout[-6000:]}{done.stderr[-2000:]}"
            said += f"{who}\n{done.stdout}"
    return said


def _nothing_failed(said: str) -> bool:
    """Tell whether no answer was a failure; that it cannot negate one of our schemas is the tool's own trouble."""
    if "No issues found" in said:
        return True
    counted = re.search(r"(\d+) generated, (\d+) passed", said)
    errors = set(re.findall(r"^ *\S+ ([A-Z][\w ]+): \d+$", said, re.MULTILINE))
    return counted is not None and counted[1] == counted[2] and errors == {"Schema Error"}


class Weighed:
    """Looks at the memory of the server, which is this process, and of its readers while something goes on."""

    def __init__(self, app: FastAPI) -> None:
        self._app, self._ended = app, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.before = self._now()
        self.most = 0

    def __enter__(self) -> Weighed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        """Return by how many bytes it grew at most."""
        return self.most - self.before

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            self.most = max(self.most, self._now())

    def _now(self) -> int:
        total = psutil.Process().memory_info().rss
        for process in self._app.state.readers.processes():
            try:
                total += psutil.Process(process).memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total


def test_every_route_of_the_contract_is_described(described: Described) -> None:
    told = httpx.get(f"{described.address}/openapi.json").json()
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
    known = {(method.upper(), path) for path, operations in told["paths"].items() for method in operations}
    faces = ("/search-api", "/oai", "/catalog.", "/sitemap", "/files/", "/hdf5/", "/runs", "/pipelines", "/device/",
             "/me/account", "/health", "/metrics")  # fmt: skip
    pages = {"/search-api/{rest:path}", "/runs/compare", "/runs/{identifier}/now", "/runs/{identifier}/log.txt",
             "/runs/{identifier}/notebook.ipynb", "/runs/{identifier}/{what}"}  # fmt: skip
    left = {(method, path) for method, path in templates(described.commons.app)
            if method != "HEAD" and path.startswith(faces) and path not in pages} - known  # fmt: skip
    assert not left


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_nothing_fails_in_half_a_minute(described: Described) -> None:
    with Weighed(described.commons.app) as weighed:
        said = fuzz(described, 30)
    assert said.count("Loaded specification") == 3 and weighed.grown < MOST


@pytest.mark.soak
def test_nothing_fails_in_ten_minutes(described: Described) -> None:
    with Weighed(described.commons.app) as weighed:
        print(fuzz(described, 600))
    print(f"{weighed.before >> 20} MB before, {weighed.grown >> 20} MB more at most")
    assert weighed.grown < MOST
