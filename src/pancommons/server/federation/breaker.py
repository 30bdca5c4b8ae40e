"""Leaving a catalogue alone that does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Breaker:
    """After some failures in a row nobody asks for a while; then one question is let through to see.

    Attributes
    ----------
    failures
        So many in a row open it.
    seconds
        How long it stays open.
    """

    failures: int = 3
    seconds: float = 30.0
    clock: Callable[[], float] = time.monotonic
    _failed: int = 0
    _until: float = 0.0

    @property
    def closed(self) -> bool:
        """Say whether questions pass."""
        return self._failed < self.failures

    def passes(self) -> bool:
        """Say whether this question may pass; of those that come after the rest, the first one."""
        if self.closed:
            return True
        if self.clock() < self._until:
            return False
        self._until = self.clock() + self.seconds
        return True

    def succeeded(self) -> None:
        """Note an answer."""
        self._failed = 0

    def failed(self) -> None:
        """Note that there was none."""
        self._failed += 1
        if not self.closed:
            self._until = self.clock() + self.seconds
