"""From records to rows of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from pancommons.catalogue import parts
from pancommons.catalogue.identifiers import new_identifier
from pancommons.catalogue.policy import Opening, Policy
from pancommons.catalogue.records import Dataset, Document, Instrument, Parameter, Record, Sample, kind_of
from pancommons.catalogue.references import References
from pancommons.catalogue.tables import TEXTS, dataset_documents, dataset_samples, dataset_techniques
from pancommons.store.schema import floor
from pancommons.store.text import text_rows

Row = dict[str, Any]

_OWN_COLUMNS = {
    "dataset": ("kind", "title", "summary", "creation_date", "end_date", "size", "license"),
    "document": ("type", "title", "summary", "doi", "start_date", "end_date", "release_date", "license"),
    "instrument": ("name", "facility", "description"),
    "sample": ("name", "description"),
}


def digest(record: Record) -> str:
    """Digest all of a record, to know whether it changed."""
    return blake2b(repr(record).encode(), digest_size=16).hexdigest()


def data_class(record: Record) -> str:
    """Return a record's class in the data policy: that of its terms, else what it is."""
    if record.terms.data_class:
        return record.terms.data_class
    if isinstance(record, Dataset):
        return record.kind
    if isinstance(record, Document):
        return "proposal" if record.type == "proposal" else "publication"
    return kind_of(record)


def measured(record: Record, at: datetime) -> datetime:
    """Return the moment from which an embargo counts: of the measurement, the proposal's start, else now."""
    if isinstance(record, Dataset):
        return floor(record.creation_date)
    if isinstance(record, Document) and (first := record.release_date or record.start_date):
        return floor(first)
    return floor(at)


def opening(record: Record, policy: Policy, at: datetime) -> Opening:
    """Return from when on a new record is open."""
    terms = record.terms
    if not terms.fixed:
        return policy.opening(data_class(record), measured(record, at))
    policy.of(data_class(record))
    open_from = None if terms.open_from is None else floor(terms.open_from)
    discoverable = None if terms.discoverable_from is None else floor(terms.discoverable_from)
    if open_from is not None and (discoverable is None or discoverable > open_from):
        discoverable = open_from
    return Opening(open_from, discoverable)


def record_row(
    record: Record, key: int, sequence: int, old: Any, known: References, policy: Policy, at: datetime
) -> Row:
    """Make the row of a record.

    Parameters
    ----------
    key, sequence
        Its id, and its place among all changes.
    old
        The row it replaces: identifier, owner, policy and moments stay, unless the terms are fixed.
    """
    terms = record.terms
    proposal = None if terms.proposal is None else known.proposals[terms.proposal].id
    if isinstance(record, Document) and record.type == "proposal":
        proposal = key
    kept = old is not None and not terms.fixed
    opens = Opening(old.open_from, old.discoverable_from) if kept else opening(record, policy, at)
    row: Row = {
        "id": key,
        "identifier": new_identifier() if old is None else old.identifier,
        "pid": record.pid,
        "proposal_id": proposal,
        "owner": terms.owner if old is None else old.owner,
        "open_from": opens.open_from,
        "discoverable_from": opens.discoverable_from,
        "data_class": data_class(record) if not kept else old.data_class,
        "policy": policy.version if not kept else old.policy,
        "digest": digest(record),
        "created_at": at if old is None else old.created_at,
        "updated_at": at,
        "deleted_at": None,
        "sequence": sequence,
    }
    row |= {name: getattr(record, name) for name in _OWN_COLUMNS[kind_of(record)]}
    if isinstance(record, Dataset):
        row |= {
            "license": record.license or policy.of(data_class(record)).license,
            "instrument_id": known.instruments[record.instrument].id if record.instrument else None,
            "public_from": opens.open_from if old is None else old.public_from,
            "findable_from": opens.discoverable_from if old is None else old.findable_from,
            "lifted": False if old is None else old.lifted,
            "remarks": None if record.remarks is None else dict(record.remarks),
        }
    return row


