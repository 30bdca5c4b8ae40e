"""How much each visitor has left, in memory that all processes of a server share."""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pancommons.base.settings import Rate
from pancommons.nexus.serving import room

MOST = 40_000
"""Visitors that are remembered, for each kind of request one; who asked longest ago is forgotten first."""

_TOGETHER = 10
_QUIET = 60.0
"""Seconds for which a refusal is not logged again."""
_SALT = 16
_ENTRY = struct.Struct("=Qddd")


@dataclass(slots=True)
class _Named:
    """What the visitor of a name has left; ``told`` is when it was last logged that there is nothing."""

    name: int
    left: float
    at: float
    told: float


class Table:
    """Buckets by key, in a fixed number of places: ten can take a key, and the one used longest ago does.

    The memory has no name, and goes to the processes of a server by its descriptor.

    Parameters
    ----------
    most
        How many keys, by tens.
    memory
        Descriptor of the memory of another process's table with as many.
    """

    def __init__(self, most: int = MOST, memory: int | None = None) -> None:
        self._groups = max(1, most // _TOGETHER)
        size = _SALT + self._groups * _TOGETHER * _ENTRY.size
        self.memory = room.make(size) if memory is None else os.dup(memory)
        shared = room.enter(os.dup(self.memory)) if self.memory is not None else None
        self._bytes = mmap.mmap(-1, size) if shared is None else shared
        if memory is None:
            self._bytes[:_SALT] = os.urandom(_SALT)

    def __len__(self) -> int:
        return sum(entry[0] != 0 for entry in _ENTRY.iter_unpack(self._bytes[_SALT:]))

    def __del__(self) -> None:
        memory = getattr(self, "memory", None)
        if memory is not None:
            os.close(memory)

    @contextmanager
    def bucket(self, key: str, whole: float, at: float) -> Iterator[_Named]:
        """Hold a visitor's bucket, as it was left or else with all that it can hold; nobody else has it meanwhile."""
        digest = hashlib.blake2b(key.encode(), digest_size=16, key=self._bytes[:_SALT]).digest()
        name, group = struct.unpack("=QQ", digest)
        begin = _SALT + group % self._groups * _TOGETHER * _ENTRY.size
        with self._alone():
            end = begin + _TOGETHER * _ENTRY.size
            here = [_Named(*entry) for entry in _ENTRY.iter_unpack(self._bytes[begin:end])]
            found = next((one for one in here if one.name == name), None) or _Named(name, whole, at, -math.inf)
            others = [one for one in here if one is not found]
            try:
                yield found
            finally:  # whoever asked last comes first, so that the last is forgotten
                order = [found, *others][:_TOGETHER]
                self._bytes[begin:end] = b"".join(_ENTRY.pack(one.name, one.left, one.at, one.told) for one in order)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the other processes out; the lock of one that ends is free again."""
        if self.memory is None:
            yield
            return
        fcntl.lockf(self.memory, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.memory, fcntl.LOCK_UN)


class Buckets:
    """A bucket of one kind for each visitor: it empties with each request and fills with time.

    Parameters
    ----------
    kind
        Of requests, for which a visitor has a bucket of its own in the table.
    clock
        Seconds that only grow, the same for all processes.
    """

    def __init__(
        self, rate: Rate, table: Table | None = None, kind: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._kind, self._clock = rate, kind, clock
        self._table = Table() if table is None else table

    def take(self, key: str, cost: float = 1.0) -> float:
        """Take from a visitor's bucket; return 0, or after how many seconds there is enough, and take nothing."""
        at, whole = self._clock(), float(self._rate.at_once)
        with self._table.bucket(f"{self._kind} {key}", whole, at) as bucket:
            bucket.left = min(whole, bucket.left + max(0.0, at - bucket.at) * self._rate.a_second)
            bucket.at = at
            cost = min(cost, whole)
            if bucket.left >= cost:
                bucket.left -= cost
                return 0.0
            return (cost - bucket.left) / self._rate.a_second

    def is_news(self, key: str) -> bool:
        """Say whether nobody was told for a while that this visitor is refused; now somebody is."""
        at = self._clock()
        with self._table.bucket(f"{self._kind} {key}", float(self._rate.at_once), at) as bucket:
            news = at - bucket.told > _QUIET
            if news:
                bucket.told = at
            return news
