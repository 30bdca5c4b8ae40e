"""PaNOSC search JSON: what a search API answers, and the file that the reference server keeps its data in.

A file is a list of datasets, documents or instruments with what was included, or an object of such lists, or one
such object, or LoopBack's ``{"ids": ..., "models": ...}``. Source: the data model of the PaNOSC search API
(panosc-eu/search-api, doc/data-model.md).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal
from pancommons.catalogue.exchange.arriving import Arrival, Refusal, Report, bring_in, guarded
from pancommons.catalogue.exchange.fields import (
    Fields,
    each_once,
    file_of,
    parameter_of,
    technique_pid,
    terms,
)
from pancommons.catalogue.exchange.json_stream import values
from pancommons.catalogue.policy import Policy
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    Instrument,
    Member,
    Parameter,
    Person,
    Sample,
    Technique,
    Terms,
)
from pancommons.store.engine import Database

SECTIONS = ("instruments", "samples", "techniques", "documents", "datasets")


def import_panosc(
    database: Database,
    file: Path,
    *,
    policy: Policy,
    by: Principal,
    at: datetime,
    show: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Put all of a file of PaNOSC search JSON into the catalogue; again is no change.

    Raises
    ------
    BadInput
        If the file is no JSON, or none of these. What came before the fault is in the catalogue.
    """
    return bring_in(database, read_panosc(file, at), policy=policy, by=by, at=at, show=show)


def read_panosc(file: Path, at: datetime) -> Iterator[Arrival | Refusal]:
    """Give what a file tells of, in bounded memory but for LoopBack's form.

    Parameters
    ----------
    at
        The moment at which ``isPublic`` is taken to hold.
    """
    for place, value in values(file, SECTIONS):
        if isinstance(value, dict) and "models" in value:
            yield from _loopback(value["models"], at)
            continue
        kind = place.partition("[")[0] or _kind_of(value)
        if kind not in _READERS:
            yield Refusal(place, f"{place}: is neither a dataset, a document nor an instrument.")
            continue
        read = _READERS[kind]
        yield from guarded(place, partial(_made, read, value, place, at))


def _kind_of(value: object) -> str:
    """Tell what an object is by the fields that only one model must have."""
    if not isinstance(value, dict):
        return ""
    for kind, fields in (
        ("datasets", {"creationDate"}),
        ("documents", {"type", "title"}),
        ("instruments", {"facility"}),
        ("datasets", {"title"}),
    ):
        if fields <= value.keys():
            return kind
    return ""


def _dataset(given: Fields, at: datetime) -> Iterator[Arrival]:
    pid, public = given.needed("pid"), given.truth("isPublic")
    instrument, documents, samples, techniques = given.one("instrument"), _documents(given), [], []
    if instrument is not None:
        yield from _mention(_instrument(instrument, at))
    for document in documents:
        if document.has("title") and document.has("type"):
            yield from _mention(_document(document, at))
    proposals = [one.needed("pid") for one in documents if one.text("type") == "proposal"]
    proposal = proposals[0] if len(proposals) == 1 else None
    for sample in given.many("samples"):
        samples.append(sample.needed("pid"))
        yield Arrival(_sample_of(sample, terms(public, None, at, proposal=proposal)), sample.place, mentioned=True)
    for technique in given.many("techniques"):
        made = _technique_of(technique)
        techniques.append(made.pid)
        yield Arrival(made, technique.place, mentioned=True)
    since = given.moment("creationDate")
    if since is None:
        raise BadInput("has no creationDate", field=given.place, remedy="give it one")
    yield Arrival(
        Dataset(
            pid=pid,
            kind="raw",
            title=given.needed("title"),
            creation_date=since,
            size=given.count("size"),
            instrument=instrument.needed("pid") if instrument else given.name("instrumentId"),
            documents=tuple(dict.fromkeys([*(one.needed("pid") for one in documents), *given.names("documentId")])),
            techniques=tuple(dict.fromkeys(techniques)),
            samples=tuple(dict.fromkeys(samples)),
            parameters=tuple(map(_parameter, given.many("parameters"))),
            keywords=given.names("keywords"),
            files=each_once(
                file_of(one, one.text("path", "name") or "", size=one.count("size")) for one in given.many("files")
            ),
            terms=terms(public, since, at, proposal=proposal),
        ),
        given.place,
    )


