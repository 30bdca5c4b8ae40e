"""Where the models of the search API lie in the tables of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from pancommons.catalogue.parts import affiliations, files, members, parameters, persons
from pancommons.catalogue.tables import (
    TEXTS,
    dataset_documents,
    dataset_samples,
    dataset_techniques,
    datasets,
    documents,
    instruments,
    samples,
    techniques,
)
from pancommons.store.text import TextIndex

TABLES: Mapping[str, sa.Table] = {
    "Dataset": datasets,
    "Document": documents,
    "Instrument": instruments,
    "File": files,
    "Sample": samples,
    "Technique": techniques,
    "Parameter": parameters,
    "Member": members,
    "Person": persons,
    "Affiliation": affiliations,
}

TEXT_INDEXES: Mapping[str, TextIndex] = {
    "Dataset": TEXTS["dataset"],
    "Document": TEXTS["document"],
    "Instrument": TEXTS["instrument"],
    "Sample": TEXTS["sample"],
}

COLUMNS: Mapping[tuple[str, str], str] = {
    ("Dataset", "creationDate"): "creation_date",
    ("Document", "startDate"): "start_date",
    ("Document", "endDate"): "end_date",
    ("Document", "releaseDate"): "release_date",
    ("File", "id"): "identifier",
    ("Person", "id"): "pid",
    ("Person", "fullName"): "full_name",
    ("Person", "firstName"): "first_name",
    ("Person", "lastName"): "last_name",
    ("Person", "researcherId"): "researcher_id",
    ("Affiliation", "id"): "pid",
}
"""Columns that are not called as their fields."""

NUMBERED = frozenset({"Parameter", "Member"})
"""Models whose identifier is a number of ours, shown as a text."""


@dataclass(frozen=True)
class Link:
    """How a relation joins: ``parent.near = child.far``, or by a table between them that has both keys."""

    near: str
    far: str
    through: sa.Table | None = None


LINKS: Mapping[tuple[str, str], Link] = {
    ("Dataset", "documents"): Link("dataset_id", "document_id", dataset_documents),
    ("Dataset", "document"): Link("dataset_id", "document_id", dataset_documents),
    ("Dataset", "techniques"): Link("dataset_id", "technique_id", dataset_techniques),
    ("Dataset", "samples"): Link("dataset_id", "sample_id", dataset_samples),
    ("Dataset", "instrument"): Link("instrument_id", "id"),
    ("Dataset", "files"): Link("id", "dataset_id"),
    ("Dataset", "parameters"): Link("id", "dataset_id"),
    ("Document", "datasets"): Link("document_id", "dataset_id", dataset_documents),
    ("Document", "members"): Link("id", "document_id"),
    ("Document", "parameters"): Link("id", "document_id"),
    ("Instrument", "datasets"): Link("id", "instrument_id"),
    ("File", "dataset"): Link("dataset_id", "id"),
    ("Sample", "datasets"): Link("sample_id", "dataset_id", dataset_samples),
    ("Technique", "datasets"): Link("technique_id", "dataset_id", dataset_techniques),
    ("Parameter", "dataset"): Link("dataset_id", "id"),
    ("Parameter", "document"): Link("document_id", "id"),
    ("Member", "document"): Link("document_id", "id"),
    ("Member", "person"): Link("person_id", "id"),
    ("Member", "affiliation"): Link("affiliation_id", "id"),
    ("Person", "members"): Link("id", "person_id"),
    ("Affiliation", "members"): Link("id", "affiliation_id"),
}
