"""The tables of the people who sign in: who they are, and how a browser or a program shows that it is theirs.

Secrets are kept as their SHA-256 only, and tokens of a provider encrypted with a key that follows from such a secret.
What is marked transient belongs to one running portal: no dump holds it.
"""

from __future__ import annotations

import sqlalchemy as sa

from pancommons.store.schema import METADATA, Instant, Key, Text

TRANSIENT = {"transient": True}


def _account() -> sa.Column[int]:
    return sa.Column(
        "account_id", Key, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True
    )  # fmt: skip


accounts = sa.Table(
    "accounts",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("person", Text, nullable=False, unique=True, comment="issuer#subject, as grants and owners name them"),
    sa.Column("issuer", Text, nullable=False),
    sa.Column("subject", Text, nullable=False),
    sa.Column("name", Text, comment="for display, as are e-mail and ORCID iD"),
    sa.Column("email", Text),
    sa.Column("orcid", Text),
    sa.Column("entitlements", sa.JSON(none_as_null=True), nullable=False, comment="as the provider said last"),
    sa.Column("entitled_at", Instant, comment="when it said so; at the last sign-in if not given"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("signed_in_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant),
)

sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("digest", Text, nullable=False, unique=True),
    _account(),
    sa.Column("provider", Text, nullable=False, comment="its name in the settings"),
    sa.Column("provider_session", Text, index=True, comment="as the provider calls it, where it says"),
    sa.Column("sealed", Text, nullable=False, comment="tokens of the provider, encrypted"),
    sa.Column("refresh_at", Instant, comment="when they may next be used to ask anew; never if not given"),
    sa.Column("auth_time", Instant, comment="when the provider last saw the person, where it says"),
    sa.Column("acr", Text, comment="how, where it says"),
    sa.Column("browser", Text, comment="what the browser calls itself"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    info=TRANSIENT,
)

tokens = sa.Table(
    "tokens",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("digest", Text, nullable=False, unique=True),
    _account(),
    sa.Column("name", Text, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("seen_at", Instant),
    info=TRANSIENT,
)

pending_sign_ins = sa.Table(
    "pending_sign_ins",
    METADATA,
    sa.Column("state", Text, primary_key=True, comment="SHA-256 of the state sent"),
    sa.Column("browser", Text, nullable=False, comment="SHA-256 of the cookie of the browser that began"),
    sa.Column("provider", Text, nullable=False),
    sa.Column("nonce", Text, nullable=False),
    sa.Column("verifier", Text, nullable=False),
    sa.Column("next", Text, nullable=False),
    sa.Column(
        "account_id",
        Key,
        sa.ForeignKey("accounts.id", ondelete="CASCADE"),
        index=True,
        comment="who is to sign in again; anybody if not given",
    ),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    info=TRANSIENT,
)

device_authorisations = sa.Table(
    "device_authorisations",
    METADATA,
    sa.Column("id", Key, primary_key=True, autoincrement=False),
    sa.Column("device", Text, nullable=False, unique=True, comment="SHA-256 of the device code"),
    sa.Column("user_code", Text, nullable=False, unique=True),
    sa.Column("name", Text, nullable=False, comment="what the program calls itself"),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("account_id", Key, sa.ForeignKey("accounts.id", ondelete="CASCADE"), index=True),
    sa.Column("interval", sa.Integer, nullable=False, comment="seconds between two questions of the program"),
    sa.Column("asked_at", Instant),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.CheckConstraint("state IN ('pending', 'approved', 'denied')", name="state"),
    info=TRANSIENT,
)

logout_messages = sa.Table(
    "logout_messages",
    METADATA,
    sa.Column("digest", Text, primary_key=True, comment="SHA-256 of the provider and the name of its message"),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    info=TRANSIENT,
)
