"""ID tokens that a real provider would never make, by the line of the checklist that refuses them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from joserfc.jwk import OctKey, RSAKey

from tests.server.signin.forger import CLIENT, Forger

OTHER = RSAKey.generate_key(2048, {"kid": "one"})


EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}


def none(forger: Forger, claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "kid": "one"}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{head}.{body}."


def shared_secret(forger: Forger, claims: dict[str, Any]) -> str:
    """Sign with the public key as if it were a secret that both share."""
    key = OctKey.import_key(forger.key.as_pem(private=False), {"kid": "one"})
    return forger.signed(claims, key, alg="HS256")


def edited(forger: Forger, claims: dict[str, Any]) -> str:
    """Change a claim after the signature was made."""
    head, _, signature = forger.signed(claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "eve"}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


Make = Callable[[Forger, dict[str, Any]], str | None]


NOT_THIS_SIGN_IN: dict[str, Make] = {
    "other nonce": lambda forger, claims: forger.signed({**claims, "nonce": "other"}),
    "no nonce": lambda forger, claims: forger.signed({k: v for k, v in claims.items() if k != "nonce"}),
    "other issuer": lambda forger, claims: forger.signed({**claims, "iss": "https://other.example"}),
    "issuer with a slash": lambda forger, claims: forger.signed({**claims, "iss": f"{claims['iss']}/"}),
    "for another": lambda forger, claims: forger.signed({**claims, "aud": "other"}),
    "for several": lambda forger, claims: forger.signed({**claims, "aud": [CLIENT, "other"]}),
    "for several, asked for by another": lambda forger, claims: forger.signed(
        {**claims, "aud": [CLIENT, "other"], "azp": "other"}
    ),
    "for another, asked for by us": lambda forger, claims: forger.signed({**claims, "aud": "other", "azp": CLIENT}),
    "asked for by another": lambda forger, claims: forger.signed({**claims, "azp": "other"}),
}
"""Line 3: another nonce, issuer or client."""

NOT_SIGNED_FOR_THIS: dict[str, Make] = {
    "no token": lambda forger, claims: None,
    "no signature": none,
    "a shared secret": shared_secret,
    "another key of the same name": lambda forger, claims: forger.signed(claims, OTHER),
    "an unknown key": lambda forger, claims: forger.signed(claims, OTHER, kid="two"),
    "changed afterwards": edited,
    "not a token": lambda forger, claims: "x.y",
    "expired": lambda forger, claims: forger.signed({**claims, "exp": int(time.time()) - 120}),
    "without end": lambda forger, claims: forger.signed({k: v for k, v in claims.items() if k != "exp"}),
    "of the future": lambda forger, claims: forger.signed({**claims, "iat": int(time.time()) + 3600}),
    "not yet": lambda forger, claims: forger.signed({**claims, "nbf": int(time.time()) + 3600}),
    "old": lambda forger, claims: forger.signed({**claims, "iat": int(time.time()) - 3600}),
    "undated": lambda forger, claims: forger.signed({k: v for k, v in claims.items() if k != "iat"}),
    "dated with a word": lambda forger, claims: forger.signed({**claims, "iat": "now"}),
    "a logout token": lambda forger, claims: forger.signed(claims, typ="logout+jwt"),
    "an access token": lambda forger, claims: forger.signed(claims, typ="at+jwt"),
    "for another access token": lambda forger, claims: forger.signed({**claims, "at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
}
"""Line 5: not signed by the provider, of another kind, or of another time."""

NOBODY: dict[str, Make] = {
    "of nobody": lambda forger, claims: forger.signed({k: v for k, v in claims.items() if k != "sub"}),
    "of an empty name": lambda forger, claims: forger.signed({**claims, "sub": ""}),
    "of a number": lambda forger, claims: forger.signed({**claims, "sub": 7}),
}
"""Line 6: no subject that an account could be of."""
