"""A portal as a facility has it on a working day: a catalogue of some size, data to look into, people, runs that go."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import httpx
import numpy as np
import sqlalchemy as sa

from pancommons.base.settings import SignIn
from pancommons.catalogue.access import LOCAL_USER, Role
from pancommons.catalogue.parts import files, thumbnails
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import grant
from pancommons.catalogue.ready import make_ready
from pancommons.catalogue.records import Dataset, Instrument, Record, Thumbnail
from pancommons.catalogue.tables import datasets, documents
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load
from pancommons.pipelines.lock import holder, is_running
from pancommons.server.signin.accounts import Identity, note_sign_in
from pancommons.server.signin.sealed import Held
from pancommons.server.signin.sessions import Begun, begin
from pancommons.store.engine import Database, open_database
from tests.catalogue.world import BEGIN, records, techniques
from tests.load.browsing import Visitor

ISSUER = "https://login.invalid"
PROCESSES = 2
"""How many serve."""
_START_SECONDS = 90.0
_TECHNIQUES = 300
_PROPOSALS = 3
_PICTURED = 5  # one in so many datasets has a picture
_WORDS = ("sample", "tomography", "simulated", "technique")


@dataclass(frozen=True)
class Work:
    """What is run on the portal: a pipeline, and with what, on the file of the data folder that it takes."""

    pipeline: str
    role: str
    file: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """How much there is.

    Attributes
    ----------
    scan
        Options of ``pan simulate tomography``.
    frames, edge
        Of a stack of detector frames; each is square.
    people, browsers
        Who signs in, and how many sessions they have together.
    """

    datasets: int
    scan: tuple[str, ...]
    frames: int
    edge: int
    people: int
    browsers: int


@dataclass
class Portal:
    """Where it is, and what visitors know of it.

    Attributes
    ----------
    sessions
        Cookies, and how pages call who has them.
    inside
        Addresses at which files can be looked into.
    words
        What can be searched for.
    """

    folder: Path
    address: str = ""
    process: int = 0
    sessions: list[tuple[str, str]] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Return what a program of ours needs to work with it."""
        return {**os.environ, "PANCOMMONS_HOME": str(self.folder)}

    def visitors(self, count: int) -> list[Visitor]:
        """Make so many people, as many of them with a session as there are."""
        sessions = [*self.sessions, *([(None, None)] * count)]
        return [
            Visitor(self.address, number + 1, self.words, cookie, name, {"look": list(self.inside)})
            for number, (cookie, name) in enumerate(sessions[:count])
        ]

    def ask(self, work: Work, number: int) -> None:
        """Let somebody ask for a run."""
        cookie, _ = self.sessions[number % len(self.sessions)]
        body = {"pipeline": work.pipeline, "inputs": {work.role: [self.inputs[work.file]]}}
        answer = httpx.post(
            f"{self.address}/runs", json=body | {"parameters": dict(work.parameters)}, timeout=60,
            headers={"Cookie": f"pancommons-session={cookie}", "Sec-Fetch-Site": "same-origin"},
        )  # fmt: skip
        assert answer.status_code == 201, answer.text

    def runs(self) -> dict[str, int]:
        """Return how many runs there are in each state, as the portal tells programs on its machine."""
        text = httpx.get(f"{self.address}/metrics", timeout=30).text
        return {state: int(float(value)) for state, value in re.findall(r'pancommons_runs{state="(\w+)"} (\S+)', text)}


def make(folder: Path, url: str, size: Size) -> Portal:
    """Fill a folder and an empty database, with the commands that a facility uses as far as there are such."""
    portal = Portal(folder)
    (folder / "data").mkdir(parents=True)
    _configure(folder, url)
    _command(portal, "simulate", "tomography", "data/scan.nxs", *size.scan)
    _stack(folder / "data" / "stack.h5", size)
    _command(portal, "ingest", "data", "--workers", "1")
    database = open_database(url)
    make_ready(database)
    at = datetime.now(UTC)
    with database.write() as connection:
        put_techniques(connection, techniques(_TECHNIQUES), by=LOCAL_USER, at=at)
    pictures = _pictures(database)
    load(database, _spread(size.datasets, pictures, at), policy=read_policy(), by=LOCAL_USER, at=at)
    database.analyse()
    _sign_in(portal, database, size, at)
    _look_around(portal, database)
    database.close()
    return portal


@contextmanager
def serving(portal: Portal) -> Iterator[Portal]:
    """Serve it by the command until the end of the block, and end its runs."""
    log = portal.folder / "server.log"
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "pancommons", "serve", "--port", "0"],
            env=portal.environment, stdout=written, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        portal.process = server.pid
        portal.address = _address(server, log)
        yield portal
    finally:
        server.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(30)
        server.kill()
        server.wait()
        _end_runs(portal.folder)


