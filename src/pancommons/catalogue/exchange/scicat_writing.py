"""The catalogue as SciCat's JSON, version 4: an object of instruments, proposals, samples, datasets, published data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pancommons.catalogue.access import Principal
from pancommons.catalogue.exchange.leaving import Leaving, filled, leaving, moment, write_sections
from pancommons.catalogue.read import Found
from pancommons.catalogue.records import Dataset, Document, File, Instrument, Member, Sample
from pancommons.catalogue.tables import documents
from pancommons.store.engine import Database

_KINDS = {"raw": "raw", "processed": "derived", "simulated": "simulated"}
_LEADS = "principal investigator"


def export_scicat(
    database: Database,
    file: Path,
    *,
    principal: Principal,
    at: datetime,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write what somebody may have; return how many records."""
    with leaving(database, principal, at, show) as source:
        names = source.techniques()
        write_sections(
            file,
            [
                ("instruments", (_instrument(one) for one in source.found("instrument"))),
                ("proposals", _documents(source, proposals=True)),
                ("samples", (_sample(one, source) for one in source.found("sample"))),
                ("datasets", (one for page in source.pages("dataset") for one in _datasets(source, page, names))),
                ("publishedData", _documents(source, proposals=False)),
            ],
        )
        return source.count


def _instrument(found: Found) -> dict[str, Any]:
    one = found.record
    assert isinstance(one, Instrument)  # noqa: S101
    more = filled(facility=one.facility, description=one.description)
    return {"pid": one.pid, "uniqueName": one.pid, "name": one.name, "customMetadata": more}


def _documents(source: Leaving, *, proposals: bool) -> Iterator[dict[str, Any]]:
    type_ = documents.c.type
    for found in source.found("document", type_ == "proposal" if proposals else type_ != "proposal"):
        if isinstance(one := found.record, Document):
            yield _proposal(one, source.public(found)) if proposals else _published(one, source.datasets_of(found.id))


def _proposal(one: Document, public: bool) -> dict[str, Any]:
    lead = next((member.person for member in one.members if member.role == _LEADS and member.person), None)
    told = filled(
        proposalId=one.pid, title=one.title, abstract=one.summary, startTime=moment(one.start_date),
        endTime=moment(one.end_date), isPublished=public,
    )  # fmt: skip
    if lead is None:
        return told
    first, _, last = lead.full_name.rpartition(" ")
    return told | filled(pi_firstname=lead.first_name or first, pi_lastname=lead.last_name or last, pi_email=lead.pid)


def _published(one: Document, datasets: list[str]) -> dict[str, Any]:
    return filled(
        doi=one.doi or one.pid, title=one.title, abstract=one.summary, datasetPids=datasets,
        registeredTime=moment(one.release_date),
        metadata=filled(
            creators=[{"name": member.person.full_name} for member in one.members if member.person],
            publicationYear=one.release_date.year if one.release_date else None,
        ),
    )  # fmt: skip


def _sample(found: Found, source: Leaving) -> dict[str, Any]:
    one = found.record
    assert isinstance(one, Sample)  # noqa: S101
    return filled(
        sampleId=one.pid, description=one.description, sampleCharacteristics={"name": one.name},
        proposalId=one.terms.proposal, isPublished=source.public(found),
    )  # fmt: skip


def _datasets(source: Leaving, page: list[Found], names: dict[str, str]) -> Iterator[dict[str, Any]]:
    these = [(found, found.record) for found in page if isinstance(found.record, Dataset)]
    named = source.named("document", {pid for _, one in these for pid in one.documents})
    for found, one in these:
        proposals = [
            pid
            for pid in one.documents
            if isinstance(document := named.get(pid), Document) and document.type == "proposal"
        ]
        yield _dataset(one, source.public(found), found.public_from, names, proposals)


def _dataset(
    one: Dataset, public: bool, opens: datetime | None, names: dict[str, str], proposals: list[str]
) -> dict[str, Any]:
    owners = [member for member in one.members if member.role != _LEADS]
    return filled(
        pid=one.pid,
        type=_KINDS[one.kind],
        datasetName=one.title,
        description=one.summary,
        creationTime=moment(one.creation_date),
        endTime=moment(one.end_date),
        size=one.size,
        license=one.license,
        isPublished=public,
        datasetlifecycle=filled(dateOfPublishing=None if public else moment(opens)),
        sourceFolder="/",
        instrumentIds=[one.instrument] if one.instrument else [],
        proposalIds=proposals,
        sampleIds=list(one.samples),
        techniques=[{"pid": pid, "name": names[pid]} for pid in one.techniques],
        keywords=list(one.keywords),
        principalInvestigators=_names([member for member in one.members if member.role == _LEADS]),
        owner="; ".join(_names(owners)) or None,
        orcidOfOwner="; ".join(member.person.orcid or "" for member in owners if member.person).strip("; ") or None,
        scientificMetadata={
            parameter.name: filled(value=parameter.value, unit=parameter.unit) | {"value": parameter.value}
            for parameter in one.parameters
        },
        inputDatasets=[link.target for link in one.relations if link.kind == "derived from"],
        relationships=[
            {"pid": link.target, "relationship": link.kind} for link in one.relations if link.kind != "derived from"
        ],
        origdatablocks=[_block(one)] if one.files else [],
    )


def _names(members: list[Member]) -> list[str]:
    return [member.person.full_name for member in members if member.person]


def _block(one: Dataset) -> dict[str, Any]:
    return {
        "datasetId": one.pid,
        "size": sum(file.size or 0 for file in one.files),
        "chkAlg": "sha256",
        "dataFileList": [_file(file) for file in one.files],
    }


def _file(file: File) -> dict[str, Any]:
    return filled(path=f"{file.root}/{file.path}", size=file.size, time=moment(file.mtime), chk=file.sha256)
