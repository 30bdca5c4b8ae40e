"""The server is killed with five runs going, and started again: nothing is lost and nothing is doubled."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.tables import datasets
from pancommons.pipelines import events as written
from pancommons.pipelines.lock import is_running
from pancommons.store.engine import Database
from tests.runs.world import PLUGIN, World, build, now, wait_until
from tests.server.runs.test_routes import followed

RUNS = 5


class Serving:
    """``pan serve``, really, in a session of its own."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder
        url = database.writer.url.render_as_string(hide_password=False)
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")]).rstrip(":"),
            "PANCOMMONS_HOME": str(folder / "home"),
            "PANCOMMONS_DATABASE": url.replace("postgresql+psycopg", "postgresql"),
            "PANCOMMONS_DATA_ROOTS": json.dumps({"raw": str(folder / "raw")}),
            "PANCOMMONS_RUNS": json.dumps({"at_a_time": RUNS, "at_a_time_each": RUNS, "workers": 1, "memory": "1G"}),
        }
        self.address = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.begin()
        self.wait()

    def begin(self, port: int = 0) -> None:
        """Start the process; `wait` until it serves."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pancommons", "serve", "--port", str(port)],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        said = re.search(r"http://\S+", self.process.stdout.readline())
        assert said is not None
        self.address = said[0]

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path, timeout=60)

    def folders(self) -> list[Path]:
        return sorted((self.folder / "home" / "runs").glob("*/*/*"))

    def counted(self, event: str) -> list[int]:
        return [
            sum(one["event"] == event for one in written.read(folder / "events.jsonl")) for folder in self.folders()
        ]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    """Give the world; its runs lie where those of the server do."""
    (tmp_path / "home").mkdir()
    return build(database, tmp_path, at="home/runs")


@pytest.fixture
def serving(world: World, tmp_path: Path) -> Iterator[Serving]:
    server = Serving(world.database, tmp_path)
    yield server
    server.end()


def test_all_runs_of_a_server_that_is_killed_finish_and_are_registered_once(serving: Serving, world: World) -> None:
    asked = []
    for number in range(RUNS):
        run = world.asked(parameters={"pause": 0.6 + 0.2 * number}, title=f"run {number}")
        asked.append(world.desk.ask(run, LOCAL_USER, now(), f"k{number}").identifier)
    serving.start()
    wait_until(lambda: len(serving.folders()) == RUNS and all(serving.counted("unit")))
    assert not any(serving.counted("ended")) and all(map(is_running, serving.folders()))
    before = followed(serving.address, asked[-1], most=4)
    serving.kill()
    assert all(map(is_running, serving.folders())), "runs outlive the server"
    wait_until(lambda: sum(serving.counted("ended")) >= 1)
    serving.start()
    body = asdict(world.asked(parameters={"pause": 0.6}, title="run 0"))
    answer = httpx.post(f"{serving.address}/runs", json=body, timeout=60, headers={"Idempotency-Key": "k0"})
    assert (answer.status_code, answer.json()["id"]) == (200, asked[0]), "asked again, not run again"
    rest = followed(serving.address, asked[-1], before[-1][0])
    wait_until(lambda: all(serving.get(f"/runs/{run}").json()["dataset"] for run in asked), 150)
    assert serving.counted("started") == serving.counted("ended") == [1] * RUNS
    for run in asked:
        told = serving.get(f"/runs/{run}").json()
        assert (told["state"], told["why"]) == ("done", None)
        [folder] = [one for one in serving.folders() if one.name == run]
        of_folder = written.read(folder / "events.jsonl")
        units = [(event["stage"], event["unit"]) for event in of_folder if event["event"] == "unit"]
        assert len(units) == len(set(units)) == 16
        over_http = serving.get(f"/runs/{run}/events").text.split("\n\n")
        shown = [json.loads(text.partition("data: ")[2]) for text in over_http if "data: " in text]
        assert [(one["time"], one["event"]) for one in shown] == [(one["time"], one["event"]) for one in of_folder]
        if run == asked[-1]:
            followed_whole = [(line, event["time"]) for line, event in (*before, *rest)]
            assert followed_whole == [(line, event["time"]) for line, event in enumerate(of_folder, 1)]
    with world.database.read() as connection:
        made = list(connection.execute(sa.select(datasets).where(datasets.c.kind == "processed")))
        ends = connection.execute(sa.select(sa.func.count()).where(audit.c.what == "end")).scalar_one()
    assert sorted(row.title for row in made) == [f"run {number}" for number in range(RUNS)]
    assert ends == RUNS
