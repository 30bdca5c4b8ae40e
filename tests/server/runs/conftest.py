"""The portal with the world of `tests.runs.world`, and whoever the test takes to ask."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from pancommons.base.settings import Runs, Settings
from pancommons.catalogue.access import Principal
from pancommons.pipelines import registry
from pancommons.runs.supervising import Supervisor
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.visitor import NOBODY, Visitor, visitor
from pancommons.store.engine import Database
from tests.runs.world import BOB, PLUGIN, HereAndNow, World, fill, vectors


@pytest.fixture(autouse=True)
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the third party's technique, in this process and in those that it starts."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")]).rstrip(":"))
    registry.load.cache_clear()
    yield
    registry.load.cache_clear()


@dataclass
class Portal:
    """A server, and who asks it."""

    app: FastAPI
    address: str
    world: World
    asking: Principal | None = BOB

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        who = self.asking
        self.app.dependency_overrides[visitor] = lambda: NOBODY if who is None else Visitor(who, who.person, "session")
        return httpx.request(method, self.address + path, timeout=60, **more)

    def ask(self, name: str = "open", key: str | None = None, **more: Any) -> httpx.Response:
        body = {"pipeline": "strips", "inputs": {"vector": [self.world.datasets.get(name, name)]}, **more}
        return self("POST", "/runs", json=body, headers={"Idempotency-Key": key} if key else {})

    def supervise(self) -> Supervisor:
        return Supervisor(self.world.desk)


@contextmanager
def portal_around(database: Database, folder: Path, world: World | None = None, **told: Any) -> Iterator[Portal]:
    """Serve the world; one that is given is served again."""
    settings = Settings(
        data_roots={"raw": str(folder / "raw")}, runs=Runs(folder=str(folder / "runs"), **{"at_a_time": 5, **told})
    )
    app = create_app(Services(database, settings))
    app.state.runs.examiners = HereAndNow()
    if world is None:
        vectors(folder / "raw")
        datasets, proposal = fill(database)
        world = World(app.state.runs, database, folder, datasets, proposal)
    world.desk = app.state.runs
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Portal(app, f"http://127.0.0.1:{listener.getsockname()[1]}", world)
    server.should_exit = server.force_exit = True
    thread.join(10)
    app.state.readers.close()


@pytest.fixture
def portal(database: Database, tmp_path: Path) -> Iterator[Portal]:
    """Give a server around the world, on one database after the other."""
    with portal_around(database, tmp_path) as made:
        yield made
