"""The tables of what belongs to a record and shares its fate: parameters, files, people, relations, pictures."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pancommons.store.schema import METADATA, Instant, Key, Text


def _of_dataset(*, primary_key: bool = False) -> sa.Column[Any]:
    return sa.Column(
        "dataset_id",
        Key,
        sa.ForeignKey("datasets.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
        autoincrement=False,
    )


def _of_either() -> list[Any]:
    return [
        sa.Column("dataset_id", Key, sa.ForeignKey("datasets.id", ondelete="CASCADE")),
        sa.Column("document_id", Key, sa.ForeignKey("documents.id", ondelete="CASCADE")),
        sa.CheckConstraint("(dataset_id IS NULL) <> (document_id IS NULL)", name="one_parent"),
    ]


def _id() -> sa.Column[Any]:
    return sa.Column("id", Key, primary_key=True, autoincrement=False)


parameters = sa.Table(
    "parameters",
    METADATA,
    _id(),
    *_of_either(),
    sa.Column("name", Text, nullable=False),
    sa.Column("number", sa.Double, comment="as given, in `unit`; none for a text"),
    sa.Column("text", Text, comment="as given; none for a number"),
    sa.Column("unit", Text),
    sa.Column("si", sa.Double, comment="the number in the SI base units of `dimension`"),
    sa.Column("dimension", Text, comment="SI base units, such as kg*m^2/s^2; empty for a pure number"),
    sa.Column("original", Text, comment="what the file said, where that is written otherwise"),
    sa.Column("derived", sa.Boolean, nullable=False, comment="computed by us from another value"),
    sa.CheckConstraint("number IS NULL OR text IS NULL", name="number_or_text"),
)
sa.Index("ix_parameters_dataset", parameters.c.dataset_id, parameters.c.name, parameters.c.si)
sa.Index(
    "ix_parameters_document",
    parameters.c.document_id,
    parameters.c.name,
    sqlite_where=parameters.c.document_id.is_not(None),
    postgresql_where=parameters.c.document_id.is_not(None),
)
sa.Index("ix_parameters_si", parameters.c.name, parameters.c.dimension, parameters.c.si, parameters.c.dataset_id)
sa.Index("ix_parameters_number", parameters.c.name, parameters.c.number, parameters.c.dataset_id)
sa.Index(
    "ix_parameters_text",
    parameters.c.name,
    parameters.c.text,
    parameters.c.dataset_id,
    sqlite_where=parameters.c.text.is_not(None),
).ddl_if(dialect="sqlite")
sa.Index(
    "ix_parameters_text_hash",
    parameters.c.text,
    postgresql_using="hash",  # texts may be longer than an ordered index takes
    postgresql_where=parameters.c.text.is_not(None),
).ddl_if(dialect="postgresql")

keywords = sa.Table("keywords", METADATA, _id(), *_of_either(), sa.Column("keyword", Text, nullable=False, index=True))
sa.Index("ix_keywords_dataset", keywords.c.dataset_id)
sa.Index("ix_keywords_document", keywords.c.document_id)

files = sa.Table(
    "files",
    METADATA,
    _id(),
    sa.Column("identifier", Text, nullable=False, unique=True),
    _of_dataset(),
    sa.Column("root", Text, nullable=False, comment="which configured data root"),
    sa.Column("path", Text, nullable=False, comment="relative to the root, with slashes"),
    sa.Column("name", Text, nullable=False),
    sa.Column("role", Text, nullable=False, comment="data, or linked where another file needs it"),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha256", Text),
    sa.Column("mtime", Instant),
    sa.Column("missing", sa.Boolean, nullable=False),
    sa.UniqueConstraint("dataset_id", "root", "path"),
)
sa.Index("ix_files_place", files.c.root, files.c.path)
sa.Index("ix_files_sha256", files.c.sha256)

persons = sa.Table(
    "persons",
    METADATA,
    _id(),
    sa.Column("pid", Text, nullable=False, unique=True),
    sa.Column("full_name", Text, nullable=False),
    sa.Column("first_name", Text),
    sa.Column("last_name", Text),
    sa.Column("orcid", Text, index=True),
    sa.Column("researcher_id", Text),
)
affiliations = sa.Table(
    "affiliations",
    METADATA,
    _id(),
    sa.Column("pid", Text, nullable=False, unique=True),
    sa.Column("name", Text),
    sa.Column("address", Text),
    sa.Column("city", Text),
    sa.Column("country", Text),
)
members = sa.Table(
    "members",
    METADATA,
    _id(),
    *_of_either(),
    sa.Column("person_id", Key, sa.ForeignKey("persons.id"), index=True),
    sa.Column("affiliation_id", Key, sa.ForeignKey("affiliations.id"), index=True),
    sa.Column("role", Text),
    sa.Column("public", sa.Boolean, nullable=False, comment="whether the name may be shown to anybody"),
)
sa.Index("ix_members_dataset", members.c.dataset_id)
sa.Index("ix_members_document", members.c.document_id)

relations = sa.Table(
    "relations",
    METADATA,
    _id(),
    _of_dataset(),
    sa.Column("kind", Text, nullable=False),
    sa.Column("target", Text, nullable=False, comment="the PID of a dataset, here or elsewhere"),
    sa.Column("target_id", Key, sa.ForeignKey("datasets.id"), index=True),
    sa.CheckConstraint("kind IN ('derived from', 'part of', 'in collection')", name="kind"),
    sa.UniqueConstraint("dataset_id", "kind", "target"),
)
sa.Index("ix_relations_target", relations.c.target)

pids = sa.Table(
    "pids",
    METADATA,
    sa.Column("kind", Text, primary_key=True),
    sa.Column("scheme", Text, primary_key=True),
    sa.Column("value", Text, primary_key=True),
    sa.Column("record_id", Key, nullable=False),
    comment="further persistent identifiers of records of any kind",
)
sa.Index("ix_pids_record", pids.c.kind, pids.c.record_id)
sa.Index("ix_pids_value", pids.c.value)

thumbnails = sa.Table(
    "thumbnails",
    METADATA,
    _of_dataset(primary_key=True),
    sa.Column("media_type", Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
