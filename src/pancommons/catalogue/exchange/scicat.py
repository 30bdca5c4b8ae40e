"""SciCat's JSON: datasets with their blocks of files, instruments, proposals, samples, published data.

Fields are called as in its version 3 or 4. A file is a list of any of these, or an object of such lists, or one
such object; blocks of files may stand inside their dataset or beside it. Source: the data transfer objects of
SciCatProject/scicat-backend-next.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Parameter,
    Person,
    Relation,
    Sample,
    Technique,
)
from pancommons.store.engine import Database

SECTIONS = ("instruments", "proposals", "samples", "publishedData", "origdatablocks", "datasets")
_KINDS: Mapping[str, Any] = {"raw": "raw", "derived": "processed", "processed": "processed", "simulated": "simulated"}
_RELATIONS: Mapping[str, Any] = {
    "derived from": "derived from", "isderivedfrom": "derived from", "part of": "part of", "ispartof": "part of",
    "in collection": "in collection", "iscollectedby": "in collection",
}  # fmt: skip
_DEEPEST = 20


def import_scicat(
    database: Database,
    file: Path,
    *,
    policy: Policy,
    by: Principal,
    at: datetime,
    show: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Put all of a file of SciCat's JSON into the catalogue; again is no change.

    Raises
    ------
    BadInput
        If the file is no JSON, or none of these. What came before the fault is in the catalogue.
    """
    return bring_in(database, read_scicat(file, at), policy=policy, by=by, at=at, show=show)


@dataclass
class _Beside:
    """What stands beside datasets and belongs to them, by their PID."""

    blocks: dict[str, list[Fields]] = field(default_factory=lambda: defaultdict(list))
    publications: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def read_scicat(file: Path, at: datetime) -> Iterator[Arrival | Refusal]:
    """Give what a file tells of; it is read three times, as datasets come last and know what stands beside them."""
    beside, used = _Beside(), set()
    for place, value in values(file, SECTIONS):
        if isinstance(value, dict):
            _collect(Fields(value, place), beside)
    for last in (False, True):
        for place, value in values(file, SECTIONS):
            kind = place.partition("[")[0] or _kind_of(value)
            if kind == "origdatablocks" or (kind == "datasets") is not last:
                continue
            if kind not in _READERS:
                yield Refusal(place, f"{place}: is none of SciCat's datasets, proposals, samples, instruments, blocks.")
                continue
            if last and isinstance(value, dict):
                used.add(str(value.get("pid")))
            yield from guarded(place, partial(_made, kind, value, place, at, beside))
    for pid, blocks in beside.blocks.items():
        if pid not in used:
            place = blocks[0].place
            yield Refusal(place, f"{place}: the file has no dataset {pid}; put it into one file with its blocks.")


def _collect(given: Fields, beside: _Beside) -> None:
    if given.has("dataFileList") and isinstance(given.values.get("datasetId"), str):
        beside.blocks[given.values["datasetId"]].append(given)
    doi, listed = given.values.get("doi"), given.values.get("datasetPids") or given.values.get("pidArray")
    if isinstance(doi, str) and isinstance(listed, list):
        for pid in listed:
            if isinstance(pid, str):
                beside.publications[pid].append(doi)


def _kind_of(value: object) -> str:
    """Tell what an object is by fields that only one of them has."""
    if not isinstance(value, dict):
        return ""
    for kind, names in (
        ("origdatablocks", {"dataFileList"}),
        ("datasets", {"pid", "creationTime"}),
        ("datasets", {"sourceFolder"}),
        ("publishedData", {"doi"}),
        ("samples", {"sampleId"}),
        ("proposals", {"proposalId"}),
        ("instruments", {"pid", "name"}),
    ):
        if names <= value.keys():
            return kind
    return ""


def _made(kind: str, value: object, place: str, at: datetime, beside: _Beside) -> Iterator[Arrival]:
    yield from _READERS[kind](Fields.of(value, place), at, beside)


