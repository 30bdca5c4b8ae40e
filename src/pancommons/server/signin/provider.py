"""A provider of OpenID Connect: where it is asked, what it answers, and whether that may be believed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pancommons.base.errors import BadInput
from pancommons.base.settings import LOOPBACK, OpenIDProvider
from pancommons.server.signin.accounts import Identity
from pancommons.server.signin.claims import identity
from pancommons.server.signin.verifying import Refused, id_token_claims, logout_claims, needs_key

_TIMEOUT = 10.0
_LASTS = timedelta(hours=1)
_NOT_SOONER = timedelta(seconds=30)
"""Keys are fetched anew for one that is unknown, but no more often than this."""

_RESTS = timedelta(seconds=10)
"""A provider that could not be asked is left alone for this time, so that nobody queues for it."""

_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider:
    """One provider of the settings; what it says of itself is kept for an hour.

    Raises
    ------
    BadInput
        If the file of the client's secret cannot be read.
    """

    def __init__(self, told: OpenIDProvider) -> None:
        self.told = told
        self._secret = _secret(told)
        self._http = httpx.Client(timeout=_TIMEOUT, follow_redirects=False, headers={"Accept": "application/json"})
        self._lock = threading.Lock()
        self._metadata: tuple[datetime, dict[str, Any]] | None = None
        self._keys: tuple[datetime, KeySet] | None = None
        self._failed: tuple[datetime, str] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Return where a browser goes to sign in, and from where it comes back.

        Raises
        ------
        Refused
            If the provider cannot be asked, or is not the one that it should be.
        """
        address: str = prepare_grant_uri(
            self.metadata()["authorization_endpoint"],
            client_id=self.told.client_id,
            response_type="code",
            redirect_uri=back,
            scope=" ".join(self.told.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return address

    def check_answer(self, issuer: str | None) -> None:
        """Check that an answer in the browser is this provider's and no other's.

        Raises
        ------
        Refused
            If it is not, or does not say so though the provider promises to.
        """
        promised = self.metadata().get("authorization_response_iss_parameter_supported") is True
        if issuer != self.told.issuer and (issuer is not None or promised):
            raise Refused("the answer is not of the provider that was asked")

    def redeem(self, code: str, back: str, nonce: str, verifier: str, at: datetime) -> tuple[Identity, str, str | None]:
        """Exchange a code for who somebody is, the ID token that says so, and the provider's name of the session.

        Raises
        ------
        Refused
            If the provider does not take the code, or anything it says is not as it must be.
        """
        answer = self._tokens(code, back, verifier)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str) or not isinstance(access, str):
            raise Refused("the provider answered without an ID token")
        issuer, client = self.told.issuer, self.told.client_id
        claims = self._verified(
            token, lambda keys: id_token_claims(token, keys, issuer, client, nonce=nonce, access_token=access, at=at)
        )
        session = claims.get("sid")
        more = self._userinfo(access, str(claims["sub"]))
        return identity(issuer, {**more, **claims}, more), token, session if isinstance(session, str) else None

    def ended(self, token: str, at: datetime) -> tuple[str | None, str | None, str]:
        """Read that the provider ended sessions: of which subject, which session, and the name of the message.

        Raises
        ------
        Refused
            If it is not a logout token of this provider for us.
        """
        issuer, client = self.told.issuer, self.told.client_id
        claims = self._verified(token, lambda keys: logout_claims(token, keys, issuer, client, at=at))
        return claims.get("sub"), claims.get("sid"), claims["jti"]

    def sign_out_address(self, id_token: str, back: str) -> str | None:
        """Return where a browser goes to sign out of the provider, too; None if it has no such place."""
        try:
            place = self.metadata().get("end_session_endpoint")
        except Refused:
            return None
        if not isinstance(place, str) or not self._is_safe(place):
            return None
        told = {"id_token_hint": id_token, "client_id": self.told.client_id, "post_logout_redirect_uri": back}
        return str(httpx.URL(place).copy_merge_params(told))

    def metadata(self) -> dict[str, Any]:
        """Return what the provider says of itself, checked to be itself.

        Raises
        ------
        Refused
            If it cannot be asked, or says that it is another.
        """
        with self._lock:
            now = datetime.now(UTC)
            if self._metadata is None or now - self._metadata[0] > _LASTS:
                if self._failed is not None and now - self._failed[0] < _RESTS:
                    raise Refused(self._failed[1])
                try:
                    self._metadata = now, self._described()
                except Refused as error:
                    self._failed = datetime.now(UTC), str(error)
                    raise
            return self._metadata[1]

    def _described(self) -> dict[str, Any]:
        found = self._json("GET", f"{self.told.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.told.issuer:
            raise Refused("the provider names itself otherwise than the settings do")
        if not all(isinstance(found.get(one), str) and self._is_safe(found[one]) for one in _NEEDED):
            raise Refused("the provider does not say where it is asked, or not with https")
        return found

    def _is_safe(self, address: str) -> bool:
        parts = urlsplit(address)
        return parts.scheme == "https" or (
            parts.hostname in LOOPBACK and urlsplit(self.told.issuer).hostname in LOOPBACK
        )

    def _tokens(self, code: str, back: str, verifier: str) -> dict[str, Any]:
        metadata = self.metadata()
        known = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = "client_secret_basic" in known
        method = "none" if self._secret is None else "client_secret_basic" if basic else "client_secret_post"
        body = prepare_token_request("authorization_code", code=code, redirect_uri=back, code_verifier=verifier)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        prove = ClientAuth(self.told.client_id, self._secret, method)
        url, headers, body = prove.prepare("POST", metadata["token_endpoint"], headers, body)
        return self._json("POST", url, headers=headers, content=body)

    def _userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        """Ask for claims that are not in the ID token; those of another subject are of no worth."""
        place = self.metadata().get("userinfo_endpoint")
        if not isinstance(place, str) or not self._is_safe(place):
            return {}
        found = self._json("GET", place, headers={"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:
            raise Refused("the provider told of somebody else than who signed in")
        return found

    def _verified(self, token: str, read: Any) -> dict[str, Any]:
        """Verify a token with the provider's keys, fetched anew if one of them is not known yet."""
        try:
            anew = needs_key(token, self._key_set(anew=False))
            claims: dict[str, Any] = read(self._key_set(anew=anew))
        except (JoseError, ValueError) as error:
            raise Refused(f"a token of the provider cannot be believed ({error})") from None
        return claims

    def _key_set(self, *, anew: bool) -> KeySet:
        place = self.metadata()["jwks_uri"]
        with self._lock:
            now = datetime.now(UTC)
            age = None if self._keys is None else now - self._keys[0]
            if self._keys is None or age is None or age > (_NOT_SOONER if anew else _LASTS):
                told: Any = self._json("GET", place)
                try:
                    self._keys = now, KeySet.import_key_set(told)
                except (JoseError, ValueError, KeyError, TypeError, AttributeError):
                    raise Refused("the provider's keys cannot be read") from None
            return self._keys[1]

    def _json(self, method: str, url: str, **how: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, url, **how)
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise Refused("the provider does not answer") from None
        if not isinstance(found, Mapping):
            raise Refused("the provider answered what is no object")
        if answer.status_code != 200:
            error = str(found.get("error", answer.status_code))[:60]
            raise Refused(f"the provider refused: {error}")
        return dict(found)


def _secret(told: OpenIDProvider) -> str | None:
    if told.client_secret_file is None:
        return told.client_secret
    file = Path(told.client_secret_file).expanduser()
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the secret of the provider {told.name} cannot be read ({error})", file=file, field="client_secret_file"
        ) from None
    if not secret:
        raise BadInput(f"holds no secret of the provider {told.name}", file=file, field="client_secret_file")
    return secret