def part_rows(record: Record, key: int, known: References, ids: Iterator[int]) -> Iterator[tuple[sa.Table, Row]]:
    """Make the rows of all that belongs to a record, each with its table."""
    kind = kind_of(record)
    for pid in dict.fromkeys(record.pids):
        yield parts.pids, {"kind": kind, "scheme": pid.scheme, "value": pid.value, "record_id": key}
    if isinstance(record, (Instrument, Sample)):
        return
    parent = {
        "dataset_id": key if kind == "dataset" else None,
        "document_id": key if kind == "document" else None,
    }
    for parameter in record.parameters:
        yield parts.parameters, {"id": next(ids), **parent, **_parameter(parameter)}
    for keyword in dict.fromkeys(record.keywords):
        yield parts.keywords, {"id": next(ids), **parent, "keyword": keyword}
    for member in record.members:
        yield (
            parts.members,
            {
                "id": next(ids),
                **parent,
                "person_id": known.persons[member.person.pid] if member.person else None,
                "affiliation_id": known.affiliations[member.affiliation.pid] if member.affiliation else None,
                "role": member.role,
                "public": member.public,
            },
        )
    if isinstance(record, Dataset):
        yield from _dataset_parts(record, key, known, ids)


def _dataset_parts(record: Dataset, key: int, known: References, ids: Iterator[int]) -> Iterator[tuple[sa.Table, Row]]:
    for table, column, pids, where in (
        (dataset_documents, "document_id", record.documents, known.documents),
        (dataset_samples, "sample_id", record.samples, known.samples),
        (dataset_techniques, "technique_id", record.techniques, known.techniques),
    ):
        for pid in dict.fromkeys(pids):
            yield table, {"dataset_id": key, column: where[pid].id}
    for file in record.files:
        place = (key, file.root, file.path)
        yield (
            parts.files,
            {
                "id": next(ids),
                "identifier": known.file_identifiers.get(place) or new_identifier(),
                "dataset_id": key,
                "root": file.root,
                "path": file.path,
                "name": file.name,
                "role": file.role,
                "size": file.size,
                "sha256": file.sha256,
                "mtime": file.mtime,
                "missing": file.missing,
            },
        )
    for link in dict.fromkeys(record.relations):
        target = known.targets.get(link.target)
        yield (
            parts.relations,
            {
                "id": next(ids),
                "dataset_id": key,
                "kind": link.kind,
                "target": link.target,
                "target_id": None if target is None else target.id,
            },
        )
    if picture := record.thumbnail:
        yield (
            parts.thumbnails,
            {
                "dataset_id": key,
                "media_type": picture.media_type,
                "width": picture.width,
                "height": picture.height,
                "content": picture.content,
            },
        )


def _parameter(parameter: Parameter) -> Row:
    text = parameter.value if isinstance(parameter.value, str) else None
    number = None if isinstance(parameter.value, str) or parameter.value is None else float(parameter.value)
    return {
        "name": parameter.name,
        "number": number,
        "text": text,
        "unit": parameter.unit,
        "si": parameter.si,
        "dimension": parameter.dimension,
        "original": parameter.original,
        "derived": parameter.derived,
    }


def searched_rows(dialect: str, record: Record, key: int, known: References) -> list[tuple[sa.Table, Row]]:
    """Make the rows of the text index, each with its table.

    Neither names of people nor those of samples are in a dataset's text: they may be protected where the
    dataset itself is not.
    """
    words: list[str | None]
    if isinstance(record, Dataset):
        words = [record.summary, *record.keywords, *(known.techniques[pid].name for pid in record.techniques)]
        if record.instrument:
            words.append(known.instruments[record.instrument].name)
        title, letters = record.title, [record.title]
    elif isinstance(record, Document):
        words = [record.summary, *record.keywords]
        title, letters = record.title, [record.title, record.summary or ""]
    elif isinstance(record, Instrument):
        words = [record.facility, record.description]
        title, letters = record.name, [record.name, record.facility]
    else:
        words = [record.description]
        title, letters = record.name, [record.name, record.description or ""]
    return text_rows(dialect, TEXTS[kind_of(record)], key, title, _joined(words), letters)


def _joined(words: list[str | None]) -> str:
    return " ".join(word for word in words if word)
