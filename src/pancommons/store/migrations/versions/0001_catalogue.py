"""The catalogue: records, their parts, access, text index, policies, audit.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from pancommons.store.schema import Instant, Key, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Vector = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
SEARCHED = ("datasets", "documents", "instruments", "samples")


def upgrade() -> None:
    """Make all tables."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "affiliations",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("pid", Text, nullable=False),
        sa.Column("name", Text, nullable=True),
        sa.Column("address", Text, nullable=True),
        sa.Column("city", Text, nullable=True),
        sa.Column("country", Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_affiliations")),
        sa.UniqueConstraint("pid", name=op.f("uq_affiliations_pid")),
    )
    op.create_table(
        "audit",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", Text, nullable=False),
        sa.Column("what", Text, nullable=False),
        sa.Column("kind", Text, nullable=True),
        sa.Column("identifier", Text, nullable=True),
        sa.Column("facts", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_identifier"), "audit", ["identifier"], unique=False)
    op.create_index(op.f("ix_audit_who"), "audit", ["who"], unique=False)
    op.create_table(
        "counters",
        sa.Column("name", Text, nullable=False),
        sa.Column("value", Key, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "documents",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("identifier", Text, nullable=False),
        sa.Column("pid", Text, nullable=False),
        sa.Column("proposal_id", Key, nullable=True),
        sa.Column("owner", Text, nullable=True),
        sa.Column("open_from", Instant(), nullable=True),
        sa.Column("discoverable_from", Instant(), nullable=True),
        sa.Column("data_class", Text, nullable=False),
        sa.Column("policy", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("edited", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("sequence", Key, nullable=False),
        sa.Column("type", Text, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("summary", Text, nullable=True),
        sa.Column("doi", Text, nullable=True),
        sa.Column("start_date", Instant(), nullable=True),
        sa.Column("end_date", Instant(), nullable=True),
        sa.Column("release_date", Instant(), nullable=True),
        sa.Column("license", Text, nullable=True),
        sa.CheckConstraint(
            "open_from IS NULL OR (discoverable_from IS NOT NULL AND discoverable_from <= open_from)",
            name=op.f("ck_documents_discoverable_before_open"),
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["documents.id"], name=op.f("fk_documents_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("identifier", name=op.f("uq_documents_identifier")),
        sa.UniqueConstraint("pid", name=op.f("uq_documents_pid")),
        sa.UniqueConstraint("sequence", name=op.f("uq_documents_sequence")),
    )
    op.create_index("ix_documents_discoverable", "documents", ["discoverable_from", "deleted_at", "id"], unique=False)
    op.create_index(op.f("ix_documents_doi"), "documents", ["doi"], unique=False)
    op.create_index(op.f("ix_documents_proposal_id"), "documents", ["proposal_id"], unique=False)
    op.create_index("ix_documents_release", "documents", ["release_date"], unique=False)
    op.create_index("ix_documents_updated", "documents", ["updated_at", "sequence"], unique=False)
    op.create_table(
        "persons",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("pid", Text, nullable=False),
        sa.Column("full_name", Text, nullable=False),
        sa.Column("first_name", Text, nullable=True),
        sa.Column("last_name", Text, nullable=True),
        sa.Column("orcid", Text, nullable=True),
        sa.Column("researcher_id", Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
        sa.UniqueConstraint("pid", name=op.f("uq_persons_pid")),
    )
    op.create_index(op.f("ix_persons_orcid"), "persons", ["orcid"], unique=False)
    op.create_table(
        "pids",
        sa.Column("kind", Text, nullable=False),
        sa.Column("scheme", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.Column("record_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("kind", "scheme", "value", name=op.f("pk_pids")),
        comment="further persistent identifiers of records of any kind",
    )
    op.create_index("ix_pids_record", "pids", ["kind", "record_id"], unique=False)
    op.create_index("ix_pids_value", "pids", ["value"], unique=False)
    op.create_table(
        "policies",
        sa.Column("version", Text, nullable=False),
        sa.Column("content", Text, nullable=False),
        sa.Column("adopted_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policies")),
    )
    op.create_table(
        "techniques",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("pid", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("definition", Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_techniques")),
        sa.UniqueConstraint("pid", name=op.f("uq_techniques_pid")),
    )
    op.create_index(op.f("ix_techniques_name"), "techniques", ["name"], unique=False)
    op.create_table(
        "documents_text",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("vector", Vector, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["documents.id"], name=op.f("fk_documents_text_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents_text")),
    )
    op.create_table(
        "documents_letters",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("folded", Text, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["documents.id"], name=op.f("fk_documents_letters_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents_letters")),
    )
    op.create_table(
        "instruments",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("identifier", Text, nullable=False),
        sa.Column("pid", Text, nullable=False),
        sa.Column("proposal_id", Key, nullable=True),
        sa.Column("owner", Text, nullable=True),
        sa.Column("open_from", Instant(), nullable=True),
        sa.Column("discoverable_from", Instant(), nullable=True),
        sa.Column("data_class", Text, nullable=False),
        sa.Column("policy", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("edited", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("sequence", Key, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("facility", Text, nullable=False),
        sa.Column("description", Text, nullable=True),
        sa.CheckConstraint(
            "open_from IS NULL OR (discoverable_from IS NOT NULL AND discoverable_from <= open_from)",
            name=op.f("ck_instruments_discoverable_before_open"),
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["documents.id"], name=op.f("fk_instruments_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
        sa.UniqueConstraint("identifier", name=op.f("uq_instruments_identifier")),
        sa.UniqueConstraint("pid", name=op.f("uq_instruments_pid")),
        sa.UniqueConstraint("sequence", name=op.f("uq_instruments_sequence")),
    )
    op.create_index(
        "ix_instruments_discoverable", "instruments", ["discoverable_from", "deleted_at", "id"], unique=False
    )
    op.create_index("ix_instruments_name", "instruments", ["name"], unique=False)
    op.create_index(op.f("ix_instruments_proposal_id"), "instruments", ["proposal_id"], unique=False)
    op.create_index("ix_instruments_updated", "instruments", ["updated_at", "sequence"], unique=False)
    op.create_table(
        "samples",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("identifier", Text, nullable=False),
        sa.Column("pid", Text, nullable=False),
        sa.Column("proposal_id", Key, nullable=True),
        sa.Column("owner", Text, nullable=True),
        sa.Column("open_from", Instant(), nullable=True),
        sa.Column("discoverable_from", Instant(), nullable=True),
        sa.Column("data_class", Text, nullable=False),
        sa.Column("policy", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("edited", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("sequence", Key, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("description", Text, nullable=True),
        sa.CheckConstraint(
            "open_from IS NULL OR (discoverable_from IS NOT NULL AND discoverable_from <= open_from)",
            name=op.f("ck_samples_discoverable_before_open"),
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["documents.id"], name=op.f("fk_samples_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_samples")),
        sa.UniqueConstraint("identifier", name=op.f("uq_samples_identifier")),
        sa.UniqueConstraint("pid", name=op.f("uq_samples_pid")),
        sa.UniqueConstraint("sequence", name=op.f("uq_samples_sequence")),
    )
    op.create_index("ix_samples_discoverable", "samples", ["discoverable_from", "deleted_at", "id"], unique=False)
    op.create_index(op.f("ix_samples_proposal_id"), "samples", ["proposal_id"], unique=False)
    op.create_index("ix_samples_updated", "samples", ["updated_at", "sequence"], unique=False)
    op.create_table(
        "technique_closure",
        sa.Column("ancestor_id", Key, autoincrement=False, nullable=False),
        sa.Column("descendant_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["ancestor_id"], ["techniques.id"], name=op.f("fk_technique_closure_ancestor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["descendant_id"], ["techniques.id"], name=op.f("fk_technique_closure_descendant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ancestor_id", "descendant_id", name=op.f("pk_technique_closure")),
        comment="every technique with itself and all below it",
    )
    op.create_table(
        "technique_parents",
        sa.Column("technique_id", Key, autoincrement=False, nullable=False),
        sa.Column("parent_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["techniques.id"], name=op.f("fk_technique_parents_parent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["technique_id"], ["techniques.id"], name=op.f("fk_technique_parents_technique_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("technique_id", "parent_id", name=op.f("pk_technique_parents")),
    )
    op.create_table(
        "technique_synonyms",
        sa.Column("technique_id", Key, autoincrement=False, nullable=False),
        sa.Column("synonym", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["technique_id"], ["techniques.id"], name=op.f("fk_technique_synonyms_technique_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("technique_id", "synonym", name=op.f("pk_technique_synonyms")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("identifier", Text, nullable=False),
        sa.Column("pid", Text, nullable=False),
        sa.Column("proposal_id", Key, nullable=True),
        sa.Column("owner", Text, nullable=True),
        sa.Column("open_from", Instant(), nullable=True),
        sa.Column("discoverable_from", Instant(), nullable=True),
        sa.Column("data_class", Text, nullable=False),
        sa.Column("policy", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("edited", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("sequence", Key, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("summary", Text, nullable=True),
        sa.Column("creation_date", Instant(), nullable=False),
        sa.Column("end_date", Instant(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("license", Text, nullable=True),
        sa.Column("instrument_id", Key, nullable=True),
        sa.Column("public_from", Instant(), nullable=True, comment="open_from, but not before that of any input"),
        sa.Column(
            "findable_from", Instant(), nullable=True, comment="discoverable_from, but not before that of any input"
        ),
        sa.Column(
            "withdrawn_at", Instant(), nullable=True, comment="when anybody could last find it, if that came to an end"
        ),
        sa.Column(
            "lifted", sa.Boolean(), nullable=False, comment="a data manager has set it free of its inputs' bounds"
        ),
        sa.Column("remarks", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint("kind IN ('raw', 'processed', 'simulated')", name=op.f("ck_datasets_kind")),
        sa.CheckConstraint(
            "open_from IS NULL OR (discoverable_from IS NOT NULL AND discoverable_from <= open_from)",
            name=op.f("ck_datasets_discoverable_before_open"),
        ),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_datasets_instrument_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["documents.id"], name=op.f("fk_datasets_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("identifier", name=op.f("uq_datasets_identifier")),
        sa.UniqueConstraint("pid", name=op.f("uq_datasets_pid")),
        sa.UniqueConstraint("sequence", name=op.f("uq_datasets_sequence")),
    )
    op.create_index("ix_datasets_creation", "datasets", ["creation_date", "id"], unique=False)
    op.create_index("ix_datasets_findable", "datasets", ["findable_from", "deleted_at", "id"], unique=False)
    op.create_index("ix_datasets_instrument", "datasets", ["instrument_id", "creation_date"], unique=False)
    op.create_index(op.f("ix_datasets_proposal_id"), "datasets", ["proposal_id"], unique=False)
    op.create_index("ix_datasets_public", "datasets", ["public_from", "deleted_at", "findable_from"], unique=False)
    op.create_index("ix_datasets_title", "datasets", ["title"], unique=False)
    op.create_index("ix_datasets_updated", "datasets", ["updated_at", "sequence"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("person", Text, nullable=False),
        sa.Column("role", Text, nullable=False),
        sa.Column("proposal_id", Key, nullable=True),
        sa.Column("instrument_id", Key, nullable=True),
        sa.CheckConstraint("proposal_id IS NULL OR instrument_id IS NULL", name=op.f("ck_grants_one_scope")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_grants_instrument_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["documents.id"], name=op.f("fk_grants_proposal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        comment="a role of a person: in a proposal, at an instrument, or everywhere",
    )
    op.create_index(op.f("ix_grants_instrument_id"), "grants", ["instrument_id"], unique=False)
    op.create_index(op.f("ix_grants_person"), "grants", ["person"], unique=False)
    op.create_index(op.f("ix_grants_proposal_id"), "grants", ["proposal_id"], unique=False)
    op.create_table(
        "instruments_text",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("vector", Vector, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["instruments.id"], name=op.f("fk_instruments_text_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments_text")),
    )
    op.create_table(
        "instruments_letters",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("folded", Text, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["instruments.id"], name=op.f("fk_instruments_letters_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments_letters")),
    )
    op.create_table(
        "samples_text",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("vector", Vector, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["samples.id"], name=op.f("fk_samples_text_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_samples_text")),
    )
    op.create_table(
        "samples_letters",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("folded", Text, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["samples.id"], name=op.f("fk_samples_letters_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_samples_letters")),
    )
    op.create_table(
        "dataset_documents",
        sa.Column("dataset_id", Key, autoincrement=False, nullable=False),
        sa.Column("document_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_documents_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_dataset_documents_document_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "document_id", name=op.f("pk_dataset_documents")),
    )
    op.create_index("ix_dataset_documents_document", "dataset_documents", ["document_id", "dataset_id"], unique=False)
    op.create_table(
        "dataset_samples",
        sa.Column("dataset_id", Key, autoincrement=False, nullable=False),
        sa.Column("sample_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_samples_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name=op.f("fk_dataset_samples_sample_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "sample_id", name=op.f("pk_dataset_samples")),
    )
    op.create_index("ix_dataset_samples_sample", "dataset_samples", ["sample_id", "dataset_id"], unique=False)
    op.create_table(
        "dataset_techniques",
        sa.Column("dataset_id", Key, autoincrement=False, nullable=False),
        sa.Column("technique_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_techniques_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["technique_id"], ["techniques.id"], name=op.f("fk_dataset_techniques_technique_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "technique_id", name=op.f("pk_dataset_techniques")),
    )
    op.create_index(
        "ix_dataset_techniques_technique", "dataset_techniques", ["technique_id", "dataset_id"], unique=False
    )
    op.create_table(
        "datasets_text",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("vector", Vector, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["datasets.id"], name=op.f("fk_datasets_text_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets_text")),
    )
    op.create_table(
        "datasets_letters",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("folded", Text, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["datasets.id"], name=op.f("fk_datasets_letters_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets_letters")),
    )
    op.create_table(
        "files",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("identifier", Text, nullable=False),
        sa.Column("dataset_id", Key, autoincrement=False, nullable=False),
        sa.Column("root", Text, nullable=False, comment="which configured data root"),
        sa.Column("path", Text, nullable=False, comment="relative to the root, with slashes"),
        sa.Column("name", Text, nullable=False),
        sa.Column("role", Text, nullable=False, comment="data, or linked where another file needs it"),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", Text, nullable=True),
        sa.Column("mtime", Instant(), nullable=True),
        sa.Column("missing", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_files_dataset_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("dataset_id", "root", "path", name=op.f("uq_files_dataset_id_root_path")),
        sa.UniqueConstraint("identifier", name=op.f("uq_files_identifier")),
    )
    op.create_index("ix_files_place", "files", ["root", "path"], unique=False)
    op.create_index("ix_files_sha256", "files", ["sha256"], unique=False)
    op.create_table(
        "guards",
        sa.Column("dataset_id", Key, autoincrement=False, nullable=False),
        sa.Column("input_id", Key, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_guards_dataset_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["input_id"], ["datasets.id"], name=op.f("fk_guards_input_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dataset_id", "input_id", name=op.f("pk_guards")),
        comment="whose access bounds a derived dataset's: its inputs, and those that bound them",
    )
    op.create_index("ix_guards_input", "guards", ["input_id"], unique=False)
    op.create_table(
        "keywords",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("dataset_id", Key, nullable=True),
        sa.Column("document_id", Key, nullable=True),
        sa.Column("keyword", Text, nullable=False),
        sa.CheckConstraint("(dataset_id IS NULL) <> (document_id IS NULL)", name=op.f("ck_keywords_one_parent")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_keywords_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_keywords_document_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keywords")),
    )
    op.create_index("ix_keywords_dataset", "keywords", ["dataset_id"], unique=False)
    op.create_index("ix_keywords_document", "keywords", ["document_id"], unique=False)
    op.create_index(op.f("ix_keywords_keyword"), "keywords", ["keyword"], unique=False)
    op.create_table(
        "members",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("dataset_id", Key, nullable=True),
        sa.Column("document_id", Key, nullable=True),
        sa.Column("person_id", Key, nullable=True),
        sa.Column("affiliation_id", Key, nullable=True),
        sa.Column("role", Text, nullable=True),
        sa.Column("public", sa.Boolean(), nullable=False, comment="whether the name may be shown to anybody"),
        sa.CheckConstraint("(dataset_id IS NULL) <> (document_id IS NULL)", name=op.f("ck_members_one_parent")),
        sa.ForeignKeyConstraint(["affiliation_id"], ["affiliations.id"], name=op.f("fk_members_affiliation_id")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_members_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_members_document_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_members_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_affiliation_id"), "members", ["affiliation_id"], unique=False)
    op.create_index("ix_members_dataset", "members", ["dataset_id"], unique=False)
    op.create_index("ix_members_document", "members", ["document_id"], unique=False)
    op.create_index(op.f("ix_members_person_id"), "members", ["person_id"], unique=False)
    op.create_table(
        "parameters",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("dataset_id", Key, nullable=True),
        sa.Column("document_id", Key, nullable=True),
        sa.Column("name", Text, nullable=False),
        sa.Column("number", sa.Double(), nullable=True, comment="as given, in `unit`; none for a text"),
        sa.Column("text", Text, nullable=True, comment="as given; none for a number"),
        sa.Column("unit", Text, nullable=True),
        sa.Column("si", sa.Double(), nullable=True, comment="the number in the SI base units of `dimension`"),
        sa.Column(
            "dimension", Text, nullable=True, comment="SI base units, such as kg*m^2/s^2; empty for a pure number"
        ),
        sa.Column("original", Text, nullable=True, comment="what the file said, where that is written otherwise"),
        sa.Column("derived", sa.Boolean(), nullable=False, comment="computed by us from another value"),
        sa.CheckConstraint("(dataset_id IS NULL) <> (document_id IS NULL)", name=op.f("ck_parameters_one_parent")),
        sa.CheckConstraint("number IS NULL OR text IS NULL", name=op.f("ck_parameters_number_or_text")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_parameters_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_parameters_document_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parameters")),
    )
    op.create_index("ix_parameters_dataset", "parameters", ["dataset_id", "name", "si"], unique=False)
    op.create_index(
        "ix_parameters_document",
        "parameters",
        ["document_id", "name"],
        unique=False,
        sqlite_where=sa.text("document_id IS NOT NULL"),
        postgresql_where=sa.text("document_id IS NOT NULL"),
    )
    op.create_index("ix_parameters_number", "parameters", ["name", "number", "dataset_id"], unique=False)
    op.create_index("ix_parameters_si", "parameters", ["name", "dimension", "si", "dataset_id"], unique=False)
    op.create_table(
        "relations",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("dataset_id", Key, autoincrement=False, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("target", Text, nullable=False, comment="the PID of a dataset, here or elsewhere"),
        sa.Column("target_id", Key, nullable=True),
        sa.CheckConstraint("kind IN ('derived from', 'part of', 'in collection')", name=op.f("ck_relations_kind")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_relations_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["target_id"], ["datasets.id"], name=op.f("fk_relations_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relations")),
        sa.UniqueConstraint("dataset_id", "kind", "target", name=op.f("uq_relations_dataset_id_kind_target")),
    )
    op.create_index("ix_relations_target", "relations", ["target"], unique=False)
    op.create_index(op.f("ix_relations_target_id"), "relations", ["target_id"], unique=False)
    op.create_table(
        "thumbnails",
        sa.Column("dataset_id", Key, autoincrement=False, nullable=False),
        sa.Column("media_type", Text, nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_thumbnails_dataset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_thumbnails")),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('id', 0), ('sequence', 0)")
    if op.get_bind().dialect.name == "postgresql":
        _index_postgresql()
    else:
        _index_sqlite()


def _index_postgresql() -> None:
    op.execute("CREATE INDEX ix_parameters_text_hash ON parameters USING hash (text) WHERE text IS NOT NULL")
    for name in SEARCHED:
        op.execute(f"CREATE INDEX ix_{name}_text_vector ON {name}_text USING gin (vector)")
        # So many words are counted that a word which is not among them is known to be rare, and looked up.
        op.execute(f"ALTER TABLE {name}_text ALTER COLUMN vector SET STATISTICS 1000")
        op.execute(f"CREATE INDEX ix_{name}_letters_folded ON {name}_letters USING gin (folded gin_trgm_ops)")


def _index_sqlite() -> None:
    op.execute("CREATE INDEX ix_parameters_text ON parameters (name, text, dataset_id) WHERE text IS NOT NULL")
    for name in SEARCHED:
        words, letters = f"{name}_text", f"{name}_letters"
        _virtual(f"{words}_words", words, ("title", "body"), "unicode61 remove_diacritics 0")
        _virtual(f"{words}_grams", letters, ("folded",), "trigram case_sensitive 1")


def _virtual(index: str, table: str, columns: tuple[str, ...], tokenize: str) -> None:
    listed = ", ".join(columns)
    op.execute(
        f"CREATE VIRTUAL TABLE {index} "
        f"USING fts5({listed}, content='{table}', content_rowid='id', tokenize='{tokenize}')"
    )
    added, gone = _fill(index, columns, "new", ""), _fill(index, columns, "old", "'delete'")
    op.execute(f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {added} END")
    op.execute(f"CREATE TRIGGER {table}_gone AFTER DELETE ON {table} BEGIN {gone} END")
    op.execute(f"CREATE TRIGGER {table}_changed AFTER UPDATE ON {table} BEGIN {gone} {added} END")


def _fill(index: str, columns: tuple[str, ...], row: str, command: str) -> str:
    names = ", ".join(([index] if command else []) + ["rowid", *columns])
    values = ", ".join(([command] if command else []) + [f"{row}.id", *(f"{row}.{column}" for column in columns)])
    return f"INSERT INTO {index} ({names}) VALUES ({values});"  # noqa: S608
