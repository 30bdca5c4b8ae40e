"""The pages of analysing and of runs: every state, forms with and without mistakes, and nobody else's runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest

from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.pipelines import registry
from pancommons.store.engine import Database
from tests.runs.world import BOB, PLUGIN, ROOT
from tests.server.pages.running import Portal, portal_of

EVE = Principal("eve")
STATES = ("waiting", "running", "stopping", "done", "partial", "stopped", "failed")


@pytest.fixture
def portal(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")]).rstrip(":"))
    registry.load.cache_clear()
    with portal_of(sqlite_database, tmp_path) as made:
        yield made
    registry.load.cache_clear()


def text(page: object) -> str:
    return " ".join(page.text_content().split())  # type: ignore[attr-defined]


def form_of(portal: Portal, name: str = "open") -> str:
    return f"/datasets/{portal.world.datasets[name]}/analyse/strips"


def test_pipelines_that_fit_and_why_others_do_not(portal: Portal) -> None:
    page = portal.get(f"/datasets/{portal.world.datasets['open']}/analyse")
    assert [text(one) for one in page.xpath("//ul[@class='pipelines']//h2")] == ["Squares of strips"]
    others = {text(one): text(one.getnext()) for one in page.xpath("//dl[@class='others']/dt")}
    assert len(others) == len(registry.names()) - 1
    assert all(why.startswith("raw:open.npy: ") for why in others.values()), others


def test_a_form_is_filled_from_the_declaration_the_data_and_the_address(portal: Portal) -> None:
    page = portal.get(form_of(portal) + "?pause=0.5&preset=slow")
    field = {one.get("name"): one.get("value") for one in page.xpath("//form[@id='analyse']//input[@name]")}
    assert field["pause"] == "0.5" and field["offset"] == "auto" and field["preset-before"] == "slow"
    assert field["vector"] == portal.world.datasets["open"]
    assert page.xpath("//select[@id='p-preset']/option[@selected]/text()") == ["slow"]
    assert "From the data: 1" in text(page.get_element_by_id("h-offset"))
    assert "Allowed: ≥ 0" in text(page.get_element_by_id("h-pause"))
    assert "about" in text(page.get_element_by_id("estimate"))


def test_what_is_wrong_is_said_above_and_beside_and_kept(portal: Portal) -> None:
    sent = {"pause": "-1", "offset": "much", "kill": "3", "then-do": "start", "vector": portal.world.datasets["open"]}
    page = portal.page(portal.post(form_of(portal), sent, 422), 422)
    told = page.get_element_by_id("wrong")
    assert told.get("role") == "alert" and told.get("tabindex") == "-1"
    assert set(told.xpath(".//a/@href")) == {"#p-pause", "#p-offset"}
    for name in ("pause", "offset"):
        assert page.get_element_by_id(f"p-{name}").get("value") == sent[name]
        assert page.get_element_by_id(f"p-{name}").get("aria-invalid") == "true"
        assert page.get_element_by_id(f"w-{name}") is not None
    assert page.get_element_by_id("p-kill").get("value") == "3"
    assert portal.world.rows() == []


def test_a_preset_keeps_what_was_changed(portal: Portal) -> None:
    sent = {"preset": "slow", "preset-before": "", "pause": "0", "bad": "2", "then-do": "preset"}
    address = urlsplit(portal.post(form_of(portal), sent).headers["location"])
    assert parse_qs(address.query) == {"preset": ["slow"], "bad": ["2"]}
    page = portal.get(f"{address.path}?{address.query}")
    assert page.get_element_by_id("p-pause").get("value") == "0.2"
    back = {"preset": "", "preset-before": "slow", "pause": "0.2", "bad": "2", "then-do": "preset"}
    assert parse_qs(urlsplit(portal.post(form_of(portal), back).headers["location"]).query) == {"bad": ["2"]}


def test_from_the_form_to_a_first_look_to_a_run(portal: Portal) -> None:
    looked = portal.post(form_of(portal), {"offset": "2", "then-do": "preview"}).headers["location"]
    page = portal.get(looked.partition("#")[0])
    assert "waiting" in text(page.get_element_by_id("first-look"))
    assert portal.world.rows()[0].preview
    fragment = portal.client.get(page.get_element_by_id("first-look").get("hx-get"))
    assert fragment.status_code == 200 and "<html" not in fragment.text
    started = portal.post(form_of(portal), {"offset": "2", "then-do": "start", "run-title": "My run"})
    page = portal.get(started.headers["location"])
    row = portal.world.rows()[1]
    assert (row.parameters, row.preset, row.preview, row.person) == ({"offset": 2.0}, None, False, "bob")
    assert "My run" in text(page) and "place" in text(page.get_element_by_id("now"))
    again = page.xpath("//a[contains(., 'Run again')]/@href")[0]
    assert portal.get(again).get_element_by_id("p-offset").get("value") == "2"


@pytest.mark.parametrize(
    "hostile", ["../../etc/passwd", "<script>alert(1)</script>", "'; DROP TABLE runs", "\x00", "x" * 5000]
)
def test_hostile_words_are_answered_in_peace(portal: Portal, hostile: str) -> None:
    for name in ("vector", "offset", "preset", "preset-before", "then-do", "first-look", "run-title", "unknown"):
        answer = portal.client.post(form_of(portal), data={name: hostile})
        assert answer.status_code in (303, 422), (name, answer.status_code)
        assert "<script>alert" not in answer.text
        answer = portal.client.get(form_of(portal), params={name: hostile[:1000]})
        assert answer.status_code == 200 and "<script>alert" not in answer.text, name
    assert portal.world.rows() == []


@pytest.mark.parametrize("state", STATES)
def test_a_run_in_every_state(portal: Portal, state: str) -> None:
    run = portal.run(state=state, parameters={"bad": 1} if state == "partial" else {})
    page = portal.get(f"/runs/{run.identifier}")
    assert state in text(page.get_element_by_id("state"))
    assert page.get_element_by_id("state").xpath(".//svg")
    buttons = {text(one) for one in page.xpath("//main//button")}
    assert ("Stop" in buttons) == (state in ("waiting", "running"))
    assert any(one in buttons for one in ("Resume", "Try failed parts again")) == run.resumable
    settling = run.active or state in ("done", "partial")  # the results of these are not in the catalogue yet
    assert bool(page.xpath("//noscript//meta[@http-equiv='refresh']")) == settling
    assert page.get_element_by_id("log-box").get("role") == "log"
    stages = {text(one) for one in page.xpath("//ol[@class='stages']//span[@class='stage-title']")}
    assert stages == {"Scaling", "Squaring"}
    assert "secret-host" not in page.text_content()
    if state == "done":
        assert "Total" in text(page.xpath("//table[@class='merits']")[0])
        assert page.xpath("//a[contains(@href, '/crate')]") and page.xpath("//a[contains(@href, '/report.html')]")
    if state == "failed":
        told = text(page.xpath("//div[contains(@class, 'note error')]")[0])
        assert all(word in told for word in ("What happened", "planned accident", "What was kept", "What to do"))
    if state == "partial":
        assert "planned accident" in text(page)
    now = portal.client.get(f"/runs/{run.identifier}/now", params={"after": 1})
    assert now.status_code == 200 and 'data-line="1"' not in now.text
    assert portal.client.get(f"/runs/{run.identifier}/log.txt").text.count("\n") >= (state != "waiting")


def test_a_run_is_stopped_resumed_and_thrown_away(portal: Portal) -> None:
    run = portal.run(state="waiting")
    assert portal.post(f"/runs/{run.identifier}/stop", {}).headers["location"] == f"/runs/{run.identifier}"
    assert portal.world.get(run).state == "stopped"
    page = portal.page(portal.post(f"/runs/{run.identifier}/stop", {}, 409), 409)
    assert page.xpath("//div[@role='alert']")
    portal.post(f"/runs/{run.identifier}/resume", {})
    assert portal.world.get(run).state == "waiting"
    portal.post(f"/runs/{run.identifier}/stop", {})
    assert portal.post(f"/runs/{run.identifier}/delete", {}).headers["location"] == "/runs"
    portal.get(f"/runs/{run.identifier}", 410)


def test_nobody_sees_the_runs_of_others(portal: Portal) -> None:
    run = portal.run()
    other = portal.run(who=EVE)
    portal.who = EVE
    here = f"/runs/{run.identifier}"
    for path in (here, f"{here}/now", f"{here}/log.txt", f"{here}/notebook.ipynb"):
        answer = portal.client.get(path)
        assert answer.status_code == 404 and run.title not in answer.text, path
    for what in ("stop", "resume", "delete"):
        portal.post(f"{here}/{what}", {}, 404)
    assert portal.world.get(run).state == "done"
    portal.get(f"/runs/compare?a={run.identifier}&b={other.identifier}", 404)
    assert run.identifier not in text(portal.get("/runs?everybody=true"))
    look = portal.client.get(form_of(portal), params={"first-look": run.identifier})
    assert run.identifier not in look.text.replace(f"first-look={run.identifier}", "")
    portal.who = ROOT
    assert portal.get(here) is not None
    assert len(portal.get("/runs?everybody=true").xpath("//table//tbody/tr")) == 2


def test_who_is_not_known_is_asked_to_sign_in(portal: Portal) -> None:
    portal.who = ANONYMOUS
    assert portal.client.get("/runs").headers["location"].startswith("/signin")
    assert portal.client.get("/me").headers["location"].startswith("/signin")
    page = portal.get(form_of(portal), 401)
    assert page.xpath("//main//a[contains(@href, '/signin')]")
    portal.get(form_of(portal, "secret"), 404)
    portal.post(form_of(portal), {"then-do": "start"}, 401)
    assert portal.world.rows() == []


def test_the_list_is_filtered_and_empty_says_how_to_fill_it(portal: Portal) -> None:
    assert "press Analyse" in text(portal.get("/runs"))
    portal.run(state="failed")
    portal.run(state="waiting")
    assert len(portal.get("/runs").xpath("//tbody/tr")) == 2
    assert len(portal.get("/runs?state=failed&pipeline=strips").xpath("//tbody/tr")) == 1
    assert portal.get("/runs?pipeline=tomography").xpath("//div[@class='empty']")
    assert portal.get("/runs?state=<b>&before=nothing") is not None
    told = portal.client.get("/runs", headers={"Accept": "application/json"})
    assert told.headers["content-type"] == "application/json" and len(told.json()["runs"]) == 2


def test_two_runs_side_by_side(portal: Portal) -> None:
    a, b = portal.run(parameters={"offset": 1.0}), portal.run(parameters={"offset": 3.0})
    page = portal.get(f"/runs/compare?a={a.identifier}&b={b.identifier}")
    rows = {text(one.xpath("th")[0]): [text(cell) for cell in one.xpath("td")] for one in page.xpath("//tbody/tr")}
    assert rows["offset"] == ["1", "3", "2", "+2e+02 %"]
    total = sum((number + 1) ** 2 for number in range(64))
    assert [float(one) for one in rows["Total"][:3]] == [total, total, 0]
    assert portal.get("/runs/compare").xpath("//input[@name='a']")


def test_the_notebook_names_files_not_paths(portal: Portal) -> None:
    run = portal.run(parameters={"offset": 2.0})
    answer = portal.client.get(f"/runs/{run.identifier}/notebook.ipynb", headers={"Accept": "*/*"})
    made = nbformat.reads(answer.text, as_version=4)
    nbformat.validate(made)
    code = "\n".join(cell.source for cell in made.cells if cell.cell_type == "code")
    assert str(portal.world.folder) not in answer.text
    assert f"portal.download('{run.inputs['vector'][0].file}', 'inputs/open.npy')" in code
    assert "offset=2.0" in code and "Client('http://testserver')" in code


def test_a_log_is_filtered_without_javascript(portal: Portal) -> None:
    run = portal.run()
    page = portal.get(f"/runs/{run.identifier}?log=SQUARING")
    lines = [text(one) for one in page.xpath("//ol[@id='log']/li")]
    assert lines and all("squaring" in line.lower() for line in lines)


def test_bob_is_told_what_is_his(portal: Portal) -> None:
    portal.run(state="running")
    done = portal.run(preview=True)
    page = portal.get("/me")
    assert "Squares of strips" in text(page) and "preview" in text(page)
    removed = page.xpath("//table[.//th[contains(., 'Removed on')]]//tbody/tr")
    assert [text(one.xpath("td")[0]) for one in removed] == [f"{portal.world.get(done).expires:%Y-%m-%d}"]
    portal.who = Principal("ada", proposals=portal.world.ada.proposals)
    assert "member: a proposal" in text(portal.get("/me"))


def test_administration_is_for_those_who_run_the_portal(portal: Portal) -> None:
    run = portal.run(state="running")
    for path in ("/admin", "/admin/people", "/admin/audit"):
        for who in (BOB, ANONYMOUS):
            portal.who = who
            portal.get(path, 404)
    portal.post("/admin/people", {"person": "bob", "role": "administrator", "do": "grant"}, 404)
    portal.who = ROOT
    page = portal.get("/admin")
    assert run.identifier in "".join(page.xpath("//form/@action")) and "raw" in text(page)
    portal.post("/admin/people", {"person": "eve", "role": "member", "proposal": "p1", "do": "grant"})
    assert "eve" in text(portal.get("/admin/people")) and "member · p1" in text(portal.get("/admin/people"))
    wrong = portal.page(
        portal.post("/admin/people", {"person": "eve", "role": "member", "proposal": "p2", "do": "grant"}, 422), 422
    )
    assert "no document p2" in text(wrong)
    lines = portal.get("/admin/audit?what=grant").xpath("//tbody/tr")
    assert len(lines) == 1 and "eve" in text(lines[0])
    assert portal.get("/admin/audit?who=nobody&since=1.4.2026").xpath("//input[@aria-invalid='true']")
    portal.post("/admin/people", {"person": "eve", "role": "member", "proposal": "p1", "do": "revoke"})
    assert "member · p1" not in text(portal.get("/admin/people"))
