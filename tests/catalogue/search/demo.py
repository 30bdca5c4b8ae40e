"""The demo data of the reference search server as records."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Parameter,
    Person,
    Record,
    Sample,
    Technique,
    Terms,
)
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load
from pancommons.store.engine import Database

OPEN = datetime(2020, 1, 1, tzinfo=UTC)


def load_demo(database: Database, file: Path) -> None:
    """Put a ``db.json`` (LoopBack's memory connector) into a catalogue, all of it open."""
    models = {
        name: [json.loads(one) for one in objects.values()]
        for name, objects in json.loads(file.read_text())["models"].items()
    }
    with database.write() as connection:
        put_techniques(connection, _techniques(models), by=LOCAL_USER, at=OPEN)
    load(database, _records(models), policy=read_policy(None), by=LOCAL_USER, at=OPEN)


def _techniques(models: dict[str, Any]) -> Iterator[Technique]:
    for one in models["Technique"]:
        yield Technique(pid=one.get("panetId", one["pid"]), name=one["name"])


def _records(models: dict[str, Any]) -> Iterator[Record]:
    for one in models["Instrument"]:
        yield Instrument(pid=one["pid"], name=one["name"], facility=one["facility"], terms=_terms(True))
    for one in models["Sample"]:
        yield Sample(pid=one["pid"], name=one["name"], description=one.get("description"), terms=_terms(True))
    for one in models["Document"]:
        yield Document(
            pid=one["pid"],
            type=one["type"],
            title=one["title"],
            summary=one.get("summary"),
            members=tuple(_members(models, one["pid"])),
            parameters=tuple(_parameters(models, "documentId", one["pid"])),
            terms=_terms(one["isPublic"]),
        )
    names = {one["pid"]: one.get("panetId", one["pid"]) for one in models["Technique"]}
    techniques = _links(models["DatasetTechnique"], "techniqueId")
    samples = _links(models["DatasetSample"], "sampleId")
    documents = _links(models.get("DocumentDataset", []), "documentId")
    for one in models["Dataset"]:
        pid = one["pid"]
        yield Dataset(
            pid=pid,
            kind="raw",
            title=one["title"],
            creation_date=datetime.fromisoformat(one["creationDate"]),
            instrument=one.get("instrumentId"),
            documents=tuple(documents[pid]) or ((one["documentId"],) if "documentId" in one else ()),
            techniques=tuple(names[technique] for technique in techniques[pid]),
            samples=tuple(samples[pid]),
            parameters=tuple(_parameters(models, "datasetId", pid)),
            files=tuple(
                File(root="demo", path=file["name"]) for file in models["File"] if file.get("datasetId") == pid
            ),
            terms=_terms(one["isPublic"]),
        )


def _terms(public: bool) -> Terms:
    return Terms(open_from=OPEN if public else None, discoverable_from=OPEN if public else None, fixed=True)


def _links(rows: list[dict[str, Any]], key: str) -> defaultdict[str, list[str]]:
    links = defaultdict(list)
    for row in rows:
        links[row["datasetId"]].append(row[key])
    return links


def _parameters(models: dict[str, Any], key: str, pid: str) -> Iterator[Parameter]:
    for one in models["Parameter"]:
        if one.get(key) == pid:
            yield parameter(one["name"], one["value"], one["unit"])


def _members(models: dict[str, Any], pid: str) -> Iterator[Member]:
    persons = {one["id"]: one for one in models["Person"]}
    affiliations = {one["id"]: one for one in models["Affiliation"]}
    for one in models["Member"]:
        if one.get("documentId") == pid:
            who, where = persons[one["personId"]], affiliations[one["affiliationId"]]
            yield Member(
                person=Person(pid=who["id"], full_name=who["fullName"]),
                affiliation=Affiliation(
                    pid=str(where["id"]), **{name: where.get(name) for name in ("name", "address", "city", "country")}
                ),
                role=one["role"],
                public=True,
            )
