"""Secrets that are shown once and kept as their digest."""

from __future__ import annotations

from hashlib import sha256
from secrets import token_urlsafe

_BYTES = 32


def secret() -> str:
    """Make a secret of 256 bits that fits into addresses, cookies and headers."""
    return token_urlsafe(_BYTES)


def digest(text: str) -> str:
    """Return what is kept of a secret: guessing one that has 256 bits from it is out of reach."""
    return sha256(text.encode()).hexdigest()
