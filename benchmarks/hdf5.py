"""Frames over HTTP against h5grove's own router: the same bitshuffle-lz4 stack, one client, both servers on loopback.

Server time is that of a request on loopback, from asking to the last byte, less that of an empty answer of the same
server; the median over frames that were not read before by that server. Files are in the page cache for both. The
bars are for bitshuffle with LZ4; the other filters that detectors use are told beside them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import hdf5plugin
import httpx
from tests.nexus.detector import write_frames

from benchmarks import Row
from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import fetch
from pancommons.catalogue.ready import make_ready
from pancommons.catalogue.records import Dataset, File, Terms
from pancommons.catalogue.write import put
from pancommons.store.engine import open_database

FRAMES, EDGE = 24, 2048
MAX_PX = 512
OTHERS: dict[str, tuple[int, dict[str, Any]]] = {
    "deflate": (8, {"compression": "gzip", "shuffle": True}),
    "lz4": (8, dict(hdf5plugin.LZ4())),
    "blosc": (8, dict(hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.SHUFFLE))),
}

_PEER = """
import sys, hdf5plugin, uvicorn
from fastapi import FastAPI
from h5grove.fastapi_utils import router, settings
settings.base_dir = sys.argv[1]
app = FastAPI()
app.include_router(router)
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""
_OURS = """
import sys, uvicorn
from pancommons.server.app import create_app
from pancommons.server.services import Services
uvicorn.run(create_app(Services.open()), port=int(sys.argv[1]), log_level="error")
"""


def measure() -> Iterator[Row]:
    """Return the rows for frames over HTTP."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "data"
        root.mkdir()
        _stack(root / "stack.h5")
        with _peer(root) as peer, _ours(Path(place), root) as (ours, identifier):
            theirs = _asked(peer, "/data", {"file": "stack.h5", "path": "/v", "format": "bin"}, "/nothing")
            plain = _asked(ours, f"/hdf5/{identifier}/data", {"path": "/v", "format": "bin"}, "/nothing")
            chunks = _asked(ours, f"/hdf5/{identifier}/chunks", {"path": "/v"}, "/nothing")
            frame = _asked(ours, f"/hdf5/{identifier}/frame", {"path": "/v", "max_px": MAX_PX}, "/nothing")
            for name, (frames, _) in OTHERS.items():
                told = {"path": f"/{name}"}
                they = _asked(peer, "/data", {"file": "stack.h5", "format": "bin", **told}, "/nothing", frames)
                we = _asked(ours, f"/hdf5/{identifier}/chunks", told, "/nothing", frames)
                print(f"    {name}: {we[0]:.1f} ms, {we[1] / 1e6:.2f} MB; h5grove {they[0]:.1f} ms", end="")
                print(f" ({they[0] / we[0]:.1f} times), {they[1] / 1e6:.2f} MB ({they[1] / we[1]:.1f} times)")
    for name, (ms, size) in (("data", plain), ("chunks", chunks), ("frame", frame)):
        print(f"    {name}: {ms:.1f} ms, {size / 1e6:.2f} MB; h5grove {theirs[0]:.1f} ms, {theirs[1] / 1e6:.2f} MB")
    yield Row("chunk as stored: server time", theirs[0] / chunks[0], 10, f"{chunks[0]:.1f} ms against {theirs[0]:.1f}")
    yield Row("chunk as stored: bytes", theirs[1] / chunks[1], 4, f"{chunks[1]} against {theirs[1]}")
    yield Row(f"frame of {MAX_PX} pixels: bytes", theirs[1] / frame[1], 10, f"{frame[1]} against {theirs[1]}")
    yield Row("frame in full: server time", theirs[0] / plain[0], 1, f"{plain[0]:.1f} ms against {theirs[0]:.1f}")


def _stack(file: Path) -> None:
    """Write frames, and some of them again for each of the other filters."""
    write_frames(file, FRAMES, EDGE)
    with h5py.File(file, "r+") as opened:
        for name, (frames, options) in OTHERS.items():
            opened.create_dataset(name, data=opened["v"][:frames], chunks=(1, EDGE, EDGE), **options)


def _asked(address: str, path: str, asked: dict[str, Any], empty: str, frames: int = FRAMES) -> tuple[float, int]:
    """Return milliseconds and bytes of a frame."""
    with httpx.Client(base_url=address, timeout=60, headers={"Accept-Encoding": "identity"}) as client:
        client.get(path, params=asked | {"selection": "0"})
        took, sizes, nothing = [], [], []
        for index in range(1, frames):
            began = time.perf_counter()
            client.get(empty)
            nothing.append(time.perf_counter() - began)
            began = time.perf_counter()
            answer = client.get(path, params=asked | {"selection": str(index)})
            took.append(time.perf_counter() - began)
            answer.raise_for_status()
            sizes.append(len(answer.content))
    return (median(took) - median(nothing)) * 1000, round(median(sizes))


@contextmanager
def _peer(root: Path) -> Iterator[str]:
    with _process(["-c", _PEER, str(root)], dict(os.environ)) as address:
        yield address


@contextmanager
def _ours(place: Path, root: Path) -> Iterator[tuple[str, str]]:
    home = place / "home"
    home.mkdir()
    (home / "pancommons.toml").write_text(f'[data_roots]\ndata = "{root}"\n')
    identifier = _catalogued(home / "pancommons.db")
    environment = {**os.environ, "PANCOMMONS_HOME": str(home), "PANCOMMONS_CONFIG": str(home / "pancommons.toml")}
    with _process(["-c", _OURS], environment) as address:
        yield address, identifier


def _catalogued(file: Path) -> str:
    """Make a catalogue that holds the stack as open data; return the identifier of its file."""
    database = open_database(f"sqlite:///{file}")
    make_ready(database)
    at = datetime.now(UTC) - timedelta(days=1)
    terms = Terms(open_from=at, discoverable_from=at, fixed=True)
    stack = Dataset(
        pid="stack",
        kind="raw",
        title="stack",
        creation_date=at,
        terms=terms,
        files=(File(root="data", path="stack.h5"),),
    )
    with database.write() as connection:
        put(connection, stack, policy=read_policy(), by=LOCAL_USER, at=at)
        found = fetch(connection, "dataset", "stack", LOCAL_USER, at)
    database.close()
    return str(found.record.files[0].identifier)  # type: ignore[union-attr]


@contextmanager
def _process(arguments: list[str], environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen([sys.executable, *arguments, str(port)], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(address, timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()