def _documents(given: Fields) -> list[Fields]:
    single = given.one("document")
    return [*given.many("documents"), *([single] if single else [])]


def _document(given: Fields, at: datetime) -> Iterator[Arrival]:
    public, release = given.truth("isPublic"), given.moment("releaseDate")
    start = given.moment("startDate")
    yield Arrival(
        Document(
            pid=given.needed("pid"),
            type=given.needed("type"),
            title=given.needed("title"),
            summary=given.text("summary"),
            doi=given.name("doi"),
            start_date=start,
            end_date=given.moment("endDate"),
            release_date=release,
            license=given.name("license"),
            keywords=given.names("keywords"),
            members=tuple(_member(one, public is True) for one in given.many("members")),
            parameters=tuple(map(_parameter, given.many("parameters"))),
            terms=terms(public, release or start, at, opens=release),
        ),
        given.place,
    )
    for one in given.many("datasets"):
        if one.has("creationDate"):
            beside = [{"pid": given.needed("pid"), "type": given.text("type")}, *(d.values for d in _documents(one))]
            yield from _mention(_dataset(Fields({**one.values, "documents": beside}, one.place), at))


def _instrument(given: Fields, at: datetime) -> Iterator[Arrival]:
    made = Instrument(pid=given.needed("pid"), name=given.needed("name"), facility=given.needed("facility"))
    yield Arrival(made, given.place)
    for one in given.many("datasets"):
        if one.has("creationDate"):
            yield from _mention(_dataset(Fields({"instrumentId": made.pid, **one.values}, one.place), at))


def _sample(given: Fields, at: datetime) -> Iterator[Arrival]:
    yield from _lone_sample(given, Terms())


def _technique(given: Fields, at: datetime) -> Iterator[Arrival]:
    yield Arrival(_technique_of(given), given.place)


_READERS: dict[str, Callable[[Fields, datetime], Iterator[Arrival]]] = {
    "datasets": _dataset,
    "documents": _document,
    "instruments": _instrument,
    "samples": _sample,
    "techniques": _technique,
}


def _made(
    read: Callable[[Fields, datetime], Iterator[Arrival]], value: object, place: str, at: datetime
) -> Iterator[Arrival]:
    yield from read(Fields.of(value, place), at)


def _lone_sample(given: Fields, under: Terms) -> Iterator[Arrival]:
    yield Arrival(_sample_of(given, under), given.place)


