"""SciCat's JSON of versions 3 and 4, whole and in parts, and what cannot be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.exchange.arriving import Report
from pancommons.catalogue.exchange.formats import import_file, recognise
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, Relation
from pancommons.store.engine import Database
from tests.catalogue.exchange.test_panosc import AT, got

VERSION_3: dict[str, Any] = {
    "pid": "20.500/raw", "type": "raw", "owner": "Ada L;Bo M", "orcidOfOwner": "0000-0002-1825-0097",
    "ownerGroup": "p1", "contactEmail": "a@b.c", "sourceFolder": "/data/p1/", "size": 12, "numberOfFiles": 2,
    "creationTime": "2020-05-05T15:01:02.341Z", "endTime": "2020-05-05T16:00:00Z", "creationLocation": "/ESS/LoKI",
    "principalInvestigator": "Cy N", "keywords": ["foam"], "description": "We look.", "datasetName": "Foam",
    "license": "CC-BY-4.0", "isPublished": True, "proposalId": "p1", "sampleId": "s1", "instrumentId": "i1",
    "techniques": [{"pid": "https://purl.org/pan-science/PaNET/PaNET01189", "name": "SANS"}],
    "scientificMetadata": {
        "temperature": {"value": 20, "unit": "celsius", "valueSI": 293.15, "unitSI": "K"},
        "detector": {"distance": {"value": 2.5, "unit": "m", "type": "measurement"}, "mode": "fast"},
        "angles": [1, 2.5], "good": True, "nothing": None,
    },
    "origdatablocks": [{
        "chkAlg": "sha256",
        "dataFileList": [
            {"path": "a.h5", "size": 5, "time": "2020-05-05T15:01:02Z", "chk": "a" * 64},
            {"path": "/other/b.h5", "size": 7},
        ],
    }],
}  # fmt: skip
VERSION_4: dict[str, Any] = {
    "pid": "20.500/derived", "type": "derived", "creationTime": "2021-01-01T00:00:00Z", "datasetName": "Fit",
    "isPublished": False, "datasetlifecycle": {"dateOfPublishing": "2030-01-01T00:00:00Z"},
    "principalInvestigators": ["Cy N"], "proposalIds": ["p1"], "sampleIds": ["s1", "s2"], "instrumentIds": ["i1"],
    "inputDatasets": ["20.500/raw"], "relationships": [{"pid": "20.500/all", "relationship": "IsPartOf"}],
}  # fmt: skip


def bring(database: Database, file: Path, value: Any) -> Report:
    file.write_text(json.dumps(value))
    return import_file(database, file, of="scicat", policy=read_policy(), by=LOCAL_USER, at=AT)


def test_datasets_of_both_versions(database: Database, tmp_path: Path) -> None:
    report = bring(database, tmp_path / "a.json", [VERSION_3, VERSION_4])
    assert report.refusals == []
    assert recognise(tmp_path / "a.json") == "scicat"
    raw = got(database, "dataset", "20.500/raw", LOCAL_USER)
    assert isinstance(raw, Dataset)
    assert (raw.kind, raw.title, raw.summary, raw.size) == ("raw", "Foam", "We look.", 12)
    assert (raw.instrument, raw.documents, raw.samples) == ("i1", ("p1",), ("s1",))
    assert raw.techniques == ("http://purl.org/pan-science/PaNET/PaNET01189",)
    assert [(one.path, one.size, one.sha256) for one in raw.files] == [
        ("data/p1/a.h5", 5, "a" * 64), ("other/b.h5", 7, None),
    ]  # fmt: skip
    values = {one.name: (one.value, one.unit) for one in raw.parameters}
    assert values == {
        "temperature": (20, "celsius"), "detector.distance": (2.5, "m"), "detector.mode": ("fast", None),
        "angles": ("[1, 2.5]", None), "good": ("true", None), "nothing": (None, None),
    }  # fmt: skip
    assert [(one.person.full_name, one.role, one.person.orcid) for one in raw.members if one.person] == [
        ("Cy N", "principal investigator", None), ("Ada L", "owner", "0000-0002-1825-0097"), ("Bo M", "owner", None),
    ]  # fmt: skip
    derived = got(database, "dataset", "20.500/derived", LOCAL_USER)
    assert derived.kind == "processed" and derived.terms.open_from == datetime(2030, 1, 1, tzinfo=UTC)
    assert derived.relations == (
        Relation(kind="derived from", target="20.500/raw"), Relation(kind="part of", target="20.500/all"),
    )  # fmt: skip
    assert got(database, "dataset", "20.500/raw") is not None
    assert got(database, "dataset", "20.500/derived") is None
    instrument = got(database, "instrument", "i1", LOCAL_USER)
    assert (instrument.name, instrument.facility) == ("LoKI", "ESS")
    again = bring(database, tmp_path / "a.json", [VERSION_3, VERSION_4])
    assert (again.added, again.changed, again.refused) == (0, 0, 0)


def test_what_stands_beside_a_dataset_belongs_to_it(database: Database, tmp_path: Path) -> None:
    bare = {key: value for key, value in VERSION_3.items() if key != "origdatablocks"}
    whole = {
        "datasets": [bare],
        "origdatablocks": [{"datasetId": "20.500/raw", "dataFileList": [{"path": "c.h5"}]}],
        "instruments": [{"pid": "i1", "name": "LoKI!", "customMetadata": {"facility": "ESS"}}],
        "proposals": [{"proposalId": "p1", "title": "Foams", "abstract": "Why.", "pi_firstname": "Cy",
                       "pi_lastname": "N", "pi_email": "c@n.x", "email": "c@n.x", "startTime": "2020-05-01"}],
        "samples": [{"sampleId": "s1", "description": "wet foam", "isPublished": True}],
        "publishedData": [{"doi": "10.1/paper", "title": "On foam", "creator": ["Cy N"], "publicationYear": 2021,
                           "pidArray": ["20.500/raw"], "abstract": "Foam is wet."}],
    }  # fmt: skip
    assert bring(database, tmp_path / "a.json", whole).refusals == []
    raw = got(database, "dataset", "20.500/raw", LOCAL_USER)
    assert raw.documents == ("10.1/paper", "p1")
    assert [one.path for one in raw.files] == ["data/p1/c.h5"]
    paper = got(database, "document", "10.1/paper")
    assert paper.release_date == datetime(2021, 1, 1, tzinfo=UTC) and paper.members[0].person.full_name == "Cy N"
    assert got(database, "instrument", "i1").name == "LoKI!"
    proposal = got(database, "document", "p1", LOCAL_USER)
    assert (proposal.title, proposal.members[0].person.last_name) == ("Foams", "N")
    assert got(database, "sample", "s1").name == "wet foam"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({**VERSION_3, "type": "imagined"}, "neither raw, derived nor simulated"),
        ({**VERSION_3, "creationTime": None}, "has no creationTime"),
        ({**VERSION_3, "scientificMetadata": {"t": {"value": 1e999}}}, "finite"),
        ({"datasetId": "20.500/gone", "dataFileList": []}, "has no dataset 20.500/gone"),
        ({"what": 1}, "is none of SciCat's"),
    ],
)
def test_what_is_not_as_it_must_be_is_refused(database: Database, tmp_path: Path, value: Any, reason: str) -> None:
    text = json.dumps([value, VERSION_4]).replace("Infinity", "1e999")
    (tmp_path / "a.json").write_text(text)
    report = import_file(database, tmp_path / "a.json", of="scicat", policy=read_policy(), by=LOCAL_USER, at=AT)
    assert [reason in one.reason for one in report.refusals] == [True]
    assert got(database, "dataset", "20.500/derived", LOCAL_USER) is not None


def test_deep_metadata_is_refused(database: Database, tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    report = bring(database, tmp_path / "a.json", [{**VERSION_3, "scientificMetadata": deep}])
    assert "nested more than" in report.refusals[0].reason
    (tmp_path / "b.json").write_text('[{"datasetName": ' * 60_000)
    with pytest.raises(BadInput, match="nested too deeply"):
        import_file(database, tmp_path / "b.json", policy=read_policy(), by=LOCAL_USER, at=AT)


def test_nobody_sees_what_was_not_published(database: Database, tmp_path: Path) -> None:
    bring(database, tmp_path / "a.json", [{**VERSION_3, "isPublished": False}])
    for kind, pid in (("dataset", "20.500/raw"), ("sample", "s1"), ("document", "p1")):
        assert got(database, kind, pid, ANONYMOUS) is None
