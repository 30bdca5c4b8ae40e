"""People who sign in: accounts, sessions, tokens, and sign-ins and authorisations under way.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from pancommons.store.schema import Instant, Key, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "accounts",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("person", Text, nullable=False, comment="issuer#subject, as grants and owners name them"),
        sa.Column("issuer", Text, nullable=False),
        sa.Column("subject", Text, nullable=False),
        sa.Column("name", Text, nullable=True, comment="for display, as are e-mail and ORCID iD"),
        sa.Column("email", Text, nullable=True),
        sa.Column("orcid", Text, nullable=True),
        sa.Column(
            "entitlements", sa.JSON(none_as_null=True), nullable=False, comment="as the last sign-in brought them"
        ),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("signed_in_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("person", name=op.f("uq_accounts_person")),
    )
    op.create_table(
        "pending_sign_ins",
        sa.Column("state", Text, nullable=False, comment="SHA-256 of the state sent"),
        sa.Column("browser", Text, nullable=False, comment="SHA-256 of the cookie of the browser that began"),
        sa.Column("provider", Text, nullable=False),
        sa.Column("nonce", Text, nullable=False),
        sa.Column("verifier", Text, nullable=False),
        sa.Column("next", Text, nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_pending_sign_ins")),
    )
    op.create_index(op.f("ix_pending_sign_ins_expires_at"), "pending_sign_ins", ["expires_at"], unique=False)
    op.create_table(
        "device_authorisations",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("device", Text, nullable=False, comment="SHA-256 of the device code"),
        sa.Column("user_code", Text, nullable=False),
        sa.Column("name", Text, nullable=False, comment="what the program calls itself"),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("account_id", Key, nullable=True),
        sa.Column("interval", sa.Integer(), nullable=False, comment="seconds between two questions of the program"),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'approved', 'denied')", name=op.f("ck_device_authorisations_state")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_device_authorisations_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_authorisations")),
        sa.UniqueConstraint("device", name=op.f("uq_device_authorisations_device")),
        sa.UniqueConstraint("user_code", name=op.f("uq_device_authorisations_user_code")),
    )
    op.create_index(op.f("ix_device_authorisations_account_id"), "device_authorisations", ["account_id"], unique=False)
    op.create_index(op.f("ix_device_authorisations_expires_at"), "device_authorisations", ["expires_at"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("provider", Text, nullable=False, comment="its name in the settings"),
        sa.Column("provider_session", Text, nullable=True, comment="as the provider calls it, where it says"),
        sa.Column("id_token", Text, nullable=False, comment="the hint when signing out at the provider"),
        sa.Column("browser", Text, nullable=True, comment="what the browser calls itself"),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
    )
    op.create_index(op.f("ix_sessions_account_id"), "sessions", ["account_id"], unique=False)
    op.create_index(op.f("ix_sessions_provider_session"), "sessions", ["provider_session"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tokens_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(op.f("ix_tokens_account_id"), "tokens", ["account_id"], unique=False)


def downgrade() -> None:
    """Remove the tables."""
    op.drop_index(op.f("ix_tokens_account_id"), table_name="tokens")
    op.drop_table("tokens")
    op.drop_index(op.f("ix_sessions_provider_session"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_account_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_device_authorisations_expires_at"), table_name="device_authorisations")
    op.drop_index(op.f("ix_device_authorisations_account_id"), table_name="device_authorisations")
    op.drop_table("device_authorisations")
    op.drop_index(op.f("ix_pending_sign_ins_expires_at"), table_name="pending_sign_ins")
    op.drop_table("pending_sign_ins")
    op.drop_table("accounts")
