"""Provenance that a validator accepts, without a network, and that says what was done."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pancommons.pipelines import packing
from pancommons.pipelines.folder import RunFolder
from tests.pipelines import toy

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], list[str]]:
    """Give the validator's REQUIRED issues with a crate; its cache is filled, so it needs no network."""
    import requests
    import rocrate
    import urllib3
    from requests_cache import CachedSession
    from rocrate_validator import services

    cache = tmp_path_factory.mktemp("validator") / "http"
    body = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
    headers = {"Accept": "application/ld+json, application/json, */*;q=0.1"}
    with CachedSession(str(cache), backend="sqlite") as session:
        response = requests.Response()
        response.status_code, response.url, response._content = 200, CONTEXT, body
        response.headers["Content-Type"] = "application/ld+json"
        response.request = requests.Request("GET", CONTEXT, headers=headers).prepare()
        response.raw = urllib3.HTTPResponse(io.BytesIO(body), status=200, preload_content=False)
        session.cache.save_response(response)

    def validate(crate: Path) -> list[str]:
        settings = services.ValidationSettings(
            rocrate_uri=str(crate),
            profile_identifier="process-run-crate",
            requirement_severity="REQUIRED",
            offline=True,
            cache_path=cache,
        )
        result = services.validate(settings)
        assert len(result.executed_checks) >= 40, "checks were skipped"
        return [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]

    return validate


def entities(folder: RunFolder) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads(folder.crate.read_text())["@graph"]}


def action(folder: RunFolder) -> dict[str, Any]:
    return next(entity for entity in entities(folder).values() if entity["@type"] == "CreateAction")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy.register(monkeypatch)
    return toy.write_input(tmp_path / "in <put> é.npy")


def test_the_validator_requires_nothing_more(
    source: Path, tmp_path: Path, problems: Callable[[Path], list[str]]
) -> None:
    run = toy.run(source, tmp_path / "run")
    assert problems(run.path) == []
    assert problems(packing.pack(run.path, tmp_path / "published.zip")) == []


def test_nor_of_a_partial_run_with_folders_and_a_known_agent(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: Callable[[Path], list[str]]
) -> None:
    monkeypatch.setenv("PANCOMMONS_AGENT__NAME", "Ada Lovelace")
    monkeypatch.setenv("PANCOMMONS_AGENT__ORCID", "0000-0002-1825-0097")
    monkeypatch.setenv("PANCOMMONS_AGENT__AFFILIATION", "Analytical Society")
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "one.txt").write_text("1")
    run = toy.run(source, tmp_path / "run", poison=1, extra=[extra])
    assert problems(run.path) == []
    done, all_of_it = action(run), entities(run)
    assert done["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert "1 units failed: Raising rows, unit 1 (start 4, stop 8): this unit is poison <&>" in done["error"]
    agent = all_of_it[done["agent"]["@id"]]
    assert agent["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert agent["name"] == "Ada Lovelace"
    assert all_of_it[agent["affiliation"]["@id"]]["name"] == "Analytical Society"
    assert all_of_it["#input-1-extra"]["@type"] == "Dataset"


def test_the_validator_is_not_asleep(source: Path, tmp_path: Path, problems: Callable[[Path], list[str]]) -> None:
    run = toy.run(source, tmp_path / "run")
    good = run.crate.read_text()
    for spoilt in ('"instrument"', '"license"', "wfrun/process", '"datePublished"', '"hasPart"'):
        assert spoilt in good
        run.crate.write_text(good.replace(spoilt, '"alternateName"' if '"' in spoilt else "wfrun/other"))
        assert problems(run.path), spoilt
    run.crate.write_text(good)
    run.result.unlink()
    assert problems(run.path)


def test_it_says_what_was_made_from_what(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run", scale=2.5)
    all_of_it, done = entities(run), action(run)
    taken = {reference["@id"] for reference in done["object"]}
    made = {reference["@id"] for reference in done["result"]}
    given = all_of_it["#input-0-array"]
    assert given["@id"] in taken and given["name"] == source.name
    assert given["contentUrl"] == source.as_uri()
    assert given["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert given["contentSize"] == str(source.stat().st_size)
    assert {"result.nxs", "report.html", "figures/sums.png", "parts/"} <= made
    assert "run.json" not in made and "lock" not in all_of_it
    for name in ("result.nxs", "report.html", "report.json", "run.json", "figures/sums.png"):
        content = (run.path / name).read_bytes()
        assert all_of_it[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert all_of_it[name]["contentSize"] == str(len(content))
    assert all_of_it["result.nxs"]["encodingFormat"] == "application/x-hdf5"
    instrument = all_of_it[done["instrument"]["@id"]]
    assert instrument["version"] == "1.2.0"
    own = all_of_it[instrument["softwareRequirements"]["@id"]]
    assert own["name"] == "pancommons" and own["version"] == run.record().software_version
    needed = {all_of_it[reference["@id"]]["name"] for reference in own["softwareRequirements"]}
    assert {"numpy", "h5py", "Python"} <= needed
    assert done["actionStatus"].endswith("CompletedActionStatus") and "error" not in done
    assert done["startTime"] <= done["endTime"]
    environment = {all_of_it[reference["@id"]]["name"] for reference in done["environment"]}
    assert {"processor_family", "python", "cores"} <= environment


def test_values_say_where_they_come_from(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run", scale=2.5)
    all_of_it = entities(run)
    scale, level = all_of_it["#parameter-scale"], all_of_it["#parameter-level"]
    assert (scale["value"], scale["unitText"]) == (2.5, "mm")
    found = (run.record().found or {})["level"]
    assert level["value"] == found.value and level["unitText"] == "count"
    assert level["measurementTechnique"] == "median of all values"
    assert "median of all values, confidence 0.87" in level["description"]
    assert all_of_it[level["additionalProperty"]["@id"]]["value"] == 0.87
    assert all_of_it["#merit-total"]["unitText"] == "mm" and "#merit-nothing" not in all_of_it
    root = all_of_it["./"]
    assert all_of_it[root["license"]["@id"]]["name"] == "CC-BY-4.0"
    assert all_of_it["https://doi.org/10.1000/toy.1"]["@type"] == "ScholarlyArticle"
    assert root["about"]["@id"] == toy.PIPELINE.technique.iri


def test_a_resumed_run_began_when_it_first_did(source: Path, tmp_path: Path) -> None:
    from pancommons.pipelines import runner

    run = toy.run(source, tmp_path / "run")
    lines = run.events.read_text().splitlines()
    first = json.loads(lines[0]) | {"time": 1_000_000_000.0}
    run.events.write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    runner.execute(run.path)
    assert action(run)["startTime"] == "2001-09-09T01:46:40+00:00"