def _dataset(given: Fields, at: datetime, beside: _Beside) -> Iterator[Arrival]:
    pid, since = given.needed("pid"), given.moment("creationTime")
    if since is None:
        raise BadInput("has no creationTime", field=given.place, remedy="give it one")
    kind = _KINDS.get((given.name("type") or "raw").lower())
    if kind is None:
        raise BadInput("is neither raw, derived nor simulated", field=f"{given.place}.type")
    public = given.truth("isPublished")
    lifecycle = given.one("datasetlifecycle")
    proposals, samples = given.names("proposalIds", "proposalId"), given.names("sampleIds", "sampleId")
    instruments = given.names("instrumentIds", "instrumentId")
    techniques = [_technique(one) for one in given.many("techniques")]
    proposal = proposals[0] if len(proposals) == 1 else None
    under = terms(
        public, since, at, opens=lifecycle.moment("dateOfPublishing") if lifecycle else None, proposal=proposal
    )
    yield from _beside_it(given, at, beside, proposals, samples, instruments, public is True)
    for one in techniques:
        yield Arrival(one, given.place, mentioned=True)
    yield Arrival(
        Dataset(
            pid=pid,
            kind=kind,
            title=given.name("datasetName") or pid,
            summary=given.text("description"),
            creation_date=since,
            end_date=given.moment("endTime"),
            size=given.count("size"),
            license=given.name("license"),
            instrument=instruments[0] if instruments else None,
            documents=tuple(dict.fromkeys((*proposals, *beside.publications.get(pid, ())))),
            techniques=tuple(dict.fromkeys(one.pid for one in techniques)),
            samples=samples,
            parameters=tuple(_parameters(given)),
            keywords=given.names("keywords"),
            members=tuple(_members(given, public is True)),
            files=each_once(_files(given, [*given.many("origdatablocks"), *beside.blocks.get(pid, ())])),
            relations=tuple(dict.fromkeys(_relations(given))),
            remarks={"title": "its identifier"} if given.name("datasetName") is None else None,
            terms=under,
        ),
        given.place,
    )


def _beside_it(
    given: Fields,
    at: datetime,
    beside: _Beside,
    proposals: tuple[str, ...],
    samples: tuple[str, ...],
    instruments: tuple[str, ...],
    public: bool,
) -> Iterator[Arrival]:
    """Mention what the dataset names: in full where it was included, by its identifier where not."""
    for kind, names in (
        ("instruments", ("instruments", "instrument")),
        ("proposals", ("proposals", "proposal")),
        ("samples", ("samples", "sample")),
    ):
        for name in names:
            listed = given.values.get(name)
            several = given.many(name) if isinstance(listed, list) else filter(None, [given.one(name)])
            for one in several:
                for arrival in _READERS[kind](one, at, beside):
                    yield Arrival(arrival.thing, one.place, mentioned=True)
    for pid in instruments[:1]:
        parts = [part for part in (given.name("creationLocation") or "").split("/") if part]
        name, facility = (parts[-1], parts[-2]) if len(parts) > 1 else (pid, "unknown")
        yield Arrival(Instrument(pid=pid, name=name, facility=facility), given.place, mentioned=True)
    for pid in proposals:
        yield Arrival(Document(pid=pid, type="proposal", title=pid), given.place, mentioned=True)
    for pid in samples:
        under = terms(public, None, at, proposal=proposals[0] if len(proposals) == 1 else None)
        yield Arrival(Sample(pid=pid, name=pid, terms=under), given.place, mentioned=True)


def _instrument(given: Fields, at: datetime, beside: _Beside) -> Iterator[Arrival]:
    more = given.one("customMetadata")
    facility = (more.name("facility", "institute") if more else None) or given.name("facility") or "unknown"
    yield Arrival(
        Instrument(
            pid=given.needed("pid"),
            name=given.needed("name", "uniqueName"),
            facility=facility,
            description=more.text("description") if more else None,
        ),
        given.place,
    )


def _proposal(given: Fields, at: datetime, beside: _Beside) -> Iterator[Arrival]:
    start, public = given.moment("startTime"), given.truth("isPublished")
    people = []
    for role, first, last, email in (
        ("principal investigator", "pi_firstname", "pi_lastname", "pi_email"),
        ("proposer", "firstname", "lastname", "email"),
    ):
        name = " ".join(filter(None, (given.name(first), given.name(last))))
        if name:
            person = Person(
                pid=given.name(email) or name, full_name=name, first_name=given.name(first), last_name=given.name(last)
            )
            people.append(Member(person=person, role=role, public=public is True))
    yield Arrival(
        Document(
            pid=given.needed("proposalId"),
            type="proposal",
            title=given.name("title") or given.needed("proposalId"),
            summary=given.text("abstract"),
            start_date=start,
            end_date=given.moment("endTime"),
            members=tuple(people),
            terms=terms(public, start, at),
        ),
        given.place,
    )


