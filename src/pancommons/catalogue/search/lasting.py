"""What was counted for somebody, kept for as long as counting again would give the same.

That is until a record or the techniques change, which moves the catalogue's counter of changes, or until the moment
at which something opens that the same person could not see before. New datasets that are closed for good to whoever
asks, as results of others' runs are, change nothing for them. Nobody is given what was counted for another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from pancommons.catalogue.access import ANONYMOUS, Action, Principal, visible
from pancommons.catalogue.changes import only_new
from pancommons.catalogue.ledger import Reached, reached
from pancommons.catalogue.tables import datasets, guards, instruments, samples
from pancommons.store.engine import Database
from pancommons.store.schema import floor

MOST = 100_000
"""So many rows are kept for a database; what was asked for longest ago goes first."""

_T = TypeVar("_T")

_MOST_COMPARED = 10_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """What was counted: when the catalogue had come how far, and from and until when it holds."""

    reached: Reached
    since: datetime
    until: datetime | None
    size: int
    value: Any

    def holds(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass
class _Kept:
    """The entries of a database, by who asked what."""

    entries: OrderedDict[Hashable, _Entry] = field(default_factory=OrderedDict)
    size: int = 0
    compared: OrderedDict[Hashable, bool] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    making: WeakValueDictionary[Hashable, threading.RLock] = field(default_factory=WeakValueDictionary)

    def turn(self, key: Hashable) -> threading.RLock:
        """Return what all who would make the same hold in turn: only the first of them makes it."""
        with self.lock:
            return self.making.setdefault(key, threading.RLock())

    def get(self, key: Hashable, at: datetime) -> _Entry | None:
        with self.lock:
            found = self.entries.get(key)
            if found is None or not found.holds(at):
                return None
            self.entries.move_to_end(key)
            return found

    def note(self, key: Hashable, same: bool) -> None:
        with self.lock:
            self.compared[key] = same
            if len(self.compared) > _MOST_COMPARED:
                self.compared.popitem(last=False)

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
class _Moment:
    """How far the catalogue had come when it was first asked for."""

    reached: Reached | None = None


@dataclass
class Lasting:
    """What is kept, as one request uses it: it asks once how far the catalogue has come, for all that is shown.

    Attributes
    ----------
    principal, at
        Who asks, and when.
    """

    database: Database
    principal: Principal
    at: datetime
    _moment: _Moment = field(default_factory=_Moment)

    def __post_init__(self) -> None:
        self.at = floor(self.at)
        with _making:
            self._all = _kept.setdefault(self.database.reader, _Kept())

    def of(self, principal: Principal) -> Lasting:
        """Return what is kept for another, for the same request."""
        return replace(self, principal=principal)

    def get(
        self,
        what: Hashable,
        make: Callable[[], tuple[_T, bool]],
        size: Callable[[_T], int] = lambda _: 1,
        grow: Callable[[_T], _T] | None = None,
    ) -> _T:
        """Return what was kept, or make it.

        Parameters
        ----------
        what
            What is asked, apart from who asks it.
        make
            Gives it, and whether it is worth keeping.
        size
            How many rows it has.
        grow
            Gives it from what was kept, where since then datasets came and nothing else changed.
        """
        key, now = (self.principal, what), self._now()
        found = self._found(key, now)
        if found is None:
            with self._all.turn(key):
                found = self._found(key, now) or self._made(key, now, make, size, grow)
        value: _T = found.value
        return value

    def _now(self) -> Reached:
        """Return how far the catalogue is, read before anything is counted: what changes meanwhile comes after that."""
        if self._moment.reached is None:
            with self.database.read() as connection:
                self._moment.reached = reached(connection)
        return self._moment.reached

    def _made(
        self,
        key: Hashable,
        now: Reached,
        make: Callable[[], tuple[_T, bool]],
        size: Callable[[_T], int],
        grow: Callable[[_T], _T] | None,
    ) -> _Entry:
        until = self._next(now)
        known = self._all.get(key, self.at) if grow is not None else None
        if grow is not None and known is not None and self._only_new(known.reached, now):
            made, lasts = grow(known.value), True
        else:
            made, lasts = make()
        entry = _Entry(now, self.at, until, size(made), made)
        if lasts:
            self._all.put(key, entry)
        return entry

    def _only_new(self, then: Reached, now: Reached) -> bool:
        with self.database.read() as connection:
            return only_new(connection, then, now)

    def _next(self, now: Reached) -> datetime | None:
        """Return until when something holds that is counted now."""
        key = (self.principal, "next opening")
        if (found := self._found(key, now)) is not None:
            return found.until
        with self.database.read() as connection:
            until = next_opening(connection, self.principal, self.at)
        self._all.put(key, _Entry(now, self.at, until, 1, None))
        return until

    def _found(self, key: Hashable, now: Reached) -> _Entry | None:
        """Return what was kept, if it holds still."""
        found = self._all.get(key, self.at)
        # Ids are taken for much that is no record. What another request made that began later is newer, not older.
        if found is None or found.reached[0] >= now[0]:
            return found
        which = (self.principal, found.reached, now)
        if (same := self._all.compared.get(which)) is None:
            with self.database.read() as connection:
                same = nothing_new(connection, self.principal, found.reached, now, self.at)
            self._all.note(which, same)
        if not same:
            return None
        found = replace(found, reached=now)
        self._all.put(key, found)
        return found


def nothing_new(connection: Connection, principal: Principal, then: Reached, now: Reached, at: datetime) -> bool:
    """Say whether all that changed meanwhile is that datasets came that are closed to somebody, and stay so.

    What inputs of a dataset keep back until they open is in `next_opening` already.
    """
    never = sa.and_(
        *(datasets.c[name].is_(None) for name in ("open_from", "discoverable_from", "public_from", "findable_from"))
    )
    return only_new(connection, then, now, never, sa.not_(visible(datasets, principal, Action.DISCOVER, at)))


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
