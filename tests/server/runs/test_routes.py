"""Runs over HTTP: asked for once, seen by who may, followed without loss, and nothing of the server shown."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import httpx
import pytest

from pancommons.catalogue.access import Action, Principal
from pancommons.runs.run import Run
from pancommons.server.runs import events as streaming
from pancommons.store.engine import Database
from tests.runs.world import BOB, ROOT, now, wait_until
from tests.server.runs.conftest import Portal, portal_around
from tests.server.runs.following import followed

PARTS = ("", "/events", "/report", "/report.html", "/crate", "/result", "/figures/x.png")


def test_a_run_is_asked_for_followed_and_its_result_fetched(portal: Portal) -> None:
    supervisor = portal.supervise()
    supervisor.start()
    asked = portal.ask(key="k", parameters={"pause": 0.02}, title="mine")
    assert asked.status_code == 201
    told = asked.json()
    assert asked.headers["location"] == told["links"]["self"] == f"/runs/{told['id']}"
    assert (told["state"], told["title"], told["parameters"]) == ("waiting", "mine", {"pause": 0.02})
    again = portal.ask(key="k", parameters={"pause": 0.02}, title="mine")
    assert (again.status_code, again.json()["id"]) == (200, told["id"])
    assert portal.ask(key="k").status_code == 409
    events = followed(portal.address, told["id"])
    written = [json.loads(line) for line in portal.world.desk.folder(portal.world.get(_run(portal))).events.open()]
    assert [(line, event["event"], event["time"]) for line, event in events] == [
        (number, event["event"], event["time"]) for number, event in enumerate(written, 1)
    ]
    assert events[-1][1]["state"] == "done" and "host" not in events[0][1]
    as_list = portal("GET", f"/runs/{told['id']}/events", headers={"Accept": "application/json"}).json()
    assert [one["id"] for one in as_list] == [line for line, _ in events]
    wait_until(lambda: portal("GET", f"/runs/{told['id']}").json()["dataset"])
    supervisor.stop()
    done = portal("GET", f"/runs/{told['id']}").json()
    assert (done["state"], done["place"], done["left"]) == ("done", None, None)
    assert [(one["name"], one["finished"], one["total"]) for one in done["stages"]] == [
        ("scale", 64, 64),
        ("square", 64, 64),
    ]
    assert done["found"]["offset"] == {"value": 1.0, "unit": "mm", "method": "first step", "confidence": 0.5}
    assert portal("GET", done["links"]["report"]).json()["merits"][0]["name"] == "total"
    page = portal("GET", done["links"]["page"])
    assert page.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    result = portal("GET", done["links"]["result"], headers={"Range": "bytes=0-7"})
    assert (result.status_code, result.content) == (206, b"\x89HDF\r\n\x1a\n")
    crate = portal("GET", done["links"]["crate"])
    assert crate.json()["@graph"] and crate.headers["content-type"] == "application/ld+json"
    for part in PARTS:
        answer = portal("GET", f"/runs/{told['id']}{part}", headers={"Accept": "application/json"})
        assert str(portal.world.folder).encode() not in answer.content, part
        assert b"pan resume /" not in answer.content
    [listed] = portal("GET", "/runs").json()["runs"]
    assert listed["id"] == told["id"] and portal("GET", "/runs?state=failed").json() == {"runs": [], "next": None}
    assert portal("DELETE", f"/runs/{told['id']}").status_code == 204
    assert portal("GET", f"/runs/{told['id']}").status_code == 410
    assert portal("GET", "/runs").json()["runs"] == []


def _run(portal: Portal) -> Run:
    return portal.world.desk.list(BOB, now())[0]


def test_nobody_else_sees_anything_of_a_run(portal: Portal) -> None:
    portal.asking = portal.world.ada
    run = portal.ask("secret").json()["id"]
    other = Principal("ada", scopes=frozenset({Action.DISCOVER, Action.READ}))
    for asking in (BOB, None, other):
        portal.asking = asking
        for part in PARTS:
            assert portal("GET", f"/runs/{run}{part}").status_code == 404, part
        for part in ("/stop", "/resume"):
            assert portal("POST", f"/runs/{run}{part}").status_code == 404
        assert portal("DELETE", f"/runs/{run}").status_code == 404
        listed = portal("GET", "/runs?everybody=true")
        assert listed.status_code == 401 if asking is None else listed.json()["runs"] == []
    portal.asking = None
    assert portal.ask().status_code == 401
    portal.asking = ROOT
    assert portal("GET", f"/runs/{run}").json()["person"] == "ada"


def test_what_cannot_be_is_told_in_one_sentence(portal: Portal) -> None:
    secret = portal.ask("secret")
    assert secret.status_code == 400 and "that you may run on" in secret.json()["error"]["message"]
    for body in (b"", b"[]", b"{", b'{"pipeline": "strips"}', b'{"pipeline": "strips", "inputs": {}, "x": 1}'):
        assert portal("POST", "/runs", content=body).status_code == 400
    assert portal("POST", "/runs", content=b" " * (300 << 10)).status_code == 413
    unknown = portal("POST", "/runs/estimate", json={"pipeline": "none", "inputs": {}})
    assert unknown.status_code == 400 and "there is no pipeline" in unknown.json()["error"]["message"]
    nul = portal("POST", "/runs", json={"pipeline": "strips", "inputs": {"vector": ["a\0b"]}, "title": "\0"})
    assert nul.status_code == 400 and portal("GET", "/runs?before=%00").json()["runs"] == []
    told = portal("POST", "/runs/estimate", json={"pipeline": "strips", "inputs": {"vector": ["pid/open"]}}).json()
    assert set(told["estimate"]) == {"seconds", "memory", "disk"} and told["detected"] == {"offset": 1.0}
    assert portal.world.rows() == []


def test_limits_are_told_with_when_to_try_again(sqlite_database: Database, tmp_path: Path) -> None:
    with portal_around(sqlite_database, tmp_path, waiting_each=1) as portal:
        assert portal.ask().status_code == 201
        refused = portal.ask()
        assert refused.status_code == 429 and refused.headers["retry-after"] == "60"
        assert refused.json()["error"]["name"] == "TooManyRequestsError"


def test_one_key_sent_from_many_places_at_once_makes_one_run(portal: Portal) -> None:
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(portal.ask(key="same"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_following_goes_on_over_a_restart_without_loss_or_repetition(database: Database, tmp_path: Path) -> None:
    with portal_around(database, tmp_path) as portal:
        supervisor = portal.supervise()
        supervisor.start()
        run = portal.ask(parameters={"pause": 0.3}).json()["id"]
        first = followed(portal.address, run, most=6)
        supervisor.stop()
        world = portal.world
    with portal_around(database, tmp_path, world) as portal:
        portal("GET", "/runs")
        supervisor = portal.supervise()
        supervisor.start()
        rest = followed(portal.address, run, first[-1][0])
        wait_until(lambda: portal("GET", f"/runs/{run}").json()["state"] == "done")
        supervisor.stop()
        assert followed(portal.address, run, rest[-1][0]) == [], "204: a browser does not ask again"
        numbers = [line for line, _ in (*first, *rest)]
        assert numbers == list(range(1, len(numbers) + 1)) and rest[-1][1]["event"] == "ended"


def test_a_stream_ends_when_whoever_follows_may_not_see_the_run_any_more(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_ASK_AGAIN", 0.2)
    monkeypatch.setattr(streaming, "EVERY", 0.1)
    with portal_around(sqlite_database, tmp_path) as portal:
        run = portal.ask().json()["id"]
        threading.Timer(1.0, lambda: portal.world.set(_run(portal), person="somebody else")).start()
        assert followed(portal.address, run) == []


def test_stop_resume_and_hostile_names(portal: Portal) -> None:
    run = portal.ask().json()["id"]
    assert portal("POST", f"/runs/{run}/resume").status_code == 409
    stopped = portal("POST", f"/runs/{run}/stop").json()
    assert (stopped["state"], stopped["why"]) == ("stopped", "stopped before it began")
    assert "retry-after" not in portal("POST", f"/runs/{run}/stop").headers
    portal.world.set(_run(portal), to_register=True)
    for method, path in (("POST", f"/runs/{run}/resume"), ("DELETE", f"/runs/{run}")):
        soon = portal(method, path)
        assert (soon.status_code, soon.headers["retry-after"]) == (409, "1"), method
    portal.world.set(_run(portal), to_register=False)
    assert portal("POST", f"/runs/{run}/resume").json()["state"] == "waiting"
    folder = portal.world.desk.folder(_run(portal)).path
    figures = [{"file": name} for name in ("a.png", "link.png", "../run.json", "page.html")]
    (folder / "report.json").write_text(json.dumps({"figures": figures}))
    (folder / "figures").mkdir()
    (folder / "figures" / "a.png").write_bytes(b"png")
    (folder / "figures" / "page.html").write_bytes(b"<script>")
    (folder / "figures" / "unlisted.png").write_bytes(b"png")
    (folder / "figures" / "link.png").symlink_to("/etc/passwd")
    assert portal("GET", f"/runs/{run}/figures/a.png").headers["content-type"] == "image/png"
    for name in ("link.png", "unlisted.png", "..%2Frun.json", "%2e%2e/run.json", "page.html", "a.png%00", "x"):
        assert portal("GET", f"/runs/{run}/figures/{name}").status_code == 404, name
    for name in ("%2e%2e%2f", "x" * 101, "a%00b", "'", "%F0%9F%92%A9"):
        assert portal("GET", f"/runs/{name}").status_code in (400, 404, 405), name


def test_pipelines_are_described_as_they_are_declared(sqlite_database: Database, tmp_path: Path) -> None:
    with portal_around(sqlite_database, tmp_path) as portal:
        portal.asking = None
        names = [one["name"] for one in portal("GET", "/pipelines").json()["pipelines"]]
        told = portal("GET", "/pipelines/strips").json()
        assert portal("GET", "/pipelines/none").status_code == 404
    assert {"strips", "tomography", "sans", "thz"} <= set(names)
    assert told["parameters"]["properties"]["pause"]["unit"] == "s" and told["preview"] is True
    assert told["presets"] == {"slow": {"pause": 0.2}} and told["roles"][0]["required"] is True
