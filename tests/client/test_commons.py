"""From a search word to a result over HTTP, with a real server, real runs and wires that break."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import h5py
import httpx
import pytest

from pancommons.base.errors import BadInput
from pancommons.client import Client
from pancommons.client.connection import Refused
from pancommons.client.runs import Run
from tests.client.portal import Portal, portal_in
from tests.client.wires import cutting


@pytest.fixture
def commons(portal: Portal) -> Client:
    """Give a client of the portal."""
    return Client(portal.address)


@pytest.fixture
def pid(portal: Portal) -> str:
    """Give the PID of the scan."""
    return portal.scan()


def _patient(portal: Portal, wire: str) -> Client:
    client = Client(wire, sleep=lambda _: None)
    client.connection._answered = True
    return client


def test_what_is_there(commons: Client, pid: str) -> None:
    dataset = commons.dataset(pid)
    assert dataset["pid"] == pid and {"techniques", "parameters"} <= set(dataset)
    assert [one["name"] for one in commons.files(pid)] == ["scan.nxs"]
    assert commons.search("no such word anywhere") == []
    assert {"tomography", "sans", "thz"} <= {one["name"] for one in commons.pipelines()}
    assert commons.pipeline("tomography")["parameters"]["properties"]["centre"]
    assert commons.account()["known_by"] == "machine"
    with pytest.raises(BadInput, match="limit"):
        commons.search(filter={"limit": "many"})
    with pytest.raises(BadInput, match="names nothing"):
        commons.dataset("..")


def test_an_estimate(commons: Client, pid: str) -> None:
    told = commons.estimate("tomography", pid)
    assert told["estimate"]["seconds"] > 0 and told["units"]
    with pytest.raises(BadInput, match="centre"):
        commons.estimate("tomography", pid, parameters={"centre": "blue"})
    with pytest.raises(BadInput):
        commons.estimate("tomography", "10.5072/nothing")


def test_a_run_over_a_wire_that_breaks(portal: Portal, pid: str, tmp_path: Path) -> None:
    before = len(Client(portal.address).runs())
    with cutting(portal.address, 2000, 600, 300, 900, 50, 700, 1500, 4000) as wire:
        client = _patient(portal, wire.address)
        run = client.run("tomography", pid, parameters={"centre": "31.0 "}, title="over a bad wire")
        events = list(run.follow())
    assert run.state == "done" and run.facts["title"] == "over a bad wire"
    kinds = [event["event"] for event in events]
    assert kinds[0] == "started" and kinds[-1] == "ended" and kinds.count("ended") == 1
    folder = next((portal.home / "runs").rglob(run.id))
    written = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [event["time"] for event in events] == [event["time"] for event in written]
    assert [event["event"] for event in events] == [event["event"] for event in written]
    assert "host" not in events[0] and "pid" not in events[0]

    runs = Client(portal.address).runs()
    assert len(runs) == before + 1 and runs[0].id == run.id
    again = Client(portal.address).find(run.url.replace(wire.address, portal.address))
    assert again.state == "done"
    with cutting(portal.address, 3000, 5000, 20_000) as wire:
        found = Run(_patient(portal, wire.address).connection, again.facts).download(tmp_path / "out")
    with h5py.File(found / "result.nxs") as fetched, h5py.File(folder / "result.nxs") as original:
        names: list[str] = []
        original.visit(names.append)
        assert names and set(names) == {*_all(fetched)}
    assert again.report["state"] == "done"
    assert (found / "report.html").read_text().startswith("<!")
    figures = sorted(one.name for one in (found / "figures").iterdir())
    assert figures == sorted(one["file"] for one in again.report["figures"])
    assert str(portal.home) not in (found / "ro-crate-metadata.json").read_text()
    assert again.download(tmp_path / "out") == found
    again.delete()
    with pytest.raises(Refused) as gone:
        again.refresh()
    assert gone.value.status in (404, 410)


def _all(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visit(names.append)
    return names


def test_the_same_request_twice_is_one_run(portal: Portal, pid: str) -> None:
    before = len(Client(portal.address).runs())
    with cutting(portal.address, 10_000, 20) as wire:
        client = _patient(portal, wire.address)
        run = client.run("tomography", inputs={"scan": [pid]}, preview=True)
        assert wire.connections >= 1
        run.wait()
    with Client(portal.address) as direct:
        assert len(direct.runs()) == before + 1
        with pytest.raises(BadInput, match="another server"):
            direct.find("https://elsewhere.example/runs/abc")
    assert run.state == "done" and run.facts["preview"]


def test_stop_and_go_on(commons: Client, pid: str) -> None:
    first = commons.run("tomography", pid)
    second = commons.run("tomography", pid)  # waits for the first
    second.stop()
    assert second.refresh().state == "stopped"
    with pytest.raises(BadInput, match="is stopped: there is no result"):
        second.download("nowhere")
    second.resume()
    assert second.wait().state == "done" and first.refresh().state == "done"
    with pytest.raises(Refused) as over:
        second.stop()
    assert over.value.status == 409


def test_events_go_on_when_the_server_does(tmp_path: Path) -> None:
    """End the server while a run is followed, start it again: the run went on, no event is lost or doubled."""
    with portal_in(tmp_path / "own") as portal:
        client = Client(portal.address)
        scan = client.search(filter={"limit": 10})[0]["pid"]
        run = client.run("tomography", scan)
        events: list[dict[str, object]] = []
        began = threading.Event()

        def follow() -> None:
            for event in run.follow():
                events.append(event)
                began.set()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        assert began.wait(60)
        at = time.monotonic()
        portal.end()
        assert time.monotonic() - at < 15, "a stream kept the server from ending"
        portal.start()
        thread.join(90)
        assert not thread.is_alive() and run.state == "done"
        folder = next((portal.home / "runs").rglob(run.id))
        written = [json.loads(line)["time"] for line in (folder / "events.jsonl").read_text().splitlines()]
        assert [event["time"] for event in events] == written

        told = httpx.get(f"{portal.address}/metrics").text
        assert re.search(r'pancommons_runs\{state="done"\} 1.0', told)
        health = httpx.get(f"{portal.address}/health").json()
        assert health["status"] == "ok" and health["warnings"] == [] and health["release"]
