"""``pan serve``: one command on an empty folder, and a sentence where it cannot listen."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.cli.conftest import Command


def test_it_serves_from_an_empty_folder_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "pancommons", "serve", "--port", "0"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PANCOMMONS_HOME": str(home)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = said.split()[2]
        assert said.startswith("Serving on http://127.0.0.1:")
        assert httpx.get(f"{address}/health", timeout=30).json()["database"] == "sqlite"
        assert "Identify" in httpx.get(f"{address}/oai?verb=Identify", timeout=30).text
        assert (home / "pancommons.db").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)
    finally:
        process.kill()
        process.wait()


def test_a_port_that_is_taken(pan: Command) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = pan("serve", "--port", str(other.getsockname()[1]))
    assert said.code == 2 and "cannot listen on 127.0.0.1" in said.err and "choose another port" in said.err


def test_an_address_that_is_none(pan: Command) -> None:
    said = pan("serve", "--host", "no.such.host.invalid")
    assert said.code == 2 and "cannot listen" in said.err
