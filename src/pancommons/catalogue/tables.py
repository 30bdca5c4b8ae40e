"""The tables of the catalogue: what exists."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pancommons.store.schema import METADATA, Instant, Key, Text
from pancommons.store.text import text_index

KINDS = ("dataset", "document", "instrument", "sample")


def _record_columns() -> list[sa.Column[Any] | sa.CheckConstraint]:
    """Make the columns every record has.

    ``open_from`` is the whole access state: the moment from which anybody may have the data. In the past
    it is open, in the future embargoed, and where there is none restricted to the team. ``discoverable_from``
    is the same for the metadata, never later. ``sequence`` grows with every change of any record, and a
    deleted record stays, so that harvesters learn of it. ``owner`` is the person (as signed in) who made it.
    ``edited`` names the fields that a person edited here, which files do not change any more.
    """
    return [
        sa.Column("id", Key, primary_key=True, autoincrement=False),
        sa.Column("identifier", Text, nullable=False, unique=True),
        sa.Column("pid", Text, nullable=False, unique=True),
        sa.Column("proposal_id", Key, sa.ForeignKey("documents.id"), index=True),
        sa.Column("owner", Text),
        sa.Column("open_from", Instant),
        sa.Column("discoverable_from", Instant),
        sa.Column("data_class", Text, nullable=False),
        sa.Column("policy", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("edited", sa.JSON(none_as_null=True)),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("sequence", Key, nullable=False, unique=True),
        sa.CheckConstraint(
            "open_from IS NULL OR (discoverable_from IS NOT NULL AND discoverable_from <= open_from)",
            name="discoverable_before_open",
        ),
    ]


def _reference(name: str, target: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(
        name,
        Key,
        sa.ForeignKey(f"{target}.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=nullable,
        autoincrement=False,
    )


documents = sa.Table(
    "documents",
    METADATA,
    *_record_columns(),
    sa.Column("type", Text, nullable=False),
    sa.Column("title", Text, nullable=False),
    sa.Column("summary", Text),
    sa.Column("doi", Text, index=True),
    sa.Column("start_date", Instant),
    sa.Column("end_date", Instant),
    sa.Column("release_date", Instant),
    sa.Column("license", Text),
)

instruments = sa.Table(
    "instruments",
    METADATA,
    *_record_columns(),
    sa.Column("name", Text, nullable=False),
    sa.Column("facility", Text, nullable=False),
    sa.Column("description", Text),
)

samples = sa.Table(
    "samples",
    METADATA,
    *_record_columns(),
    sa.Column("name", Text, nullable=False),
    sa.Column("description", Text),
)

datasets = sa.Table(
    "datasets",
    METADATA,
    *_record_columns(),
    sa.Column("kind", Text, nullable=False),
    sa.Column("title", Text, nullable=False),
    sa.Column("summary", Text),
    sa.Column("creation_date", Instant, nullable=False),
    sa.Column("end_date", Instant),
    sa.Column("size", sa.BigInteger),
    sa.Column("license", Text),
    sa.Column("instrument_id", Key, sa.ForeignKey("instruments.id")),
    sa.Column("public_from", Instant, comment="open_from, but not before that of any input"),
    sa.Column("findable_from", Instant, comment="discoverable_from, but not before that of any input"),
    sa.Column("withdrawn_at", Instant, comment="when anybody could last find it, if that came to an end"),
    sa.Column("lifted", sa.Boolean, nullable=False, comment="a data manager has set it free of its inputs' bounds"),
    sa.Column("remarks", sa.JSON(none_as_null=True)),
    sa.CheckConstraint("kind IN ('raw', 'processed', 'simulated')", name="kind"),
)
for _table in (documents, instruments, samples):
    sa.Index(f"ix_{_table.name}_discoverable", _table.c.discoverable_from, _table.c.deleted_at, _table.c.id)
for _table in (documents, instruments, samples, datasets):
    sa.Index(f"ix_{_table.name}_updated", _table.c.updated_at, _table.c.sequence)
# With the id PostgreSQL finds out who may see what without the wide table; SQLite has it in every index.
sa.Index("ix_datasets_public", datasets.c.public_from, datasets.c.deleted_at, datasets.c.findable_from)
sa.Index("ix_datasets_findable", datasets.c.findable_from, datasets.c.deleted_at, datasets.c.id)
sa.Index("ix_datasets_creation", datasets.c.creation_date, datasets.c.id)
sa.Index("ix_datasets_title", datasets.c.title)
sa.Index("ix_datasets_instrument", datasets.c.instrument_id, datasets.c.creation_date)
sa.Index("ix_documents_release", documents.c.release_date)
sa.Index("ix_instruments_name", instruments.c.name)

guards = sa.Table(
    "guards",
    METADATA,
    _reference("dataset_id", "datasets", primary_key=True),
    _reference("input_id", "datasets", primary_key=True),
    comment="whose access bounds a derived dataset's: its inputs, and those that bound them",
)
sa.Index("ix_guards_input", guards.c.input_id)

dataset_documents = sa.Table(
    "dataset_documents",
    METADATA,
    _reference("dataset_id", "datasets", primary_key=True),
    _reference("document_id", "documents", primary_key=True),
)
dataset_samples = sa.Table(
    "dataset_samples",
    METADATA,
    _reference("dataset_id", "datasets", primary_key=True),
    _reference("sample_id", "samples", primary_key=True),
)
dataset_techniques = sa.Table(
    "dataset_techniques",
    METADATA,
    _reference("dataset_id", "datasets", primary_key=True),
    _reference("technique_id", "techniques", primary_key=True),
)
sa.Index("ix_dataset_documents_document", dataset_documents.c.document_id, dataset_documents.c.dataset_id)
sa.Index("ix_dataset_samples_sample", dataset_samples.c.sample_id, dataset_samples.c.dataset_id)
sa.Index("ix_dataset_techniques_technique", dataset_techniques.c.technique_id, dataset_techniques.c.dataset_id)

techniques = sa.Table(
    "techniques",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("pid", Text, nullable=False, unique=True),
    sa.Column("name", Text, nullable=False, index=True),
    sa.Column("definition", Text),
)
technique_synonyms = sa.Table(
    "technique_synonyms",
    METADATA,
    _reference("technique_id", "techniques", primary_key=True),
    sa.Column("synonym", Text, primary_key=True),
)
technique_parents = sa.Table(
    "technique_parents",
    METADATA,
    _reference("technique_id", "techniques", primary_key=True),
    _reference("parent_id", "techniques", primary_key=True),
)
technique_closure = sa.Table(
    "technique_closure",
    METADATA,
    _reference("ancestor_id", "techniques", primary_key=True),
    _reference("descendant_id", "techniques", primary_key=True),
    comment="every technique with itself and all below it",
)

datasets_text = text_index(datasets)
documents_text = text_index(documents)
instruments_text = text_index(instruments)
samples_text = text_index(samples)
RECORDS = {"dataset": datasets, "document": documents, "instrument": instruments, "sample": samples}
TEXTS = {
    "dataset": datasets_text,
    "document": documents_text,
    "instrument": instruments_text,
    "sample": samples_text,
}
