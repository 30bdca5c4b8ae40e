"""Chunks passed on as they lie in a file: a reader says once where, the server takes them from there.

The server understands nothing of what it passes on. What is at the places of a layout is read from the very file that
the layout was taken from, in the state in which it was then, and from below the data roots alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pancommons.nexus.serving.answering import Answer, Asked, tag
from pancommons.nexus.serving.budget import Refused
from pancommons.nexus.serving.chunks import MEDIA_TYPE
from pancommons.nexus.serving.layout import Layout
from pancommons.nexus.serving.seen import Seen, marks, seen, settled
from pancommons.nexus.serving.text import plain
from pancommons.server.hdf5.readers import Readers

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True)
class Passed(Answer):
    """An answer whose body goes on with chunks, each in bytes of its own: they are long, and not copied together."""

    stored: Sequence[bytes] = ()


def chunks(asked: Asked, readers: Readers) -> Answer:
    """Answer the chunks that a selection touches; have a reader do it where they cannot be passed on.

    That whoever asks may have the answer is decided by the files that it names as touched, as for all others.

    Raises
    ------
    Busy
        If no reader was free in time.
    """
    known = _layout(asked, readers)
    if known is not None and known.problem is not None:
        return known
    return (None if known is None else _passed(asked, known, readers)) or readers.ask(asked)


def _layout(asked: Asked, readers: Readers) -> Answer | None:
    """Return where the chunks lie, or why nobody can say so; None for a file that was changed just now."""
    question = replace(asked, what="layout", selection=None, unless=())
    known = readers.kept.find(question)
    if known is None:
        then = seen(asked.file)
        if then is None or not settled(then, time.time_ns()):
            return None
        told = readers.ask(question)
        known = told if told.problem is not None else readers.kept.find(question)
    return known


def _passed(asked: Asked, known: Answer, readers: Readers) -> Answer | None:
    files = {then[0]: then for then in (known.looked or {}).values() if then is not None and then[0] in known.touched}
    try:
        layout = Layout.unpacked(known.body)
    except ValueError:
        return None
    then = files.get(layout.file)
    if then is None or not readers.may_read(layout.file):
        return None
    name = tag(asked, files.values())
    if name in asked.unless:
        return Answer(304, headers={"ETag": name}, touched=known.touched)
    try:
        head, places = layout.find(asked.selection, readers.budget)
    except Refused as error:
        return Answer(error.status, problem=plain(error.problem), touched=known.touched)
    stored = _read(then, places)
    if stored is None:
        return None
    return Passed(200, head, {"Content-Type": MEDIA_TYPE, "ETag": name}, touched=known.touched, stored=stored)


def _read(then: Seen, places: Sequence[tuple[int, int]]) -> list[bytes] | None:
    """Read parts of a file; None if it is not what it was, or ends before them."""
    try:
        file = os.open(then[0], _OPEN)
    except OSError:
        return None
    try:
        stored = [os.pread(file, size, begin) for begin, size in places]
        whole = all(len(one) == size for one, (_, size) in zip(stored, places, strict=True))
        return stored if whole and marks(os.fstat(file)) == then[1:] else None  # it was the same until here
    except OSError:
        return None
    finally:
        os.close(file)
