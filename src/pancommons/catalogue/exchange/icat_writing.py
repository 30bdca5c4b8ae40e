"""The catalogue as an ICAT dump in YAML, chunk by chunk, as python-icat's ``icatingest`` reads it.

Proposals become investigations; what belongs to none (datasets without a proposal, other documents) has no place
there. PIDs stand in ``pid`` or, where ICAT has none, ``doi``. Source: python-icat 1.7, ``icat.dumpfile``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from pancommons.base.durable import replacing
from pancommons.catalogue.access import Principal
from pancommons.catalogue.exchange.leaving import Leaving, filled, leaving, moment
from pancommons.catalogue.read import Found
from pancommons.catalogue.records import Dataset, Document, Instrument, Member, Parameter, Record, Sample
from pancommons.catalogue.tables import documents
from pancommons.store.engine import Database

Chunk = dict[str, dict[str, dict[str, Any]]]

_TYPES = {"raw": "raw", "processed": "processed", "simulated": "simulated"}
_SAFE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SAFE):  # type: ignore[misc]
    """YAML without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write what stands in two places twice."""
        return True


def export_icat(
    database: Database,
    file: Path,
    *,
    principal: Principal,
    at: datetime,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write what somebody may have and ICAT has a place for; return how many records."""
    count = 0
    with (
        leaving(database, principal, at, show) as source,
        replacing(file) as beside,
        beside.open("w", encoding="utf-8") as stream,
    ):
        stream.write("%YAML 1.1\n# Generator: pan catalogue export\n")
        for records, chunk in _chunks(source):
            count += records
            yaml.dump(chunk, stream, Dumper=_Dumper, explicit_start=True, allow_unicode=True)
    return count


def _chunks(source: Leaving) -> Iterator[tuple[int, Chunk]]:
    facility = "unknown"
    for page in source.pages("instrument"):
        chunk, made = _instruments([one.record for one in page])
        facility = next(iter(chunk["facility"].values()))["name"]
        yield made, chunk
    writing = _Writing(source, facility)
    yield 0, writing.beginning()
    for page in source.pages("document", documents.c.type == "proposal"):
        yield writing.investigations(page)
    for page in source.pages("sample"):
        yield writing.samples(page)
    for page in source.pages("dataset"):
        yield writing.datasets(page)


def _instruments(records: list[Record]) -> tuple[Chunk, int]:
    chunk: Chunk = {"facility": {}, "instrument": {}}
    made = [one for one in records if isinstance(one, Instrument)]
    for one in made:
        chunk["facility"][_facility(one.facility)] = {"name": one.facility}
        chunk["instrument"][_key("Instrument", pid=one.pid)] = filled(
            name=one.name, pid=one.pid, description=one.description, facility=_facility(one.facility)
        )
    return chunk, len(made)


