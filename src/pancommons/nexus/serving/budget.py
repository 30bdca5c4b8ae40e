"""How much one answer may cost, and what is said where that is not enough."""

from __future__ import annotations

import time
from dataclasses import dataclass


class Refused(Exception):
    """A request that is not answered, and why.

    Parameters
    ----------
    status
        As HTTP has it: 404 nothing there, 413 too much, 415 no HDF5, 422 not possible.
    problem
        One sentence without a full stop at its end; names no path of this machine.
    """

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status, self.problem = status, problem


@dataclass(frozen=True)
class Budget:
    """What one request may cost.

    Attributes
    ----------
    answer_bytes
        Size of the answer.
    decoded_bytes
        Size of all chunks that have to be decoded for it.
    chunk_bytes
        Size of one decoded chunk.
    elements
        Elements of variable length or sent as text.
    attribute_bytes
        Size of the value of one attribute.
    children
        Members of a group listed at a time.
    paths
        Paths listed below a group.
    sources
        Sources of a virtual dataset.
    seconds
        Time to compute an answer; a process that needs much longer is ended.
    memory_bytes
        What a reading process may take beyond what it needs when idle.
    """

    answer_bytes: int = 8 << 20
    decoded_bytes: int = 4 << 30
    chunk_bytes: int = 256 << 20
    elements: int = 1_000_000
    attribute_bytes: int = 1 << 20
    children: int = 2000
    paths: int = 50_000
    sources: int = 20_000
    seconds: float = 10.0
    memory_bytes: int = 1 << 30


class Clock:
    """The time left for one request."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Say whether the time is up."""
        return time.monotonic() > self._until

    def check(self, hint: str) -> None:
        """Refuse to go on once the time is up.

        Raises
        ------
        Refused
            413 with what to ask instead.
        """
        if self.over:
            raise Refused(413, f"takes longer than {self._seconds:g} s; {hint}")
