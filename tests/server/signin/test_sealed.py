"""Tokens at rest: opened by the secret they were sealed with, and by nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pancommons.server.signin.sealed import Held, derived, seal, unseal
from pancommons.server.signin.secret import digest, secret

HELD = Held("id-token", "refresh-token")


def test_what_is_sealed_is_opened_by_its_secret_alone() -> None:
    mine, other = secret(), secret()
    text = seal(HELD, mine)
    assert unseal(text, mine) == HELD
    for wrong in (other, digest(mine), mine[:-1], ""):
        assert unseal(text, wrong) is None
    assert "token" not in text and seal(HELD, mine) != text


@pytest.mark.parametrize("place", range(5))
def test_what_was_changed_is_not_opened(place: int) -> None:
    mine = secret()
    parts = seal(HELD, mine).split(".")
    parts[place] = ("A" if not parts[place].startswith("A") else "B") + parts[place][1:]
    assert unseal(".".join(parts), mine) is None
    assert unseal("", mine) is None


def test_the_key_is_derived_as_rfc_5869_says() -> None:
    mine = secret().encode()
    assert derived(mine, b"purpose") == HKDF(SHA256(), 32, None, b"purpose").derive(mine)