class _Writing:
    """Chunks that refer to those before them."""

    def __init__(self, source: Leaving, facility: str) -> None:
        self.source, self.facility, self.names = source, facility, source.techniques()

    def beginning(self) -> Chunk:
        """Return the chunk of what all others refer to."""
        where = {"facility": _facility(self.facility)}
        kinds = {_key("DatasetType", name=name): {"name": name, **where} for name in _TYPES.values()}
        return {
            "facility": {_facility(self.facility): {"name": self.facility}},
            "datasetType": kinds,
            "investigationType": {_key("InvestigationType", name="proposal"): {"name": "proposal", **where}},
            "technique": {_key("Technique", pid=pid): {"name": name, "pid": pid} for pid, name in self.names.items()},
        }

    def investigations(self, page: list[Found]) -> tuple[int, Chunk]:
        """Return proposals with their users; data of an investigation have one release date, the latest of all."""
        chunk: Chunk = {"user": {}, "parameterType": {}, "investigation": {}}
        opens = self.source.opens(page)
        for found in page:
            one = found.record
            if not isinstance(one, Document):
                continue
            for member in one.members:
                if member.person:
                    chunk["user"][_user(member)] = _user_out(member)
            chunk["investigation"][_investigation(one.pid)] = filled(
                name=one.pid, visitId="1", title=one.title, summary=one.summary, doi=one.pid,
                startDate=moment(one.start_date), endDate=moment(one.end_date),
                releaseDate=moment(opens[found.id]), facility=_facility(self.facility),
                type=_key("InvestigationType", name="proposal"),
                keywords=[{"name": word} for word in one.keywords],
                investigationUsers=[
                    filled(role=member.role or "member", user=_user(member)) for member in one.members if member.person
                ],
                parameters=[self._parameter(parameter, chunk) for parameter in one.parameters],
            )  # fmt: skip
        return len(page), chunk

    def samples(self, page: list[Found]) -> tuple[int, Chunk]:
        """Return samples; those of no proposal have no place."""
        made = [one.record for one in page if isinstance(one.record, Sample) and one.record.terms.proposal]
        return len(made), {
            "sample": {
                _key("Sample", pid=one.pid): filled(
                    name=one.name, pid=one.pid, investigation=_investigation(one.terms.proposal or "")
                )
                for one in made
            }
        }

    def datasets(self, page: list[Found]) -> tuple[int, Chunk]:
        """Return datasets with their files; those of no proposal have no place."""
        chunk: Chunk = {"parameterType": {}, "dataset": {}}
        made = [one.record for one in page if isinstance(one.record, Dataset) and one.record.terms.proposal]
        for one in made:
            chunk["dataset"][_key("Dataset", pid=one.pid)] = filled(
                name=one.title, complete=True, doi=one.pid, description=one.summary,
                startDate=moment(one.creation_date), endDate=moment(one.end_date), fileSize=one.size,
                type=_key("DatasetType", name=_TYPES[one.kind]),
                investigation=_investigation(one.terms.proposal or ""),
                sample=_key("Sample", pid=one.samples[0]) if one.samples else None,
                datasetInstruments=(
                    [{"instrument": _key("Instrument", pid=one.instrument)}] if one.instrument else []
                ),
                datasetTechniques=[{"technique": _key("Technique", pid=pid)} for pid in one.techniques],
                parameters=[self._parameter(parameter, chunk) for parameter in one.parameters],
                datafiles=[
                    filled(
                        name=file.name, location=f"/{file.root}/{file.path}", fileSize=file.size,
                        checksum=file.sha256, datafileModTime=moment(file.mtime),
                    )
                    for file in one.files
                ],
            )  # fmt: skip
        return len(made), chunk

    def _parameter(self, one: Parameter, chunk: Chunk) -> dict[str, Any]:
        number = isinstance(one.value, float)
        key = _key("ParameterType", name=one.name, units=one.unit or "N/A", values="number" if number else "text")
        chunk["parameterType"][key] = {
            "name": one.name, "units": one.unit or "N/A", "valueType": "NUMERIC" if number else "STRING",
            "facility": _facility(self.facility), "applicableToDataset": True, "applicableToInvestigation": True,
        }  # fmt: skip
        return filled(type=key, **({"numericValue": one.value} if number else {"stringValue": one.value}))


def _facility(name: str) -> str:
    return _key("Facility", name=name)


def _investigation(pid: str) -> str:
    return _key("Investigation", name=pid)


def _user(member: Member) -> str:
    return _key("User", name=member.person.pid if member.person else "")


def _user_out(member: Member) -> dict[str, Any]:
    person, institute = member.person, member.affiliation
    if person is None:
        return {}
    return filled(
        name=person.pid, fullName=person.full_name, givenName=person.first_name, familyName=person.last_name,
        orcidId=person.orcid, affiliation=institute.name if institute else None,
    )  # fmt: skip


def _key(bean: str, **attributes: str) -> str:
    """Write a key as python-icat writes unique keys: letters and digits, all else as ``=XX``."""
    return "_".join([bean, *(f"{name}-{_quoted(value)}" for name, value in attributes.items())])


def _quoted(text: str) -> str:
    return "".join(
        chr(code) if chr(code).isascii() and chr(code).isalnum() else f"={code:02X}" for code in text.encode()
    )
