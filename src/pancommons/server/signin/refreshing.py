"""Entitlements read anew while somebody is signed in, beside the requests: no request waits for a provider.

A session whose entitlements are older than ``signin.refresh_hours`` is taken on by one thread of one server. A
provider that does not answer is asked again later, and what it said holds until ``signin.entitled_days``. One that does
not take the refresh token any more ends the session, and what it said counts no more until its owner signs in again:
the session, the account or the membership may be gone, and it does not say which.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pancommons.base.settings import SignIn
from pancommons.catalogue.access import Principal
from pancommons.catalogue.audit import record
from pancommons.server.signin import sessions
from pancommons.server.signin.accounts import note_entitlements
from pancommons.server.signin.provider import Provider
from pancommons.server.signin.sealed import Held, seal, unseal
from pancommons.server.signin.verifying import Refused, Withdrawn
from pancommons.store.engine import Database

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=5)
"""Between two attempts of a session; longer than one can take, so that no two are under way."""

_AT_A_TIME = 2
_WAITING = 1000
_NAMED = 20


class Refreshing:
    """Reads entitlements anew, one attempt at a time of a session, of all servers of a database together."""

    def __init__(self, database: Database, providers: Mapping[str, Provider], told: SignIn) -> None:
        self._database, self._providers, self._told = database, providers, told
        self._going = set[int]()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_AT_A_TIME, "refresh-entitlements")

    def note(self, session: Any, secret: str, at: datetime) -> None:
        """Note that a session is used, and ask its provider if that is due.

        Parameters
        ----------
        session
            Its row, with what is known of its account.
        secret
            That the browser showed: without it nothing can be asked.
        """
        read = session.entitled_at or session.signed_in_at
        if session.refresh_at is None or session.refresh_at > at:
            return
        if at - read < timedelta(hours=self._told.refresh_hours) or session.provider not in self._providers:
            return
        with self._lock:
            if session.id in self._going or len(self._going) >= _WAITING:
                return
            self._going.add(session.id)
        self._threads.submit(self._attempt, session.id, secret, at)

    def give_up(self, provider: str, held: Held) -> None:
        """Tell a provider that nobody uses the refresh token of a session any more."""
        one = self._providers.get(provider)
        if one is not None and held.refresh_token is not None:
            self._threads.submit(self._give_up, one, held.refresh_token)

    def close(self) -> None:
        """End once what is under way is done: a token that a provider gave must be kept."""
        self._threads.shutdown(cancel_futures=True)

    def _attempt(self, key: int, secret: str, at: datetime) -> None:
        try:
            with self._database.write() as connection:
                row = sessions.claim(connection, key, self._told, at, AGAIN)
            held = None if row is None else unseal(row.sealed, secret)
            if held is not None and held.refresh_token is not None:
                self._ask(row, held, secret, at)
        except Refused as refused:
            log.warning("entitlements cannot be read anew: %s; asked again in %s", refused, AGAIN)
        except SQLAlchemyError as error:
            log.warning("entitlements cannot be written: %s", error)
        except Exception:
            log.exception("entitlements cannot be read anew")
        finally:
            with self._lock:
                self._going.discard(key)

    def _ask(self, row: Any, held: Held, secret: str, at: datetime) -> None:
        one = self._providers[row.provider]
        try:
            renewed, answer = one.renew(held)
        except Withdrawn as withdrawn:
            self._end(row, str(withdrawn), at)
            return
        with self._database.write() as connection:
            if not sessions.renew(connection, row.id, seal(renewed, secret), at + AGAIN):
                self.give_up(row.provider, renewed)
                return
        said = one.entitlements(renewed, answer, at)
        with self._database.write() as connection:
            due = at + timedelta(hours=self._told.refresh_hours)
            if not sessions.renew(connection, row.id, seal(renewed, secret), due):
                return
            note_entitlements(connection, row.account_id, said, at)
            gained, lost = _new(said, row.entitlements), _new(row.entitlements, said)
            facts = {"provider": row.provider, "gained": gained, "lost": lost}
            record(connection, Principal(row.person), "read entitlements", at, facts=facts)

    def _end(self, row: Any, reason: str, at: datetime) -> None:
        log.warning("a session ends: %s", reason)
        with self._database.write() as connection:
            if sessions.end(connection, row.account_id, row.id):
                note_entitlements(connection, row.account_id, (), at)
                facts = {"provider": row.provider, "session": row.id, "reason": reason[:200]}
                record(connection, Principal(row.person), "end refused session", at, facts=facts)

    @staticmethod
    def _give_up(one: Provider, refresh_token: str) -> None:
        try:
            one.give_up(refresh_token)
        except Refused as refused:
            log.warning("a refresh token could not be revoked: %s", refused)


def _new(these: Any, those: Any) -> list[str]:
    return sorted(set(these) - set(those))[:_NAMED]
