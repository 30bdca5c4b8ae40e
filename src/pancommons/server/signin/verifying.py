"""Tokens that a provider signed: signature first, by its own keys and a list of algorithms, then every claim."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import Key, KeySet
from joserfc.jws import extract_compact

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What a provider may sign with: nothing that needs a shared secret, and never nothing."""

_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_LEEWAY = 60
LEEWAY = timedelta(seconds=_LEEWAY)
"""That clocks may differ by."""

_OLDEST = 600
"""Seconds that may have passed since a token was made."""

_OLDEST_LOGOUT = 120
"""The same of a logout token, which nobody holds: it comes at once or from somebody who kept it."""

REMEMBERED = timedelta(seconds=_OLDEST_LOGOUT + 4 * _LEEWAY)
"""For this time a logout token is known again; older ones are refused for their age."""

_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class Refused(Exception):
    """Nobody is signed in, for the reason that this says."""


class Withdrawn(Refused):
    """The provider takes no more what it gave."""


def needs_key(token: str, keys: KeySet) -> bool:
    """Say whether a token was signed with a key that is not among these."""
    kid = extract_compact(token.encode()).headers().get("kid")
    return kid is not None and all(one.kid != kid for one in keys)


def id_token_claims(
    token: str, keys: KeySet, issuer: str, client: str, *, nonce: str | None, access_token: str, at: datetime
) -> dict[str, Any]:
    """Verify an ID token and return its claims.

    Parameters
    ----------
    nonce
        That was sent; None for a token that came with a refreshed one, when nothing was sent.

    Raises
    ------
    JoseError
        If the signature, or any claim, is not as it must be.
    """
    signed = jwt.decode(token, _finder(keys), algorithms=list(ALGORITHMS))
    _check_type(signed.header, ("jwt",))
    checks = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client}}
    params = {"nonce": nonce, "client_id": client, "access_token": access_token}
    claims = CodeIDToken(signed.claims, signed.header, checks, params)
    claims.validate(now=int(at.timestamp()), leeway=_LEEWAY)
    _check_common(claims, issuer, at, _OLDEST)
    if len(_audience(claims)) > 1 and claims.get("azp") != client:
        raise InvalidClaimError("azp")
    return dict(claims)


def read_back(token: str) -> dict[str, Any]:
    """Return the claims of an ID token that was verified when it came, and sealed since."""
    claims: dict[str, Any] = json.loads(extract_compact(token.encode()).payload)
    return claims


def logout_claims(token: str, keys: KeySet, issuer: str, client: str, *, at: datetime) -> dict[str, Any]:
    """Verify a logout token and return its claims.

    Raises
    ------
    JoseError
        If it is not one of this issuer, for us, made just now.
    """
    signed = jwt.decode(token, _finder(keys), algorithms=list(ALGORITHMS))
    _check_type(signed.header, ("logout+jwt",))
    claims = signed.claims
    checks = jwt.JWTClaimsRegistry(
        now=int(at.timestamp()),
        leeway=_LEEWAY,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    )
    checks.validate(claims)
    _check_common(claims, issuer, at, _OLDEST_LOGOUT)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT), dict):
        raise InvalidClaimError("events")
    if "nonce" in claims:
        raise InvalidClaimError("nonce")
    named = [claims.get(one) for one in ("sub", "sid")]
    if named == [None, None]:
        raise MissingClaimError("sub")
    if not all(one is None or isinstance(one, str) for one in named) or not isinstance(claims["jti"], str):
        raise InvalidClaimError("sub")
    return dict(claims)


def _check_common(claims: Any, issuer: str, at: datetime, oldest: int) -> None:
    if claims["iss"] != issuer:
        raise InvalidClaimError("iss")
    if at.timestamp() - claims["iat"] > oldest + _LEEWAY:
        raise InvalidClaimError("iat")
    subject = claims.get("sub", "logout by session")
    if not (isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isprintable()):
        raise InvalidClaimError("sub")


def seen_at(claims: Mapping[str, Any], at: datetime) -> datetime | None:
    """Return when the provider last saw the person it speaks of; None if it does not say, or names the future."""
    said = claims.get("auth_time")
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= at.timestamp() + _LEEWAY:
        return None
    return datetime.fromtimestamp(said, UTC)


def _audience(claims: Any) -> list[Any]:
    return claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]


def _check_type(header: Any, allowed: tuple[str, ...]) -> None:
    """Refuse a token of another type; an ID token need not name one."""
    kind = header.get("typ")
    if kind is None and "jwt" in allowed:
        return
    if str(kind).lower().removeprefix("application/") not in allowed:
        raise JoseError(f"it is of the type {str(kind)[:40]!r}")


def _finder(keys: KeySet) -> Callable[[Any], Key]:
    """Return what finds the key of a token: by its name, or the only one that fits, and for signatures only."""

    def find(signed: Any) -> Key:
        header = signed.headers()
        algorithm, kid = str(header.get("alg")), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise JoseError(f"it is signed with {algorithm[:20]!r}")
        fitting = [
            one
            for one in keys
            if one.key_type == _TYPES[algorithm[:2]]
            and one.get("use", "sig") == "sig"
            and one.get("alg", algorithm) == algorithm
            and kid in (None, one.kid)
        ]
        if len(fitting) != 1:
            raise JoseError("no key of the provider fits it")
        return fitting[0]

    return find
