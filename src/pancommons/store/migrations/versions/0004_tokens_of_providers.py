"""Tokens of providers encrypted, entitlements asked for anew, sign-ins again; everybody signs in once more.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pancommons.store.schema import Instant, Key, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BEFORE, _NOW = "as the last sign-in brought them", "as the provider said last"


def upgrade() -> None:
    """Make the tables anew that hold nothing for long, for the tokens in them were in clear; add to the others."""
    op.add_column(
        "accounts",
        sa.Column("entitled_at", Instant(), nullable=True, comment="when it said so; at the last sign-in if not given"),
    )
    _comment(_BEFORE, _NOW)
    _drop()
    _sessions(
        sa.Column("sealed", Text, nullable=False, comment="tokens of the provider, encrypted"),
        sa.Column(
            "refresh_at",
            Instant(),
            nullable=True,
            comment="when they may next be used to ask anew; never if not given",
        ),
        sa.Column(
            "auth_time", Instant(), nullable=True, comment="when the provider last saw the person, where it says"
        ),
        sa.Column("acr", Text, nullable=True, comment="how, where it says"),
    )
    _pending_sign_ins(
        sa.Column("account_id", Key, nullable=True, comment="who is to sign in again; anybody if not given"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_pending_sign_ins_account_id"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_pending_sign_ins_account_id"), "pending_sign_ins", ["account_id"], unique=False)
    op.create_table(
        "logout_messages",
        sa.Column("digest", Text, nullable=False, comment="SHA-256 of the provider and the name of its message"),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_logout_messages")),
    )
    op.create_index(op.f("ix_logout_messages_expires_at"), "logout_messages", ["expires_at"], unique=False)


def downgrade() -> None:
    """Make the tables as they were; everybody signs in once more."""
    op.drop_table("logout_messages")
    _drop()
    _pending_sign_ins()
    _sessions(sa.Column("id_token", Text, nullable=False, comment="the hint when signing out at the provider"))
    _comment(_NOW, _BEFORE)
    op.drop_column("accounts", "entitled_at")


def _drop() -> None:
    op.drop_table("sessions")
    op.drop_table("pending_sign_ins")


def _comment(before: str, after: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("accounts", "entitlements", comment=after, existing_comment=before, existing_nullable=False)


def _sessions(*more: sa.Column[Any]) -> None:
    op.create_table(
        "sessions",
        sa.Column("id", Key, autoincrement=False, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("provider", Text, nullable=False, comment="its name in the settings"),
        sa.Column("provider_session", Text, nullable=True, comment="as the provider calls it, where it says"),
        *more,
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


def _pending_sign_ins(*more: sa.schema.SchemaItem) -> None:
    op.create_table(
        "pending_sign_ins",
        sa.Column("state", Text, nullable=False, comment="SHA-256 of the state sent"),
        sa.Column("browser", Text, nullable=False, comment="SHA-256 of the cookie of the browser that began"),
        sa.Column("provider", Text, nullable=False),
        sa.Column("nonce", Text, nullable=False),
        sa.Column("verifier", Text, nullable=False),
        sa.Column("next", Text, nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("state", name=op.f("pk_pending_sign_ins")),
    )
    op.create_index(op.f("ix_pending_sign_ins_expires_at"), "pending_sign_ins", ["expires_at"], unique=False)
