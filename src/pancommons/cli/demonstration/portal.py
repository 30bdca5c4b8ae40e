"""The portal of a demonstration: started as people start it, asked over HTTP as browsers and programs ask it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx

from pancommons.base.errors import PanError
from pancommons.cli.demonstration.place import Place

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
MOST_MEMORY = 500 << 20
"""What the process of the server may take while it has nothing to do."""


@dataclass(frozen=True)
class Portal:
    """A server that listens.

    Attributes
    ----------
    address
        Without a slash at its end.
    process
        Its id.
    """

    address: str
    process: int


@contextmanager
def portal(place: Place, port: int) -> Iterator[Portal]:
    """Serve a folder's commons until the end of the block.

    Raises
    ------
    PanError
        If the server does not come up.
    """
    command = [sys.executable, "-m", "pancommons", "serve", "--port", str(port)]
    log = place.folder / "server.log"
    with log.open("w", encoding="utf-8") as written:
        server = subprocess.Popen(command, env=place.environment, stdout=written, stderr=subprocess.STDOUT)
        try:
            yield Portal(_address(server, place), server.pid)
        finally:
            _end_runs(place)
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _end_runs(place: Place) -> None:
    """End runs that still go: those of a portal survive it, those of a demonstration should not."""
    from pancommons.pipelines.lock import holder, is_running

    for record in place.folder.glob("runs/*/*/*/run.json"):
        runner = holder(record.parent)
        if runner is not None and is_running(record.parent):
            with suppress(ProcessLookupError):
                os.kill(runner.pid, signal.SIGKILL)


def _address(server: subprocess.Popen[bytes], place: Place) -> str:
    """Wait until a server says where it listens, and answers there."""
    log, until = place.folder / "server.log", time.monotonic() + _START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        said = re.search(r"https?://\S+", log.read_text(encoding="utf-8"))
        if said:
            try:
                if httpx.get(f"{said[0]}/health", timeout=5).status_code == 200:
                    return said[0]
            except httpx.TransportError:
                pass
        time.sleep(0.1)
    told = log.read_text(encoding="utf-8").strip().splitlines()
    raise PanError(f"{log}: the portal did not start{': ' + told[-1] if told else ''}.")


def failures(portal: Portal, finished: list[str], going: str, datasets: int) -> Iterator[str]:
    """Ask a portal for all that the demonstration promises; give what is not as it should be.

    Parameters
    ----------
    finished
        Identifiers of runs that are done.
    going
        Of one that is not.
    datasets
        How many there are at least.
    """
    with httpx.Client(base_url=portal.address, timeout=30) as client:
        pages = ["/", "/datasets", "/techniques", "/runs", "/me", "/admin", "/about", f"/runs/{going}"]
        for run in finished:
            told = client.get(f"/runs/{run}").json()
            if told.get("state") != "done":
                yield f"/runs/{run}: is {told.get('state')}, not done"
            registered = told.get("dataset")
            if not registered:
                yield f"/runs/{run}: its result is not in the catalogue"
                continue
            pages += [f"/runs/{run}", f"/datasets/{registered}"]
            files = client.get(f"/search-api/Datasets/{registered}/files").json()
            pages += [f"/look/{file['id']}" for file in files if file["name"] == "result.nxs"]
        for page in pages:
            try:
                answer = client.get(page, headers={"Accept": "text/html"})
            except httpx.TransportError as error:
                yield f"{page}: {error}"
                continue
            if answer.status_code != 200 or "<main" not in answer.text:
                yield f"{page}: {answer.status_code}"
        if client.get(f"/runs/{going}").json().get("state") not in ("waiting", "running"):
            yield f"/runs/{going}: is not running"
        count = client.get("/search-api/Datasets/count").json()["count"]
        if count < datasets:
            yield f"/search-api/Datasets: {count} datasets, of {datasets}"
        harvest = client.get("/oai", params={"verb": "ListRecords", "metadataPrefix": "oai_dc"})
        if harvest.text.count("<record>") == 0:
            yield "/oai: no record"
    memory = _memory(portal.process)
    if memory > MOST_MEMORY:
        yield f"the server takes {memory >> 20} MiB, of {MOST_MEMORY >> 20}"


def _memory(process: int) -> int:
    import psutil

    return int(psutil.Process(process).memory_info().rss)
