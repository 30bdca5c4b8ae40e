"""What signing in needs while the server runs: the providers, the rules for entitlements, and what is counted."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from pancommons.base.settings import SignIn
from pancommons.server.services import Services
from pancommons.server.signin.provider import Provider
from pancommons.server.signin.refreshing import Refreshing
from pancommons.server.signin.roles import Rule, rules
from pancommons.server.signin.seen import LastSeen

_GUESSES = 10
_WITHIN = timedelta(minutes=10)


class Guesses:
    """Counts codes that were wrong, by account."""

    def __init__(self) -> None:
        self._wrong: dict[int, deque[datetime]] = {}
        self._lock = threading.Lock()

    def too_many(self, account: int, at: datetime) -> bool:
        """Say whether somebody has to wait before trying another code."""
        with self._lock:
            wrong = self._wrong.get(account, deque())
            while wrong and at - wrong[0] > _WITHIN:
                wrong.popleft()
            return len(wrong) >= _GUESSES

    def wrong(self, account: int, at: datetime) -> None:
        """Count a code that was wrong."""
        with self._lock:
            self._wrong.setdefault(account, deque(maxlen=_GUESSES)).append(at)


@dataclass(frozen=True)
class Desk:
    """Opened once, when the application is made.

    Attributes
    ----------
    providers
        By their names in the settings; where there are none nobody signs in.
    """

    told: SignIn
    providers: dict[str, Provider]
    rules: tuple[Rule, ...]
    seen: LastSeen
    refreshing: Refreshing
    guesses: Guesses = field(default_factory=Guesses)

    @classmethod
    def open(cls, services: Services) -> Desk:
        """Read the settings; no provider is asked yet.

        Raises
        ------
        BadInput
            If a rule for entitlements cannot be understood.
        """
        told = services.settings.signin
        providers = {one.name: Provider(one) for one in told.providers}
        refreshing = Refreshing(services.database, providers, told)
        return cls(told, providers, rules(told.entitled), LastSeen(services.database), refreshing)

    def provider(self, name: str) -> Provider:
        """Return a provider by its name in the settings.

        Raises
        ------
        HTTPException
            With 404 if there is none.
        """
        found = self.providers.get(name)
        if found is None:
            raise HTTPException(404, "nobody signs in at a provider of this name")
        return found

    @property
    def issuers(self) -> set[str]:
        """Return whose word is taken for who somebody is."""
        return {one.told.issuer for one in self.providers.values()}

    def close(self) -> None:
        """Close what is open."""
        self.seen.close()
        self.refreshing.close()
        for one in self.providers.values():
            one.close()


def desk(request: Request) -> Desk:
    """Return what the application was made with."""
    found: Desk = request.app.state.signin
    return found


AtDesk = Annotated[Desk, Depends(desk)]
