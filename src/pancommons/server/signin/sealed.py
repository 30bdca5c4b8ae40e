"""Tokens of a provider at rest: encrypted with a key that follows from the secret which only the browser holds.

Who has the database has the digest of that secret and no key; who has the key of one session opens no other.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict, dataclass

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

_ALGORITHM, _ENCRYPTION = "dir", "A256GCM"
_PURPOSE = b"pancommons: tokens of the provider"


@dataclass(frozen=True)
class Held:
    """What a provider gave for a session.

    Attributes
    ----------
    id_token
        The hint when signing out there.
    refresh_token
        With which entitlements are asked for anew; not all providers give one.
    """

    id_token: str
    refresh_token: str | None = None


def seal(held: Held, secret: str) -> str:
    """Encrypt what a provider gave, for the session of a secret."""
    header = {"alg": _ALGORITHM, "enc": _ENCRYPTION}
    algorithms = [_ALGORITHM, _ENCRYPTION]
    return jwe.encrypt_compact(header, json.dumps(asdict(held)).encode(), _key(secret), algorithms=algorithms)


def unseal(text: str, secret: str) -> Held | None:
    """Decrypt what a provider gave; None if it was sealed with another secret, or changed since."""
    try:
        opened = jwe.decrypt_compact(text, _key(secret), algorithms=[_ALGORITHM, _ENCRYPTION])
    except (JoseError, ValueError):
        return None
    return Held(**json.loads(opened.plaintext or b""))


def derived(secret: bytes, purpose: bytes) -> bytes:
    """Derive 256 bits from a secret for one purpose (HKDF with SHA-256, RFC 5869, without salt)."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")


def _key(secret: str) -> OctKey:
    return OctKey.import_key(derived(secret.encode(), _PURPOSE))
