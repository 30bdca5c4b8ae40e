"""A catalogue of HDF5 files: some open, some of a proposal's team, some hostile; and a server around it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI

from pancommons.base.settings import Settings
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Principal, Role
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import fetch, find
from pancommons.catalogue.records import Dataset, Document, File, Terms
from pancommons.catalogue.write import put
from pancommons.server.app import create_app
from pancommons.server.hdf5.readers import Readers
from pancommons.server.services import Services
from pancommons.server.visitor import principal
from pancommons.store.engine import Database
from tests.nexus.serving import hostile

AT = datetime.now(UTC) - timedelta(days=1)
OPEN = Terms(open_from=AT, discoverable_from=AT, fixed=True)


@dataclass
class Portal:
    """A server, the ids of its files by name, and who is taken to ask."""

    address: str
    app: FastAPI
    root: Path
    files: dict[str, str]
    team: Principal
    client: httpx.Client
    asking: Principal = ANONYMOUS

    @property
    def readers(self) -> Readers:
        """Return its reading processes."""
        found: Readers = self.app.state.readers
        return found

    def get(self, file: str, what: str, /, **arguments: object) -> httpx.Response:
        """Ask about a file, by its name here or by an id."""
        headers = arguments.pop("headers", None)
        place = f"{self.address}/hdf5/{self.files.get(file, file)}/{what}"
        return self.client.get(place, params=arguments, headers=headers)  # type: ignore[arg-type]


def _files(folder: Path) -> Path:
    root = hostile.make_escapes(folder).parent
    hostile.make_loops(root / "loops.h5")
    hostile.make_types(root / "types.h5")
    hostile.make_broken(root)
    with h5py.File(root / "embargoed.h5", "w") as file:
        file["secret"] = np.array([b"SECRET-of-the-team"])
    with h5py.File(root / "main.h5", "w") as file:
        file.create_dataset("v", data=np.arange(24.0).reshape(2, 3, 4))
        file["theirs"] = h5py.ExternalLink("embargoed.h5", "/secret")
        layout = h5py.VirtualLayout((1,), "S18")
        layout[:] = h5py.VirtualSource("embargoed.h5", "secret", (1,), "S18")
        file.create_virtual_dataset("virtual", layout)
        file["own"] = h5py.ExternalLink("in/good.h5", "v")
    with h5py.File(root / "slow.h5", "w") as file:
        file.create_dataset("v", (1 << 40,), "f8", chunks=(1 << 20,))
    return root


@pytest.fixture
def portal(database: Database, tmp_path: Path) -> Iterator[Portal]:
    """Give a server with files of every kind, on one database after the other."""
    root, files, policy = _files(tmp_path), {}, read_policy()
    with database.write() as connection:
        document = Document(pid="p1", type="proposal", title="a proposal", terms=OPEN)
        put(connection, document, policy=policy, by=LOCAL_USER, at=AT)
        proposal = find(connection, "document", "p1")
        for path in sorted(root.glob("*.h5")):
            if path.is_symlink():
                continue
            closed = Terms(open_from=None, discoverable_from=None, fixed=True, proposal="p1")
            terms = closed if path.name == "embargoed.h5" else OPEN
            linked = (File(root="data", path="in/good.h5", role="linked"),) if path.name == "main.h5" else ()
            record = Dataset(
                pid=path.name, kind="raw", title=path.name, creation_date=AT, terms=terms,
                files=(File(root="data", path=path.name), *linked), documents=("p1",) if terms is closed else (),
            )  # fmt: skip
            done = put(connection, record, policy=policy, by=LOCAL_USER, at=AT)
            found = fetch(connection, "dataset", done.identifier, LOCAL_USER, AT)
            files[path.stem] = next(file.identifier for file in found.record.files if file.role == "data")  # type: ignore[union-attr]
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(Services(database, Settings(data_roots={"data": str(root)})))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    team = Principal("a member", proposals={Role.MEMBER: frozenset({proposal})})  # type: ignore[arg-type]
    made = Portal(f"http://127.0.0.1:{listener.getsockname()[1]}", app, root, files, team, httpx.Client(timeout=60))
    app.dependency_overrides[principal] = lambda: made.asking
    yield made
    made.client.close()
    server.should_exit = True
    thread.join(10)
    made.readers.close()
