"""Answers that cost much to compute and little to keep, as long as what they were taken from is what it was."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from pancommons.nexus.serving.answering import Answer, Asked
from pancommons.nexus.serving.seen import seen, settled

_KINDS = frozenset({"frame", "stats", "picture", "look", "layout"})
_MOST_BYTES = 64 << 20
_SHARE = 8
_EACH = 1024  # what an entry takes beside its texts and its body, about


@dataclass(frozen=True)
class _Entry:
    answer: Answer
    size: int


class KeptAnswers:
    """Answers by all that was asked, the files that were denied included; the least used go first.

    That whoever asks may have an answer is decided anew each time, by the files that it names as touched. An answer
    is handed out only where every path that was tried for it still leads to the same file in the same state, or still
    to nothing. The threads of a server share one of these.

    Parameters
    ----------
    most
        Bytes that all answers together may take.
    """

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most, self._size = most, 0
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Return how many bytes all answers take."""
        return self._size

    def find(self, asked: Asked) -> Answer | None:
        """Return the answer to a request: with status 304 where whoever asks has it already, None if none is kept."""
        key = _key(asked)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
        found = entry.answer
        if any(seen(path) != then for path, then in (found.looked or {}).items()):
            self._forget(key, entry)
            return None
        tag = found.headers.get("ETag", "")
        if tag in asked.unless:
            return replace(found, status=304, body=b"", headers={"ETag": tag})
        return found

    def keep(self, asked: Asked, found: Answer, began: int) -> None:
        """Keep an answer, if it is of a kind that is kept and any change of its files since would show.

        Parameters
        ----------
        began
            A moment before it was asked for, in ns since 1970.
        """
        if asked.what not in _KINDS or found.status != 200 or not found.looked:
            return
        if not all(then is None or settled(then, began) for then in found.looked.values()):
            return
        key = _key(asked)
        size = len(key) + len(found.body) + sum(map(len, found.looked)) + _EACH * (1 + len(found.looked))
        if size > self._most // _SHARE:
            return
        with self._lock:
            self._drop(key)
            self._entries[key] = _Entry(found, size)
            self._size += size
            while self._size > self._most:
                self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._entries.clear()
            self._size = 0

    def _forget(self, key: str, entry: _Entry) -> None:
        with self._lock:
            if self._entries.get(key) is entry:
                self._drop(key)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        self._size -= 0 if entry is None else entry.size


def _key(asked: Asked) -> str:
    return repr(replace(asked, unless=(), denied=sorted(asked.denied)))
