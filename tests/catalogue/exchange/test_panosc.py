"""PaNOSC search JSON: the demo data of the reference server, answers of a search API, faults, hostile files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pancommons.base.errors import BadInput
from pancommons.catalogue import parts
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.exchange.arriving import Report
from pancommons.catalogue.exchange.panosc import import_panosc
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import Found, fetch
from pancommons.catalogue.records import Affiliation, Dataset, Document, Member, Person, Sample
from pancommons.catalogue.tables import RECORDS, techniques
from pancommons.store.engine import Database

AT = datetime(2026, 11, 21, tzinfo=UTC)


def bring(database: Database, file: Path, value: Any = None) -> Report:
    if value is not None:
        file.write_text(value if isinstance(value, str) else json.dumps(value))
    return import_panosc(database, file, policy=read_policy(), by=LOCAL_USER, at=AT)


def got(database: Database, kind: str, pid: str, by: Any = ANONYMOUS) -> Any:
    with database.read() as connection:
        found = fetch(connection, kind, pid, by, AT)
    return found.record if isinstance(found, Found) else None


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_all_of_the_demo_data_arrives(database: Database, shared_data: Callable[[str], Path]) -> None:
    file = shared_data("panosc-search-demo/db.json")
    models = json.loads(file.read_text())["models"]
    report = bring(database, file)
    assert (report.added, report.changed, report.refused) == (4 + 2 + 15 + 1 + 2, 0, 0)
    for model, table in (
        ("Dataset", RECORDS["dataset"]), ("Document", RECORDS["document"]), ("Instrument", RECORDS["instrument"]),
        ("Sample", RECORDS["sample"]), ("Technique", techniques), ("Parameter", parts.parameters),
        ("File", parts.files), ("Member", parts.members), ("Person", parts.persons),
        ("Affiliation", parts.affiliations),
    ):  # fmt: skip
        assert count(database, table) == len(models[model]), model
    third = got(database, "dataset", "20.500.12269/panosc-dataset3")
    assert isinstance(third, Dataset)
    assert third.title == "PaNOSC Test Dataset 3"
    assert third.creation_date == datetime(2020, 5, 5, 15, 1, 2, 341000, tzinfo=UTC)
    assert third.instrument == "20.500.12269/f0637030-9f89-4398-8f01-09211145efa1"
    assert third.techniques == ("http://purl.org/pan-science/PaNET/PaNET01227",)
    assert third.samples == ("20.500.12269/panosc-sample1",)
    assert third.documents == ("10.5072/panosc-document2",)
    assert [file.name for file in third.files] == ["panosc-file3.hdf"]
    [warm] = third.parameters
    assert (warm.name, warm.value, warm.unit, warm.si) == ("temperature", 20, "celsius", pytest.approx(293.15))
    members = got(database, "document", "10.5072/panosc-document2").members
    assert [(one.person.full_name, one.role, one.affiliation.city) for one in members] == [
        ("James Chadwick", "principal investigator", "Lund"), ("John Smith", "owner", "Lund"),
    ]  # fmt: skip


def test_again_is_no_change(database: Database, shared_data: Callable[[str], Path]) -> None:
    for name in ("db", "db1", "db2"):
        file = shared_data(f"panosc-search-demo/{name}.json")
        assert bring(database, file).refused == 0
        again = bring(database, file)
        assert (again.added, again.changed, again.refused) == (0, 0, 0)


DATASET = {
    "pid": "10.1/d", "title": "Foam", "isPublic": True, "creationDate": "2020-05-05T15:01:02.341Z", "size": 7,
    "documents": [{
        "pid": "10.1/p", "type": "proposal", "title": "Foams", "isPublic": False, "releaseDate": "2030-01-01",
        "keywords": ["foam", "froth"], "license": "CC-BY-4.0", "summary": "We look.", "doi": "10.1/p",
        "startDate": "2020-05-01T02:00:00+02:00", "endDate": "2020-05-09",
        "members": [{
            "id": "4", "role": "PI",
            "person": {"id": "u/1", "fullName": "Ada L", "firstName": "Ada", "lastName": "L",
                       "orcid": "0000-0002-1825-0097", "researcherId": "A-1"},
            "affiliation": {"id": "a/1", "name": "Inst", "address": "1 St", "city": "Ville", "country": "Utopia"},
        }],
    }],
    "instrument": {"pid": "10.1/i", "name": "ID1", "facility": "ESRF"},
    "techniques": [{"pid": "http://purl.org/pan-science/PaNET/PaNET01207", "name": "x-ray tomography"}],
    "samples": [{"pid": "10.1/s", "name": "foam", "description": "wet"}],
    "parameters": [{"id": "1", "name": "t", "value": 20, "unit": "celsius"}, {"name": "state", "value": "wet"}],
    "files": [{"id": "1", "name": "a.h5", "path": "/x/y/a.h5", "size": 5}, {"id": "2", "name": "b.h5"}],
}  # fmt: skip


def test_an_answer_with_everything_included(database: Database, tmp_path: Path) -> None:
    assert bring(database, tmp_path / "a.json", [DATASET]).added == 5
    dataset = got(database, "dataset", "10.1/d")
    assert dataset.size == 7
    assert [(file.path, file.size) for file in dataset.files] == [("x/y/a.h5", 5), ("b.h5", None)]
    assert dataset.terms.proposal is None and dataset.documents == (), "its proposal opens in 2030"
    assert got(database, "document", "10.1/p") is None
    assert got(database, "dataset", "10.1/d", LOCAL_USER).terms.proposal == "10.1/p"
    document = got(database, "document", "10.1/p", LOCAL_USER)
    assert isinstance(document, Document)
    assert document.members == (
        Member(
            person=Person(
                pid="u/1", full_name="Ada L", first_name="Ada", last_name="L", orcid="0000-0002-1825-0097",
                researcher_id="A-1",
            ),
            affiliation=Affiliation(pid="a/1", name="Inst", address="1 St", city="Ville", country="Utopia"),
            role="PI",
        ),
    )  # fmt: skip
    assert document.terms.open_from == datetime(2030, 1, 1, tzinfo=UTC)
    assert (document.keywords, document.license) == (("foam", "froth"), "CC-BY-4.0")
    assert document.start_date == datetime(2020, 5, 1, tzinfo=UTC)
    sample = got(database, "sample", "10.1/s")
    assert isinstance(sample, Sample) and sample.description == "wet"


def test_what_is_private_elsewhere_is_private_here(database: Database, tmp_path: Path) -> None:
    bring(database, tmp_path / "a.json", [{**DATASET, "isPublic": False}])
    for kind, pid in (("dataset", "10.1/d"), ("sample", "10.1/s"), ("document", "10.1/p")):
        assert got(database, kind, pid) is None
        assert got(database, kind, pid, LOCAL_USER) is not None


def test_what_is_mentioned_overwrites_nothing(database: Database, tmp_path: Path) -> None:
    bring(database, tmp_path / "documents.json", DATASET["documents"])
    report = bring(database, tmp_path / "datasets.json", [{**DATASET, "documents": [{"pid": "10.1/p", "title": "?"}]}])
    assert (report.changed, report.refused) == (0, 0)
    assert got(database, "document", "10.1/p", LOCAL_USER).title == "Foams"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": None}, "[1]: has no title"),
        ({"size": -1}, "[1].size: expected a whole number"),
        ({"size": 10**30}, "[1].size: expected a whole number"),
        ({"creationDate": "yesterday"}, "[1].creationDate: expected a date"),
        ({"creationDate": "9999-12-31T23:59:59-10:00"}, "[1].creationDate: expected a date"),
        ({"isPublic": "yes"}, "[1].isPublic: expected true or false"),
        ({"title": "a\0b"}, "[1].title: holds a character with code 0"),
        ({"title": "x" * 3000}, "[1].title: is 3000 bytes long"),
        ({"files": [{"path": "../../etc/passwd"}]}, "[1].files[0]: '../../etc/passwd' is no path"),
        ({"files": 3}, "[1].files: expected a list"),
        ({"parameters": [{"name": "t", "value": 10**400}]}, "[1].parameters[0].value: expected a finite"),
        ({"parameters": [{"name": "t", "value": [1]}]}, "[1].parameters[0].value: expected a number or a text"),
        ({"instrument": None, "instrumentId": "10.1/none"}, "the catalogue has no instrument 10.1/none"),
        ({"samples": [{"pid": "10.1/s"}]}, "[1].samples[0]: has no name"),
    ],
)
def test_a_faulty_dataset_is_refused_in_a_sentence_and_the_others_taken(
    database: Database, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    faulty = {**DATASET, "pid": "10.1/faulty", **change}
    report = bring(database, tmp_path / "a.json", [DATASET, faulty, {**DATASET, "pid": "10.1/e"}])
    [refusal] = report.refusals
    assert refusal.place == "[1]" and reason in refusal.reason and refusal.reason.endswith(".")
    assert got(database, "dataset", "10.1/d") and got(database, "dataset", "10.1/e")
    assert got(database, "dataset", "10.1/faulty", LOCAL_USER) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("3", "neither a list nor an object"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"pid": ' * 50_000, "nested too deeply"),
        ('[{"pid": "a"', "is no JSON"),
        ("[NaN]", "NaN is no number"),
        ("[" + "9" * 5000 + "]", "is no JSON"),
        ('{"datasets": [], "people": []}', "not among"),
        ('{"datasets": 3}', "expected ["),
    ],
)
def test_a_file_that_is_none_is_refused(database: Database, tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem.replace("[", r"\[")):
        bring(database, tmp_path / "a.json", text)
    assert count(database, RECORDS["dataset"]) == 0


def test_a_file_that_is_no_text_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not UTF-8"):
        bring(database, tmp_path / "a.json")
    with pytest.raises(BadInput, match="cannot be read"):
        bring(database, tmp_path / "none.json")