def _configure(folder: Path, url: str) -> None:
    told = {
        "": {"database": url},
        "server": {"proxies": ["127.0.0.1"], "processes": PROCESSES},
        "data_roots": {"data": str(folder / "data")},
        "runs": {"folder": str(folder / "runs"), "at_a_time": 2, "at_a_time_each": 2, "workers": 1, "memory": "1G"},
        "[signin.providers]": {"name": "facility", "title": "Facility", "issuer": ISSUER, "client_id": "portal"},
    }
    lines = []
    for table, values in told.items():
        lines += [f"[{table}]"] if table else []
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]  # type: ignore[attr-defined]
    (folder / "pancommons.toml").write_text("\n".join(lines) + "\n")


def _command(portal: Portal, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pancommons", *arguments], env=portal.environment, cwd=portal.folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout


def _stack(file: Path, size: Size) -> None:
    """Write frames as a detector stores them, measured long ago, so that they are open."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : size.edge * 1j, -1 : 1 : size.edge * 1j]
    rings = 1 + 30 * np.exp(-((np.hypot(x, y) * 12 % 1 - 0.5) ** 2) / 0.01)
    shape, filters = (size.frames, size.edge, size.edge), hdf5plugin.Bitshuffle(cname="lz4")
    with h5py.File(file, "w") as opened:
        for path, kind in (("entry", "NXentry"), ("entry/data", "NXdata")):
            opened.create_group(path).attrs["NX_class"] = kind
        opened.attrs["default"], opened["entry"].attrs["default"] = "entry", "data"
        opened["entry/title"], opened["entry/start_time"] = "Powder rings on a detector", "2020-03-01T12:00:00Z"
        opened["entry/data"].attrs["signal"] = "counts"
        counts = opened["entry/data"].create_dataset("counts", shape, "u2", chunks=(1, *shape[1:]), **filters)
        for index in range(size.frames):
            counts[index] = rng.poisson(rings)


def _pictures(database: Database) -> list[Thumbnail]:
    with database.read() as connection:
        rows = connection.execute(sa.select(thumbnails)).all()
    return [Thumbnail(content=r.content, media_type=r.media_type, width=r.width, height=r.height) for r in rows]


def _spread(count: int, pictures: list[Thumbnail], now: datetime) -> Iterator[Record]:
    """Make records that were measured from 2010 until today, data of the last years embargoed; some have pictures."""
    end = BEGIN + timedelta(minutes=8 * count + 8)
    for number, record in enumerate(records(count, technique_count=_TECHNIQUES)):
        if isinstance(record, Dataset):
            when = BEGIN + (now - BEGIN) * ((record.creation_date - BEGIN) / (end - BEGIN))
            picture = pictures[number % len(pictures)] if pictures and number % _PICTURED == 0 else None
            yield replace(record, creation_date=when, thumbnail=picture)
        elif isinstance(record, Instrument):
            yield record
        else:
            yield replace(record, terms=replace(record.terms, open_from=BEGIN, discoverable_from=BEGIN, fixed=True))


def _sign_in(portal: Portal, database: Database, size: Size, at: datetime) -> None:
    """Make sessions as signing in does; everybody is in the team of a few proposals, the newest ones among them."""
    with database.write() as connection:
        proposals = list(
            connection.execute(
                sa.select(documents.c.pid).where(documents.c.type == "proposal").order_by(documents.c.id.desc())
            ).scalars()
        )
        people = []
        for number in range(size.people):
            who = Identity(ISSUER, f"person-{number}", name=f"Ada {number} of the Load")
            people.append((note_sign_in(connection, who, at), who))
            for one in proposals[number :: size.people][:_PROPOSALS]:
                grant(connection, who.person, Role.MEMBER, proposal=one, by=LOCAL_USER, at=at)
        for number in range(size.browsers):
            account, who = people[number % len(people)]
            cookie = begin(connection, Begun(account, "facility", Held(id_token="")), SignIn(), at)
            portal.sessions.append((cookie, str(who.name)))


def _look_around(portal: Portal, database: Database) -> None:
    """Note what visitors know from elsewhere: files to look into, and words."""
    with database.read() as connection:
        query = sa.select(files.c.identifier, files.c.path).where(files.c.root == "data", files.c.role == "data")
        rows = connection.execute(query).all()
        titles = connection.execute(sa.select(datasets.c.title).order_by(datasets.c.id).limit(60)).scalars()
        portal.words = sorted(
            {word for title in titles for word in title.lower().split() if word.isalpha()} | {*_WORDS}
        )
    portal.inside = [f"/look/{row.identifier}" for row in rows]
    portal.inputs = {row.path: row.identifier for row in rows}


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        if said := re.search(r"http://\S+", log.read_text()):
            with suppress(httpx.TransportError):
                if httpx.get(f"{said[0]}/health", timeout=5).status_code == 200:
                    return said[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _end_runs(folder: Path) -> None:
    for record in folder.glob("runs/*/*/*/run.json"):
        runner = holder(record.parent)
        if runner is not None and is_running(record.parent):
            with suppress(ProcessLookupError):
                os.kill(runner.pid, signal.SIGKILL)
    shutil.rmtree(folder / "runs", ignore_errors=True)
