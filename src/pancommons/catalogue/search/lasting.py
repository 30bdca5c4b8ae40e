"""What was counted for somebody, kept for as long as counting again would give the same.

That is until a record or the techniques change, which moves the catalogue's counter of changes, or until the moment
at which something opens that the same person could not see before. Nobody is given what was counted for another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.catalogue.ledger import version
from pancommons.catalogue.tables import datasets, guards, instruments, samples
from pancommons.store.engine import Database
from pancommons.store.schema import floor

MOST = 100_000
"""So many rows are kept for a database; what was asked for longest ago goes first."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What was counted: of which version of the catalogue, and from and until when it holds."""

    version: int
    since: datetime
    until: datetime | None
    size: int
    value: Any

    def holds(self, version: int, at: datetime) -> bool:
        return self.version == version and self.since <= at and (self.until is None or at < self.until)


@dataclass
class _Kept:
    """The entries of a database, by who asked what."""

    entries: OrderedDict[Hashable, _Entry] = field(default_factory=OrderedDict)
    size: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, version: int, at: datetime) -> _Entry | None:
        with self.lock:
            found = self.entries.get(key)
            if found is None or not found.holds(version, at):
                return None
            self.entries.move_to_end(key)
            return found

    def put(self, key: Hashable, entry: _Entry) -> None:
        with self.lock:
            old = self.entries.pop(key, None)
            self.entries[key] = entry
            self.size += entry.size - (old.size if old else 0)
            while self.size > MOST:
                self.size -= self.entries.popitem(last=False)[1].size


_kept: WeakKeyDictionary[Engine, _Kept] = WeakKeyDictionary()
_making = threading.Lock()


@dataclass
class Lasting:
    """What is kept, as one request uses it.

    Attributes
    ----------
    principal, at
        Who asks, and when.
    """

    database: Database
    principal: Principal
    at: datetime
    _version: int | None = None

    def __post_init__(self) -> None:
        self.at = floor(self.at)
        with _making:
            self._all = _kept.setdefault(self.database.reader, _Kept())

    def get(self, what: Hashable, make: Callable[[], tuple[_T, bool]], size: Callable[[_T], int] = lambda _: 1) -> _T:
        """Return what was kept, or make it.

        Parameters
        ----------
        what
            What is asked, apart from who asks it.
        make
            Gives it, and whether it is worth keeping.
        size
            How many rows it has.
        """
        # The version is read before anything is counted: what changes meanwhile makes a younger version.
        if self._version is None:
            with self.database.read() as connection:
                self._version = version(connection)
        key = (self.principal, what)
        if (found := self._all.get(key, self._version, self.at)) is not None:
            value: _T = found.value
            return value
        until = self._next(self._version)
        made, lasts = make()
        if lasts:
            self._all.put(key, _Entry(self._version, self.at, until, size(made), made))
        return made

    def _next(self, version: int) -> datetime | None:
        """Return until when something holds that is counted now."""
        key = (self.principal, "next opening")
        if (found := self._all.get(key, version, self.at)) is not None:
            return found.until
        with self.database.read() as connection:
            until = next_opening(connection, self.principal, self.at)
        self._all.put(key, _Entry(version, self.at, until, 1, None))
        return until


def next_opening(connection: Connection, principal: Principal, at: datetime) -> datetime | None:
    """Return the first moment after one at which somebody may see more datasets, samples or instruments.

    None if that needs a change in the catalogue. A dataset with inputs opens to those with a role on these before it
    opens to anybody.
    """
    moments = [
        datasets.c.findable_from, datasets.c.public_from, instruments.c.discoverable_from, samples.c.discoverable_from
    ]  # fmt: skip
    first = [
        connection.execute(sa.select(sa.func.min(one, type_=one.type)).where(one > sa.literal(at, one.type))).scalar()
        for one in moments
    ]
    if principal != ANONYMOUS:
        bound = sa.union(sa.select(guards.c.dataset_id), sa.select(guards.c.input_id))
        own = datasets.c.discoverable_from
        query = sa.select(sa.func.min(own, type_=own.type)).where(
            own > sa.literal(at, own.type), datasets.c.id.in_(bound)
        )
        first.append(connection.execute(query).scalar())
    return min((one for one in first if one is not None), default=None)
