"""A portal as ``pan serve`` makes it, in a process of its own, with one simulated scan in its catalogue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pancommons.client import Client

SMALL = ("--columns", "32", "--rows", "6", "--angles", "31", "--flats", "4", "--darks", "4")


@dataclass
class Portal:
    """A server that runs: its address, its folder of data, and its process."""

    home: Path
    data: Path
    address: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its commands."""
        return {**os.environ, "PANCOMMONS_HOME": str(self.home)}

    def pan(self, *arguments: str | Path) -> str:
        """Call the command as whoever keeps the portal."""
        command = [sys.executable, "-m", "pancommons", *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def scan(self) -> str:
        """Return the PID of the scan, which is not all there is once something ran on it."""
        [found] = Client(self.address).search(filter={"where": {"title": "Simulated tomography scan"}})
        return str(found["pid"])

    def start(self, *arguments: str) -> None:
        """Start the server, at the port it had before if it had one."""
        port = self.address.rpartition(":")[2] or "0"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pancommons", "serve", "--port", port, *arguments],
            stdout=subprocess.PIPE, text=True, env=self.environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("Serving on http://"), said
        self.address = said.split()[2]

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the server; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def portal_in(folder: Path) -> Iterator[Portal]:
    """Make a portal in an empty folder and serve it until the end of the block."""
    home, data = folder / "home", folder / "data"
    home.mkdir(parents=True)
    data.mkdir()
    (home / "pancommons.toml").write_text(f'[data_roots]\nscans = "{data}"\n')
    portal = Portal(home, data)
    portal.pan("simulate", "tomography", data / "scan.nxs", *SMALL)
    (data / "scan-truth.nxs").unlink()
    portal.pan("ingest", data)
    portal.start()
    try:
        yield portal
    finally:
        assert portal.process is not None
        if portal.process.poll() is None:
            portal.process.kill()
        portal.process.wait(30)


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Give a portal for the whole session; nobody signs in there, all are its local user."""
    with portal_in(tmp_path_factory.mktemp("portal")) as made:
        yield made
