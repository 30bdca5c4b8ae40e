"""The unit by which systemd serves an installation, and what keeps runs from being made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pancommons.base.settings import Runs, Settings
from pancommons.server import health
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.serving import unit
from pancommons.store.engine import Database


@pytest.mark.parametrize("name", ["portal", "a portal", 'odd "50%" $HOME'])
def test_systemd_takes_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    home = tmp_path / name
    monkeypatch.setenv("PANCOMMONS_HOME", str(home))
    text = unit(Settings(runs=Runs(folder=str(tmp_path / "runs"))))
    lines = text.splitlines()
    assert "KillMode=process" in lines and "OOMPolicy=continue" in lines and "NoNewPrivileges=yes" in lines
    [writable] = [line for line in lines if line.startswith("ReadWritePaths=")]
    assert str(tmp_path / "runs") in writable
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        if os.environ.get("CI") == "true":
            pytest.fail("systemd-analyze is not installed (Debian: apt-get install systemd)")
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    file = tmp_path / "pancommons.service"
    file.write_text(text)
    done = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_health_says_what_keeps_runs_from_being_made(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Services(sqlite_database, Settings(runs=Runs(folder=str(tmp_path / "runs")))))
    client = TestClient(app)
    told = client.get("/health").json()
    assert told["status"] == "ok" and told["database"] == "sqlite" and told["warnings"] == []
    monkeypatch.setattr(health, "ROOM", 1 << 62)
    assert client.get("/health").json()["warnings"] == ["the disk of runs is nearly full"]
    shutil.rmtree(tmp_path / "runs")
    gone = client.get("/health")
    assert gone.status_code == 200 and gone.json()["warnings"] == ["the folder of runs is not there"]


def test_health_without_a_database(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(Services(sqlite_database, Settings()))

    def broken(_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(health, "version", broken)
    answer = TestClient(app).get("/health")
    assert answer.status_code == 503 and answer.json() == {"status": "database unavailable"}
