"""A portal as facilities run it: a folder, a configuration, data ingested by the command, a process that serves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from pancommons.pipelines.lock import holder, is_running
from tests.oidc import OpenID

START_SECONDS = 90
TITLE = "Simulated tomography scan"


@dataclass
class Portal:
    """Where it is, and in which folder."""

    address: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return what a program of ours needs to work with it."""
        return {**os.environ, "PANCOMMONS_CONFIG": str(self.folder / "pancommons.toml")}


def command(portal: Portal, *arguments: str) -> str:
    """Run the command in the portal's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "pancommons", *arguments], env=portal.environment, cwd=portal.folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@contextmanager
def serving(folder: Path, openid: OpenID | None = None, *, columns: int = 64, rows: int = 8) -> Iterator[Portal]:
    """Serve a folder that holds a simulated scan and its truth, open to all, until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    portal = Portal(f"http://127.0.0.1:{port}", folder)
    told = [f"database = {json.dumps(f'sqlite:///{folder}/pan.db')}", "[data_roots]"]
    told += [f"data = {json.dumps(str(folder / 'data'))}", "[runs]", f"folder = {json.dumps(str(folder / 'runs'))}"]
    told += ["at_a_time = 2", "at_a_time_each = 2"]
    if openid is not None:
        provider = openid.register(portal.address)
        told += [
            "[[signin.providers]]",
            *(f"{name} = {json.dumps(value)}" for name, value in provider.items() if value),
        ]
    (folder / "data").mkdir(parents=True)
    (folder / "pancommons.toml").write_text("\n".join(told) + "\n")
    command(portal, "simulate", "tomography", "data/scan.nxs", "--columns", str(columns), "--rows", str(rows))
    command(portal, "ingest", "data")
    server = subprocess.Popen(
        [sys.executable, "-m", "pancommons", "serve", "--port", str(port)], env=portal.environment,
        stdout=(folder / "server.log").open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        _wait(portal, server)
        yield portal
    finally:
        _end_runs(folder)
        server.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()
        server.wait()


def _wait(portal: Portal, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{portal.address}/health", timeout=5).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError((portal.folder / "server.log").read_text())


def _end_runs(folder: Path) -> None:
    for record in folder.glob("runs/*/*/*/run.json"):
        runner = holder(record.parent)
        if runner is not None and is_running(record.parent):
            with suppress(ProcessLookupError):
                os.kill(runner.pid, signal.SIGKILL)
