"""Reading a run folder that somebody else's process writes: plain files in it, and nothing that a link leads to."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from pancommons.base.errors import BadInput
from pancommons.pipelines.events import Event
from pancommons.pipelines.following import Progress, StageProgress
from pancommons.pipelines.record import Record

_MOST = 64 << 20
_PIECE = 1 << 20


def open_inside(folder: Path, name: str) -> BinaryIO | None:
    """Open a file of a folder for reading; None if there is no such plain file, or a link on the way to it."""
    *inner, last = name.split("/")
    if any(part in ("", ".", "..") for part in (*inner, last)) or "\0" in name:
        return None
    place = -1
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        for part in inner:
            above, place = (
                place,
                os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place),
            )
            os.close(above)
        handle = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except (OSError, UnicodeEncodeError):
        return None
    finally:
        if place >= 0:
            os.close(place)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    return os.fdopen(handle, "rb")


def read_inside(folder: Path, name: str, most: int = _MOST) -> bytes | None:
    """Return the content of a file of a folder; None if it is not there or is larger than may be."""
    file = open_inside(folder, name)
    if file is None:
        return None
    with file:
        content = file.read(most + 1)
    return content if len(content) <= most else None


def record(folder: Path) -> Record:
    """Read ``run.json``.

    Raises
    ------
    BadInput
        If it is not there or is none.
    """
    try:
        return Record.model_validate_json(read_inside(folder, "run.json") or b"")
    except ValidationError:
        raise BadInput("the folder of this run is gone or damaged") from None


def report(folder: Path) -> dict[str, object]:
    """Read ``report.json``; empty where the run has not come so far."""
    with suppress(ValueError):
        told = json.loads(read_inside(folder, "report.json") or b"{}")
        if isinstance(told, dict):
            return told
    return {}


class Tail:
    """The events of a run from a line on, as they come; each is given once, with the number of its line."""

    def __init__(self, folder: Path, after: int = 0) -> None:
        self._folder, self._after = folder, after
        self._offset = 0
        self.line = 0

    def more(self) -> list[tuple[int, Event]]:
        """Return the events that are whole and were not given yet; lines that a crash cut short are counted only."""
        file = open_inside(self._folder, "events.jsonl")
        if file is None:
            return []
        found: list[tuple[int, Event]] = []
        with file:
            file.seek(self._offset)
            for text in file:
                if not text.endswith(b"\n"):
                    break
                self._offset += len(text)
                self.line += 1
                if self.line <= self._after:
                    continue
                with suppress(ValueError):
                    event = json.loads(text)
                    if isinstance(event, dict):
                        found.append((self.line, event))
        return found


def lines(folder: Path) -> int:
    """Count the whole lines of a run's events."""
    file, count = open_inside(folder, "events.jsonl"), 0
    if file is not None:
        with file:
            while piece := file.read(_PIECE):
                count += piece.count(b"\n")
    return count


def progress(folder: Path, stages: dict[str, tuple[str, str]]) -> Progress:
    """Read where a run is.

    Parameters
    ----------
    stages
        Title and noun of each stage of its pipeline, in order, so that those which have not begun are there too.

    Raises
    ------
    BadInput
        If the folder is gone.
    """
    plan = record(folder)
    found = Progress(warnings=list(plan.warnings))
    for _, event in Tail(folder).more():
        with suppress(KeyError, TypeError, ValueError):
            found.take(event)
    known = found.stages
    found.stages = {}
    for name, (title, noun) in stages.items():
        total = sum(unit.size for unit in plan.plan.get(name, []))
        if name in known:
            found.stages[name] = known.pop(name)
        elif total:
            found.stages[name] = StageProgress(name, title, noun, total)
    found.stages |= known
    return found
