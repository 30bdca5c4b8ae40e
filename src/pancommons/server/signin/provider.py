"""A provider of OpenID Connect: where it is asked, what it answers, and whether that may be believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.errors import JoseError

from pancommons.base.settings import OpenIDProvider
from pancommons.server.signin.accounts import Identity
from pancommons.server.signin.claims import identity
from pancommons.server.signin.contact import Contact
from pancommons.server.signin.sealed import Held
from pancommons.server.signin.verifying import Refused, id_token_claims, logout_claims, needs_key, read_back, seen_at


@dataclass(frozen=True)
class Proof:
    """What a provider confirmed.

    Attributes
    ----------
    session
        The provider's name of the session.
    auth_time, acr
        When and how it saw the person, where it says.
    """

    who: Identity
    held: Held
    session: str | None
    auth_time: datetime | None
    acr: str | None


class Provider:
    """One provider of the settings.

    Raises
    ------
    BadInput
        If the file of the client's secret cannot be read.
    """

    def __init__(self, told: OpenIDProvider) -> None:
        self.told = told
        self._contact = Contact(told)

    def close(self) -> None:
        """Close the connections."""
        self._contact.close()

    def address(self, back: str, state: str, nonce: str, verifier: str, *, again: bool = False) -> str:
        """Return where a browser goes to sign in, and from where it comes back.

        Parameters
        ----------
        again
            Whether the provider is to ask for the password, or whatever it asks for, even of whom it knows.

        Raises
        ------
        Refused
            If the provider cannot be asked, or is not the one that it should be.
        """
        prompts = [*(["login"] if again else []), *(["consent"] if "offline_access" in self.told.scopes else [])]
        more = {"prompt": " ".join(prompts)} if prompts else {}
        if again:
            more |= {"max_age": "0"} | ({"acr_values": " ".join(self.told.admin_acr)} if self.told.admin_acr else {})
        address: str = prepare_grant_uri(
            self._contact.metadata()["authorization_endpoint"],
            client_id=self.told.client_id,
            response_type="code",
            redirect_uri=back,
            scope=" ".join(self.told.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **more,
        )
        return address

    def check_answer(self, issuer: str | None) -> None:
        """Check that an answer in the browser is this provider's and no other's.

        Raises
        ------
        Refused
            If it is not, or does not say so though the provider promises to.
        """
        promised = self._contact.metadata().get("authorization_response_iss_parameter_supported") is True
        if issuer != self.told.issuer and (issuer is not None or promised):
            raise Refused("the answer is not of the provider that was asked")

    def redeem(self, code: str, back: str, nonce: str, verifier: str, at: datetime) -> Proof:
        """Exchange a code for who somebody is.

        Raises
        ------
        Refused
            If the provider does not take the code, or anything it says is not as it must be.
        """
        answer = self._tokens("authorization_code", code=code, redirect_uri=back, code_verifier=verifier)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str) or not isinstance(access, str):
            raise Refused("the provider answered without an ID token")
        claims = self._claims(token, nonce, access, at)
        session, acr = claims.get("sid"), claims.get("acr")
        more = self._userinfo(access, str(claims["sub"])) or {}
        return Proof(
            identity(self.told.issuer, {**more, **claims}, more),
            Held(token, _text(answer.get("refresh_token"))),
            _text(session),
            seen_at(claims, at),
            _text(acr),
        )

    def renew(self, held: Held) -> tuple[Held, dict[str, Any]]:
        """Use a refresh token; return what is to be kept in its place, and the answer.

        Many providers take a refresh token once: what is to be kept is to be written before anything else is done.

        Raises
        ------
        Withdrawn
            If the provider does not take the token any more.
        Refused
            If it cannot be asked.
        """
        answer = self._tokens("refresh_token", refresh_token=held.refresh_token)
        return Held(held.id_token, _text(answer.get("refresh_token")) or held.refresh_token), answer

    def entitlements(self, held: Held, answer: dict[str, Any], at: datetime) -> tuple[str, ...]:
        """Ask with what was renewed what somebody is entitled to; what is not said any more holds no more.

        Raises
        ------
        Refused
            If it cannot be asked, or what it answers is not as it must be.
        """
        before = read_back(held.id_token)
        subject = str(before["sub"])
        access, token = answer.get("access_token"), answer.get("id_token")
        if not isinstance(access, str):
            raise Refused("the provider answered without an access token")
        claims: dict[str, Any] = {}
        if isinstance(token, str):
            claims = self._claims(token, None, access, at)
            if claims["sub"] != subject or claims.get("nonce", before["nonce"]) != before["nonce"]:
                raise Refused("the provider answered for somebody else")
        more = self._userinfo(access, subject)
        if more is None and not claims:
            raise Refused("the provider does not say what somebody is entitled to")
        return identity(self.told.issuer, {"sub": subject, **claims}, more or {}).entitlements

    def give_up(self, refresh_token: str) -> None:
        """Tell the provider that a refresh token is used no more, where it takes that (RFC 7009).

        Raises
        ------
        Refused
            If it does not answer, or refuses.
        """
        place = self._contact.metadata().get("revocation_endpoint")
        if isinstance(place, str) and self._contact.is_safe(place):
            body = urlencode({"token": refresh_token, "token_type_hint": "refresh_token"})
            self._contact.proved(place, body, empty=True)

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
            place = self._contact.metadata().get("end_session_endpoint")
        except Refused:
            return None
        if not isinstance(place, str) or not self._contact.is_safe(place):
            return None
        told = {"id_token_hint": id_token, "client_id": self.told.client_id, "post_logout_redirect_uri": back}
        return str(httpx.URL(place).copy_merge_params(told))

    def _tokens(self, grant: str, **told: str | None) -> dict[str, Any]:
        return self._contact.proved(self._contact.metadata()["token_endpoint"], prepare_token_request(grant, **told))

    def _claims(self, token: str, nonce: str | None, access: str, at: datetime) -> dict[str, Any]:
        issuer, client = self.told.issuer, self.told.client_id
        return self._verified(
            token, lambda keys: id_token_claims(token, keys, issuer, client, nonce=nonce, access_token=access, at=at)
        )

    def _userinfo(self, access_token: str, subject: str) -> dict[str, Any] | None:
        """Ask for claims that are not in the ID token; those of another subject are of no worth.

        None where the provider tells nobody.
        """
        place = self._contact.metadata().get("userinfo_endpoint")
        if not isinstance(place, str) or not self._contact.is_safe(place):
            return None
        found = self._contact.json("GET", place, headers={"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:
            raise Refused("the provider told of somebody else than who signed in")
        return found

    def _verified(self, token: str, read: Any) -> dict[str, Any]:
        """Verify a token with the provider's keys, fetched anew if one of them is not known yet."""
        try:
            anew = needs_key(token, self._contact.key_set(anew=False))
            claims: dict[str, Any] = read(self._contact.key_set(anew=anew))
        except (JoseError, ValueError) as error:
            raise Refused(f"a token of the provider cannot be believed ({error})") from None
        return claims


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