def _mention(arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
    for one in arrivals:
        yield Arrival(one.thing, one.place, mentioned=True)


def _sample_of(given: Fields, under: Terms) -> Sample:
    return Sample(
        pid=given.needed("pid"), name=given.needed("name"), description=given.text("description"), terms=under
    )


def _technique_of(given: Fields) -> Technique:
    pid = technique_pid(given.name("panetId"), given.name("pid"))
    return Technique(pid=pid or given.needed("pid"), name=given.needed("name"))


def _parameter(given: Fields) -> Parameter:
    unit = "" if given.values.get("unit") == "" else given.name("unit")
    return parameter_of(given, given.needed("name"), given.values.get("value"), unit)


def _member(given: Fields, public: bool) -> Member:
    person, affiliation = given.one("person"), given.one("affiliation")
    return Member(
        person=_person(person) if person else None,
        affiliation=_affiliation(affiliation) if affiliation else None,
        role=given.name("role"),
        public=public,
    )


def _person(given: Fields) -> Person:
    name = given.name("fullName") or " ".join(filter(None, (given.name("firstName"), given.name("lastName"))))
    if not name:
        raise BadInput("has no fullName", field=given.place, remedy="give it one")
    orcid = given.name("orcid")
    return Person(
        pid=orcid if orcid and not given.name("id") else _qualified(given.needed("id"), name),
        full_name=name,
        first_name=given.name("firstName"),
        last_name=given.name("lastName"),
        orcid=orcid,
        researcher_id=given.name("researcherId"),
    )


def _affiliation(given: Fields) -> Affiliation:
    name = given.name("name")
    return Affiliation(
        pid=_qualified(given.needed("id", "name"), name or ""),
        name=name,
        address=given.text("address"),
        city=given.name("city"),
        country=given.name("country"),
    )


def _qualified(pid: str, name: str) -> str:
    """Add the name to what is a number: each facility counts from one."""
    return f"{name}#{pid}" if pid.isdigit() else pid


def _loopback(models: object, at: datetime) -> Iterator[Arrival | Refusal]:
    """Read the reference server's file: a model's objects are texts of JSON, and refer to each other by keys."""
    known = Fields.of(models, "models")
    rows: dict[str, list[Fields]] = defaultdict(list)
    for name in known.values:
        for key, text in Fields.of(known.values[name], f"models.{name}").values.items():
            place = f"models.{name}[{key}]"
            try:
                rows[name].append(Fields.of(json.loads(text) if isinstance(text, str) else text, place))
            except (ValueError, RecursionError):
                yield Refusal(place, f"{place}: is no JSON.")
            except BadInput as error:
                yield Refusal(place, str(error))
    joined = _Joined(rows)
    public = joined.public_samples()
    for one in rows["Sample"]:
        is_public = public.get(one.values.get("pid"))
        under = Terms() if is_public is None else terms(is_public, None, at)
        yield from guarded(one.place, partial(_lone_sample, one, under))
    for name, kind, more in (
        ("Technique", "techniques", {}),
        ("Instrument", "instruments", {}),
        ("Document", "documents", {"members": joined.members, "parameters": joined.of("Parameter", "documentId")}),
        (
            "Dataset",
            "datasets",
            {
                "parameters": joined.of("Parameter", "datasetId"),
                "files": joined.of("File", "datasetId"),
                "techniques": joined.through("DatasetTechnique", "techniqueId", "Technique"),
                "samples": joined.through("DatasetSample", "sampleId", "Sample"),
                "documents": joined.documents,
            },
        ),
    ):
        for one in rows[name]:
            whole = {**one.values, **{field: find(one.values.get("pid")) for field, find in more.items()}}
            read = _READERS[kind]
            yield from guarded(one.place, partial(_made, read, whole, one.place, at))


class _Joined:
    """The rows of LoopBack's models, found by what refers to them."""

    def __init__(self, rows: dict[str, list[Fields]]) -> None:
        self.rows = rows
        self._keys: dict[tuple[str, str], dict[Any, list[dict[str, Any]]]] = {}

    def of(self, model: str, key: str) -> Callable[[object], list[dict[str, Any]]]:
        """Return a function that gives the rows whose key leads to a PID."""
        index = self._keys.get((model, key))
        if index is None:
            index = self._keys[model, key] = defaultdict(list)
            for row in self.rows[model]:
                index[str(row.values.get(key))].append(dict(row.values))
        return lambda pid: index.get(str(pid), [])

    def through(self, table: str, key: str, model: str) -> Callable[[object], list[dict[str, Any]]]:
        """Return a function that gives the rows that a table of pairs leads to; BadInput comes of one not there."""
        pairs, targets = self.of(table, "datasetId"), self.of(model, "pid")
        return lambda pid: [(targets(pair.get(key)) or [{"pid": pair.get(key)}])[0] for pair in pairs(pid)]

    def documents(self, pid: object) -> list[dict[str, Any]]:
        """Return the documents of a dataset: by pairs, or by the older key ``documentId``."""
        keys = [row.get("documentId") for row in self.of("Dataset", "pid")(pid)]
        older = [(self.of("Document", "pid")(key) or [{"pid": key}])[0] for key in keys if key is not None]
        found = self.through("DocumentDataset", "documentId", "Document")(pid) or older
        return [{"pid": one.get("pid"), "type": one.get("type")} for one in found]

    def members(self, pid: object) -> list[dict[str, Any]]:
        """Return the members of a document with person and affiliation."""
        persons, institutes = self.of("Person", "id"), self.of("Affiliation", "id")
        return [
            {
                **row,
                "person": next(iter(persons(row.get("personId"))), None),
                "affiliation": next(iter(institutes(row.get("affiliationId"))), None),
            }
            for row in self.of("Member", "documentId")(pid)
        ]

    def public_samples(self) -> dict[object, bool]:
        """Say of each sample that a dataset has whether one of these is public."""
        found: dict[object, bool] = {}
        pairs = self.of("DatasetSample", "datasetId")
        for row in self.rows["Dataset"]:
            for pair in pairs(row.values.get("pid")):
                key = pair.get("sampleId")
                found[key] = found.get(key, False) or row.values.get("isPublic") is True
        return found
