"""The catalogue as PaNOSC search JSON: an object of instruments, documents and datasets with all that is included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pancommons.catalogue.access import Principal
from pancommons.catalogue.exchange.leaving import Leaving, filled, leaving, moment, write_sections
from pancommons.catalogue.read import Found
from pancommons.catalogue.records import Dataset, Document, Instrument, Member, Parameter, Record, Sample
from pancommons.store.engine import Database


def export_panosc(
    database: Database,
    file: Path,
    *,
    principal: Principal,
    at: datetime,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write what somebody may have as an object of instruments, documents and datasets; return how many records."""
    with leaving(database, principal, at, show) as source:
        names = source.techniques()
        write_sections(
            file,
            [
                ("instruments", (_instrument_out(one.record) for one in source.found("instrument"))),
                ("documents", (_document_out(one, source.public(one)) for one in source.found("document"))),
                ("datasets", (out for page in source.pages("dataset") for out in _datasets_out(source, page, names))),
            ],
        )
    return source.count


def _instrument_out(one: Record) -> dict[str, Any]:
    if not isinstance(one, Instrument):
        raise TypeError(one)
    return {"pid": one.pid, "name": one.name, "facility": one.facility}


def _document_out(found: Found, public: bool) -> dict[str, Any]:
    one = found.record
    if not isinstance(one, Document):
        raise TypeError(one)
    return filled(
        pid=one.pid, isPublic=public, type=one.type, title=one.title, summary=one.summary, doi=one.doi,
        startDate=moment(one.start_date), endDate=moment(one.end_date), releaseDate=moment(one.release_date),
        license=one.license, keywords=list(one.keywords),
        members=[_member_out(member) for member in one.members],
        parameters=[_parameter_out(parameter) for parameter in one.parameters],
    )  # fmt: skip


def _datasets_out(source: Leaving, page: list[Found], names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Write datasets with what they refer to beside them, looked up for all of them at once."""
    these = [(found, found.record) for found in page if isinstance(found.record, Dataset)]
    samples = source.named("sample", {pid for _, one in these for pid in one.samples})
    documents = source.named("document", {pid for _, one in these for pid in one.documents})
    instruments = source.named("instrument", {one.instrument for _, one in these if one.instrument})
    for found, one in these:
        yield filled(
            pid=one.pid, title=one.title, isPublic=source.public(found), creationDate=moment(one.creation_date),
            size=one.size,
            instrument=_instrument_out(instruments[one.instrument]) if one.instrument in instruments else None,
            documents=_types(one, documents),
            techniques=[{"pid": pid, "name": names[pid], "panetId": pid} for pid in one.techniques],
            samples=[_sample_out(samples[pid]) for pid in one.samples if pid in samples],
            parameters=[_parameter_out(parameter) for parameter in one.parameters],
            files=[
                filled(id=file.identifier, name=file.name, path=file.path, size=file.size) for file in one.files
            ],
        )  # fmt: skip


def _types(dataset: Dataset, documents: dict[str, Record]) -> list[dict[str, Any]]:
    known = ((pid, documents.get(pid)) for pid in dataset.documents)
    return [{"pid": pid, "type": one.type} for pid, one in known if isinstance(one, Document)]


def _sample_out(one: Record) -> dict[str, Any]:
    if not isinstance(one, Sample):
        raise TypeError(one)
    return filled(pid=one.pid, name=one.name, description=one.description)


def _parameter_out(one: Parameter) -> dict[str, Any]:
    value = {"name": one.name, "value": one.value}
    return value if one.unit is None else {**value, "unit": one.unit}


def _member_out(one: Member) -> dict[str, Any]:
    who, where = one.person, one.affiliation
    person = who and filled(
        id=who.pid, fullName=who.full_name, firstName=who.first_name, lastName=who.last_name, orcid=who.orcid,
        researcherId=who.researcher_id,
    )  # fmt: skip
    institute = where and filled(
        id=where.pid, name=where.name, address=where.address, city=where.city, country=where.country
    )
    return filled(role=one.role, person=person, affiliation=institute)
