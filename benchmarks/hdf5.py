"""Frames over HTTP against h5grove's own router: the same bitshuffle-lz4 stack, one client, both servers on loopback.

Two things are measured of each frame, both servers in turn, and the medians over the frames compared.

*Server time* is that of a request on loopback by the clock, from asking to the last byte, less that of an empty answer
of the same server, asked just before. The client takes its own time within that to receive the bytes; it is that of the
standard library (http.client), which does little more than to copy them, and how much is told beside it. The bars are
for this.

*CPU time* is what all processes of a server (ours: the server and its readers) spend on a frame, nothing taken off.

No frame was asked for before in the same way, and no answer is kept: a chunk is read from the file for each request.
One frame that is not counted comes first: by then both have imported what they need, and our server knows where the
chunks of the dataset lie, which it keeps as long as the file is the same. Files are in the page cache for both. The
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
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import h5py
import hdf5plugin
import httpx
import psutil
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
        with _peer(root) as peer, _ours(Path(place), root) as ours:
            data, own = "/data", f"/hdf5/{ours.file}"
            theirs, chunks, plain, frame = _asked(
                FRAMES,
                Question(peer, data, {"file": "stack.h5", "path": "/v", "format": "bin"}),
                Question(ours, f"{own}/chunks", {"path": "/v"}),
                Question(ours, f"{own}/data", {"path": "/v", "format": "bin"}),
                Question(ours, f"{own}/frame", {"path": "/v", "max_px": MAX_PX}),
            )
            print(f"    h5grove: {theirs}")
            for name, found in (("data", plain), ("chunks", chunks), ("frame", frame)):
                print(f"    {name}: {found}; h5grove takes {_times(theirs, found)}")
            for name, (frames, _) in OTHERS.items():
                they, we = _asked(
                    frames,
                    Question(peer, data, {"file": "stack.h5", "path": f"/{name}", "format": "bin"}),
                    Question(ours, f"{own}/chunks", {"path": f"/{name}"}),
                )
                print(f"    chunks of {name}: {we}; h5grove: {they}, {_times(they, we)}")
    yield _row("chunk as stored: server time", theirs, chunks, 10)
    yield Row("chunk as stored: bytes", theirs.size / chunks.size, 4, detail=f"{chunks.size} against {theirs.size}")
    yield Row(
        f"frame of {MAX_PX} pixels: bytes", theirs.size / frame.size, 10, detail=f"{frame.size} against {theirs.size}"
    )
    yield _row("frame in full: server time", theirs, plain, 1)


@dataclass(frozen=True)
class Serving:
    """A server that listens: its address, its process, and what it calls the file."""

    address: str
    process: int
    file: str = ""

    def cpu(self) -> float:
        """Return the CPU milliseconds of all its processes until now."""
        found = psutil.Process(self.process)
        return sum(_spent(one.pid) for one in [found, *found.children(recursive=True)])


@dataclass(frozen=True)
class Question:
    """What is asked of a server, for one frame after the other."""

    server: Serving
    path: str
    asked: dict[str, Any]


@dataclass(frozen=True)
class Cost:
    """What a frame costs.

    Attributes
    ----------
    ms, cpu
        Server time and CPU time, in milliseconds.
    client
        CPU milliseconds of the client, which are within the server time.
    size
        Bytes of the answer.
    """

    ms: float
    cpu: float
    client: float
    size: int

    def __str__(self) -> str:
        return f"{self.ms:.1f} ms (client {self.client:.1f}), CPU {self.cpu:.1f} ms, {self.size / 1e6:.2f} MB"


def _row(name: str, theirs: Cost, ours: Cost, bar: float) -> Row:
    cpu = f"CPU {ours.cpu:.1f} ms against {theirs.cpu:.1f}, {theirs.cpu / ours.cpu:.1f} times"
    return Row(name, theirs.ms / ours.ms, bar, detail=f"{ours.ms:.1f} ms against {theirs.ms:.1f}; {cpu}")


def _times(theirs: Cost, ours: Cost) -> str:
    time, cpu, size = theirs.ms / ours.ms, theirs.cpu / ours.cpu, theirs.size / ours.size
    return f"{time:.1f} times the time, {cpu:.1f} times the CPU, {size:.1f} times the bytes"


def _stack(file: Path) -> None:
    """Write frames, and some of them again for each of the other filters."""
    write_frames(file, FRAMES, EDGE)
    with h5py.File(file, "r+") as opened:
        for name, (frames, options) in OTHERS.items():
            opened.create_dataset(name, data=opened["v"][:frames], chunks=(1, EDGE, EDGE), **options)


def _asked(frames: int, *questions: Question) -> list[Cost]:
    """Ask each question for one frame after the other, in turn."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(HTTPConnection(one.server.address, timeout=60))) for one in questions]
        for client, one in zip(clients, questions, strict=True):
            _get(client, one.path, one.asked | {"selection": "0"})
        noted: list[list[tuple[float, ...]]] = [[] for _ in questions]
        for index in range(1, frames):
            for client, one, note in zip(clients, questions, noted, strict=True):
                note.append(_one(client, one, {"selection": str(index)}))
    costs = []
    for note in noted:
        ms, nothing, cpu, own, size = (median(column) for column in zip(*note, strict=True))
        costs.append(Cost(ms - nothing, cpu, own, round(size)))
    return costs


def _one(client: HTTPConnection, question: Question, part: dict[str, str]) -> tuple[float, ...]:
    """Return milliseconds of an answer and of an empty one, CPU milliseconds of server and client, and bytes."""
    began = time.perf_counter()
    _get(client, "/nothing", status=404)
    nothing = time.perf_counter() - began
    before, own = question.server.cpu(), time.thread_time()
    began = time.perf_counter()
    size = _get(client, question.path, question.asked | part)
    took = time.perf_counter() - began
    own = time.thread_time() - own
    return took * 1e3, nothing * 1e3, question.server.cpu() - before, own * 1e3, size


def _get(client: HTTPConnection, path: str, asked: dict[str, Any] | None = None, status: int = 200) -> int:
    """Ask for something, and return how many bytes it has."""
    client.request("GET", f"{path}?{urlencode(asked)}" if asked else path)
    answer = client.getresponse()
    size = len(answer.read())
    if answer.status != status:
        raise SystemExit(f"{path} answered {answer.status}")
    return size


def _spent(process: int) -> float:
    """Return the CPU milliseconds of all threads of a process, in which Linux counts for itself (clock_gettime(3))."""
    return time.clock_gettime_ns(~process << 3 | 2) / 1e6


@contextmanager
def _peer(root: Path) -> Iterator[Serving]:
    with _process(["-c", _PEER, str(root)], dict(os.environ)) as serving:
        yield serving


@contextmanager
def _ours(place: Path, root: Path) -> Iterator[Serving]:
    home = place / "home"
    home.mkdir()
    (home / "pancommons.toml").write_text(f'[data_roots]\ndata = "{root}"\n')
    identifier = _catalogued(home / "pancommons.db")
    environment = {**os.environ, "PANCOMMONS_HOME": str(home), "PANCOMMONS_CONFIG": str(home / "pancommons.toml")}
    with _process(["-c", _OURS], environment) as serving:
        yield replace(serving, file=identifier)


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
def _process(arguments: list[str], environment: dict[str, str]) -> Iterator[Serving]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen([sys.executable, *arguments, str(port)], env=environment)
    address = f"127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://{address}", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield Serving(address, process.pid)
    finally:
        process.terminate()
        process.wait()
