"""Waiting in line: a few at a time, of each visitor fewer, and when one leaves it is the next visitor's turn."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque

import anyio


class Full(Exception):
    """As many of this visitor wait as may."""


class Line:
    """Who is inside, and who waits; for one event loop.

    Parameters
    ----------
    total
        How many may be inside; None for any number.
    each
        How many of one visitor.
    waiting
        How many of one visitor may wait.
    """

    def __init__(self, total: int | None, each: int, waiting: int = 256) -> None:
        self._total, self._each, self._most = total, each, waiting
        self._inside: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[anyio.Event]] = OrderedDict()

    async def enter(self, key: str) -> None:
        """Wait until one may go in; whoever does leaves again.

        Raises
        ------
        Full
            If too many of this visitor wait already.
        """
        if key not in self._waiting and self._may(key):
            self._inside[key] += 1
            return
        mine = self._waiting.setdefault(key, deque())
        if len(mine) >= self._most:
            if not mine:
                del self._waiting[key]
            raise Full
        called = anyio.Event()
        mine.append(called)
        try:
            await called.wait()
        except BaseException:
            if called.is_set():
                self.leave(key)
            else:
                mine.remove(called)
                if not mine:
                    self._waiting.pop(key, None)
            raise

    def leave(self, key: str) -> None:
        """Go out, and let in whose turn it is."""
        self._inside[key] -= 1
        if not self._inside[key]:
            del self._inside[key]
        let_in = True
        while let_in:
            let_in = False
            for one in list(self._waiting):
                if self._may(one):
                    self._call(one)
                    let_in = True

    def _may(self, key: str) -> bool:
        room = self._total is None or self._inside.total() < self._total
        return room and self._inside[key] < self._each

    def _call(self, key: str) -> None:
        """Let in the one of a visitor who waits longest; other visitors come before the next one."""
        mine = self._waiting[key]
        self._inside[key] += 1
        mine.popleft().set()
        if mine:
            self._waiting.move_to_end(key)
        else:
            del self._waiting[key]