def _sample(given: Fields, at: datetime, beside: _Beside) -> Iterator[Arrival]:
    pid, traits = given.needed("sampleId"), given.one("sampleCharacteristics")
    name = (traits.name("name") if traits else None) or given.name("description") or pid
    described = given.text("description")
    yield Arrival(
        Sample(
            pid=pid,
            name=name,
            description=described if described != name else None,
            terms=terms(given.truth("isPublished"), None, at, proposal=given.name("proposalId")),
        ),
        given.place,
    )


def _published(given: Fields, at: datetime, beside: _Beside) -> Iterator[Arrival]:
    """Read published data; version 4 keeps most of it under ``metadata``."""
    more = given.one("metadata") or given
    year = more.count("publicationYear") or given.count("publicationYear")
    release = given.moment("registeredTime")
    if release is None and year is not None and 1 <= year <= 9999:
        release = datetime(year, 1, 1, tzinfo=UTC)
    listed = more.values.get("creators") or given.values.get("creator") or given.values.get("authors")
    several = listed if isinstance(listed, list) else [listed]
    names = [one.get("name") if isinstance(one, dict) else one for one in several]
    creators = Fields({"creator": names}, given.place).names("creator")
    yield Arrival(
        Document(
            pid=given.needed("doi"),
            type="publication",
            title=given.needed("title"),
            summary=given.text("abstract") or more.text("abstract"),
            doi=given.name("doi"),
            release_date=release,
            members=tuple(Member(person=_named(one), role="creator", public=True) for one in creators),
            terms=terms(True, release, at),
        ),
        given.place,
    )


_READERS: dict[str, Callable[[Fields, datetime, _Beside], Iterator[Arrival]]] = {
    "instruments": _instrument,
    "proposals": _proposal,
    "samples": _sample,
    "publishedData": _published,
    "datasets": _dataset,
}


def _technique(given: Fields) -> Technique:
    pid = technique_pid(given.name("pid"))
    return Technique(pid=pid or given.needed("pid"), name=given.name("name") or given.needed("pid"))


def _parameters(given: Fields) -> Iterator[Parameter]:
    metadata = given.one("scientificMetadata")
    if metadata is not None:
        yield from _quantities(metadata, "", 0)


def _quantities(given: Fields, before: str, depth: int) -> Iterator[Parameter]:
    """Read metadata that may be nested: what has a value is one parameter, what lies deeper has a path for a name."""
    if depth > _DEEPEST:
        raise BadInput(f"is nested more than {_DEEPEST} deep", field=given.place)
    for key, value in given.values.items():
        name = Fields({"name": f"{before}{key}"}, given.place).needed("name")
        here = Fields({}, f"{given.place}.{key}")
        if isinstance(value, dict) and "value" in value:
            told = Fields(value, here.place)
            yield parameter_of(here, name, _plain(value["value"]), told.name("unit"))
        elif isinstance(value, dict):
            yield from _quantities(Fields(value, here.place), f"{name}.", depth + 1)
        else:
            yield parameter_of(here, name, _plain(value), None)


def _plain(value: object) -> object:
    """Write a list out as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _members(given: Fields, public: bool) -> Iterator[Member]:
    named = given.names("principalInvestigators", "principalInvestigator", "investigator")
    for name in named:
        yield Member(person=_named(name), role="principal investigator", public=public)
    owner, orcid = given.name("owner"), given.name("orcidOfOwner")
    for place, name in enumerate((owner or "").split(";")):
        known = (orcid or "").split(";")
        its = known[place].strip() if place < len(known) else ""
        if name.strip() and name.strip() not in named:
            yield Member(person=_named(name.strip(), its or None), role="owner", public=public)


def _named(name: str, orcid: str | None = None) -> Person:
    return Person(pid=orcid or name, full_name=name, orcid=orcid)


def _files(given: Fields, blocks: list[Fields]) -> Iterator[File]:
    folder = given.text("sourceFolder") or ""
    for block in blocks:
        kind = (block.name("chkAlg") or "").lower().replace("-", "")
        for one in block.many("dataFileList"):
            path, digest = one.needed("path"), one.name("chk")
            whole = path if path.startswith("/") else f"{folder}/{path}"
            sha = digest if kind == "sha256" else None
            yield file_of(one, whole, size=one.count("size"), mtime=one.moment("time"), sha256=sha)


def _relations(given: Fields) -> Iterator[Relation]:
    for target in given.names("inputDatasets"):
        yield Relation(kind="derived from", target=target)
    for one in given.many("relationships"):
        kind = _RELATIONS.get((one.name("relationship") or "").lower())
        if kind is not None:
            yield Relation(kind=kind, target=one.needed("pid", "relatedIdentifier"))
