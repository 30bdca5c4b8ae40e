"""PIDs for what files describe, made of what they say."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b

_LONGEST = 60


def slug(text: str) -> str:
    """Write a name with small letters, digits, dots and hyphens only; one cut short or in other letters gets a hash."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    words = re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.")
    if words and len(words) <= _LONGEST and len(plain) == len(text):
        return words
    return f"{words[: _LONGEST - 20]}-{_digest(text)}".strip("-")


def hashed(*facts: object) -> str:
    """Make a PID from facts that no other measurement shares."""
    return f"file:{_digest('|'.join(map(str, facts)))}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()
