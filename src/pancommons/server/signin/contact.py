"""Asking a provider: what it says of itself, its keys, and how this portal proves who it is there."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pancommons.base.errors import BadInput
from pancommons.base.settings import LOOPBACK, OpenIDProvider
from pancommons.server.signin.verifying import Refused, Withdrawn

_TIMEOUT = 10.0
_LASTS = timedelta(hours=1)
_NOT_SOONER = timedelta(seconds=30)
"""Keys are fetched anew for one that is unknown, but no more often than this."""

_RESTS = timedelta(seconds=10)
"""A provider that could not be asked is left alone for this time, so that nobody queues for it."""

_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Contact:
    """The way to one provider; what it says of itself is kept for an hour.

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
        found = self.json("GET", f"{self.told.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.told.issuer:
            raise Refused("the provider names itself otherwise than the settings do")
        if not all(isinstance(found.get(one), str) and self.is_safe(found[one]) for one in _NEEDED):
            raise Refused("the provider does not say where it is asked, or not with https")
        return found

    def is_safe(self, address: str) -> bool:
        """Say whether an address has TLS, or is on this machine as the provider is."""
        parts = urlsplit(address)
        return parts.scheme == "https" or (
            parts.hostname in LOOPBACK and urlsplit(self.told.issuer).hostname in LOOPBACK
        )

    def proved(self, place: str, body: str, *, empty: bool = False) -> dict[str, Any]:
        """Send a form that proves which client sends it; return the answer.

        Parameters
        ----------
        empty
            Whether the answer need not hold anything.

        Raises
        ------
        Refused
            If there is no answer, or another than success; Withdrawn if what was sent is not taken any more.
        """
        known = self.metadata().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = "client_secret_basic" in known
        method = "none" if self._secret is None else "client_secret_basic" if basic else "client_secret_post"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        prove = ClientAuth(self.told.client_id, self._secret, method)
        url, headers, body = prove.prepare("POST", place, headers, body)
        return self.json("POST", url, empty=empty, headers=headers, content=body)

    def key_set(self, *, anew: bool) -> KeySet:
        """Return the keys that the provider signs with.

        Parameters
        ----------
        anew
            Whether those known do not do.

        Raises
        ------
        Refused
            If there are none to be had.
        """
        place = self.metadata()["jwks_uri"]
        with self._lock:
            now = datetime.now(UTC)
            age = None if self._keys is None else now - self._keys[0]
            if self._keys is None or age is None or age > (_NOT_SOONER if anew else _LASTS):
                told: Any = self.json("GET", place)
                try:
                    self._keys = now, KeySet.import_key_set(told)
                except (JoseError, ValueError, KeyError, TypeError, AttributeError):
                    raise Refused("the provider's keys cannot be read") from None
            return self._keys[1]

    def json(self, method: str, url: str, *, empty: bool = False, **how: Any) -> dict[str, Any]:
        """Send a request and return the object that answers it; for what is raised see ``proved``."""
        try:
            answer = self._http.request(method, url, **how)
            found = {} if empty and answer.status_code == 200 else answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise Refused("the provider does not answer") from None
        if not isinstance(found, Mapping):
            raise Refused("the provider answered what is no object")
        if answer.status_code != 200:
            error = str(found.get("error", answer.status_code))[:60]
            raise (Withdrawn if error == "invalid_grant" else Refused)(f"the provider refused: {error}")
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
