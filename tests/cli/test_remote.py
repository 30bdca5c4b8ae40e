"""The command at a server: sign in, find, run, follow, stop, fetch."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from pancommons.client import Client, credentials
from pancommons.store.engine import Database
from tests.cli.conftest import Command
from tests.client.portal import Portal, portal
from tests.databases import empty_sqlite
from tests.oidc import NAVIGATES, OpenID, openid, sign_in, signed_in_server
from tests.server.conftest import sqlite_database

__all__ = ["empty_sqlite", "openid", "portal", "sqlite_database"]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let every test keep its tokens in a folder of its own."""
    home = tmp_path / "my-home"
    monkeypatch.setenv("PANCOMMONS_HOME", str(home))
    return home


def test_sign_in_with_a_code(
    openid: OpenID, sqlite_database: Database, pan: Command, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openid.tell("ada", name="Ada Example")
    with signed_in_server(sqlite_database, openid) as server:
        browser = sign_in(server, "ada")
        approved = threading.Event()
        asked = httpx.Client.send

        def approve(self: httpx.Client, request: httpx.Request, **more: object) -> httpx.Response:
            """Approve the code while the command waits, before it asks for the second time."""
            if request.url.path == "/device/token" and not approved.is_set() and self is not browser:
                approved.set()
                answer = asked(self, request, **more)  # type: ignore[arg-type]
                browser.post(f"{server}/device", data={"user_code": code[0], "approve": "true"}, headers=NAVIGATES)
                return answer
            answer = asked(self, request, **more)  # type: ignore[arg-type]
            if request.url.path == "/device/code":
                code.append(json.loads(answer.read())["user_code"])
            return answer

        code: list[str] = []
        monkeypatch.setattr(httpx.Client, "send", approve)
        said = pan("login", "--server", server)
        monkeypatch.undo()
        monkeypatch.setenv("PANCOMMONS_HOME", str(own_home))
        assert said.code == 0, said.err
        assert f"Open {server}/device and approve the code {code[0]}" in said.out
        assert f"Signed in to {server} as Ada Example." in said.out
        file = own_home / "credentials.json"
        assert file.stat().st_mode & 0o777 == 0o600
        kept = json.loads(file.read_text())["servers"][server]["token"]
        assert kept.startswith("pan_") and kept not in said.out + said.err

        who = pan("whoami")
        assert who.code == 0 and f"Ada Example at {server}" in who.out and "discover, read, run" in who.out
        none = pan("runs")
        assert none.code == 0 and "You have no runs there" in none.err

        file.chmod(0o644)
        open_to_all = pan("whoami")
        assert open_to_all.code == 2 and "may be read by others; run: chmod 600" in open_to_all.err
        file.chmod(0o600)

        gone = pan("logout")
        assert gone.code == 0 and f"Signed out of {server}." in gone.out
        assert httpx.get(f"{server}/runs", headers={"Authorization": f"Bearer {kept}"}).status_code == 401
        assert credentials.find(server) is None
        nobody = pan("whoami", "--server", server)
        assert nobody.code == 2 and "pan login" in nobody.err
        assert "You are not signed in" in pan("logout", "--server", server).out


def test_sign_in_with_a_token_from_standard_input(
    openid: OpenID, sqlite_database: Database, pan: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with signed_in_server(sqlite_database, openid) as server:
        given = tmp_path / "given"
        for text, part in (("\n", "no token was given"), ("pan_wrong\n", "pan login")):
            given.write_text(text)
            monkeypatch.setattr(sys, "stdin", given.open())
            wrong = pan("login", "--server", server, "--token")
            assert wrong.code == 2 and part in wrong.err, wrong.err
        assert credentials.default() is None


def test_signing_in_where_nobody_does(portal: Portal, pan: Command) -> None:
    said = pan("login", "--server", portal.address)
    assert said.code == 2 and "nobody signs in here" in said.err
    assert "write https://HOST" in pan("whoami").err
    unsafe = pan("login", "--server", "http://data.facility.example")
    assert unsafe.code == 2 and "ask the server through https" in unsafe.err


def test_run_at_a_server(portal: Portal, pan: Command, here: Path) -> None:
    pid = portal.scan()
    plan = pan("run", "tomography", pid, "--server", portal.address, "--dry-run")
    assert plan.code == 0 and "about" in plan.out and "found in the data: " in plan.out, plan.err
    said = pan("run", "tomography", pid, "--server", portal.address, "--centre", "31", "--out", "mine")
    assert said.code == 0, said.err
    assert "Fetched: mine" in said.out and (here / "mine" / "result.nxs").stat().st_size > 1000
    url = re.search(r"^Result: +(\S+)$", said.out, re.MULTILINE)
    assert url is not None and url[1].startswith(f"{portal.address}/runs/")
    assert url[1] in pan("runs", "--server", portal.address).out
    assert json.loads(pan("status", url[1], "--json").out)["state"] == "done"
    assert "done" in pan("status", url[1]).out
    over = pan("stop", url[1])
    assert over.code == 2, over.err
    assert "nothing is left to do" in pan("resume", url[1]).out
    lines = [json.loads(line) for line in _lines(pan, portal, pid)]
    assert lines[0]["event"] == "created" and lines[-1] == {**lines[-1], "event": "ended", "state": "done"}


def _lines(pan: Command, portal: Portal, pid: str) -> list[str]:
    said = pan("run", "tomography", pid, "--server", portal.address, "--preview", "--json")
    assert said.code == 0, said.err
    return said.out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["10.5072/nothing"], "10.5072/nothing"),
        (["PID", "--centre", "blue"], "centre"),
        (["PID", "--workers", "2"], "--workers: does not go together with --server"),
        (["PID", "--table", "x.csv"], "--table"),
        (["PID", "--preset", "none"], "preset"),
    ],
)
def test_what_cannot_be_run(portal: Portal, pan: Command, here: Path, arguments: list[str], part: str) -> None:
    given = [portal.scan() if one == "PID" else one for one in arguments]
    said = pan("run", "tomography", *given, "--server", portal.address)
    assert said.code == 2 and part in said.err and said.err.count("\n") == 1, said.err
    assert not list(here.iterdir())


@pytest.mark.parametrize("place", ["https://", "https://host.example/datasets/x", "http://127.0.0.1:9/runs/abc"])
def test_what_is_no_run(pan: Command, place: str) -> None:
    for command in ("status", "stop", "resume"):
        said = pan(command, place)
        assert said.code == 2 and place[:8] in said.err


def test_ctrl_c_leaves_the_run_going(portal: Portal, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pancommons", "run", "tomography", portal.scan(), "--server", portal.address]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ})
    try:
        assert process.stderr is not None
        url = next(line for line in process.stderr if "/runs/" in line).split(": ")[-1].strip()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert f"Follow it: pan status --follow {url}" in said and "Traceback" not in said
    run = Client(portal.address).find(url)
    assert run.wait().state == "done"
