"""Having a file read that the catalogue knows, for whoever asks, with what it reads from others as far as they may."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from pancommons.catalogue.access import Principal
from pancommons.catalogue.ingest.roots import Place
from pancommons.catalogue.read import file_and_standing, unreadable
from pancommons.nexus.serving.answering import Answer, Asked
from pancommons.server.hdf5 import passing
from pancommons.server.hdf5.readers import Busy, Readers
from pancommons.server.services import STATEMENT_SECONDS, Now, Services, Shared
from pancommons.server.sightings import Noting
from pancommons.server.visitor import Asking, Who

_ROUNDS = 3
_JUST_NOW = 0.1
"""Seconds for which a decision stands; who may read what is decided again when an answer took longer than that."""
_SEVERED = "\0"
"""Between a root and a path in it, as `pancommons.server.sighted.Note` has them."""
NO_FILE = "File not found: there is no such file that you may read"
_BUSY = "too many files are being read at the moment; try again"


class Asker:
    """Whoever asks for a file, with all that is needed to answer."""

    def __init__(
        self, file_id: str, request: Request, shared: Services, who: Principal, at: datetime, noted: Noting
    ) -> None:
        self.file_id, self.request, self.shared, self.who, self.at = file_id, request, shared, who, at
        self.noted, self.pool = noted, readers(request)

    def __call__(self, what: str, **told: Any) -> Answer:
        """Have a request answered, see `pancommons.nexus.serving.answering.Asked`.

        A file is shown with what it reads from other files, as far as these may be read too: what turns out not to
        be is denied, and the request answered again without it.
        """
        own = _own(self.shared, self.file_id, self.who, self.at)
        seeing = "picture" if what == "picture" else "look inside"
        if own is None:
            self.noted.refused(seeing, "file", self.file_id)
            return Answer(404, problem=NO_FILE)
        unless = [tag.strip().removeprefix("W/") for tag in self.request.headers.get("if-none-match", "").split(",")]
        denied: list[str] = []
        for _ in range(_ROUNDS):
            asked = Asked(str(own.path), what, **told, denied=denied, unless=unless)
            try:
                found = passing.chunks(asked, self.pool) if what == "chunks" else self.pool.ask(asked)
            except Busy:
                return Answer(503, headers={"Retry-After": "2"}, problem=_BUSY)
            places = _places(self.shared, found.touched)
            kept_back = own.kept_back(places)
            if kept_back is None:
                kept_back = _denied(self.shared, places, self.who, self.at)
            newly = {places[place] for place in kept_back} - set(denied)
            if not newly:
                self.noted.refused(seeing, "place", *map(_SEVERED.join, kept_back))
                if found.problem is None:
                    self.noted.saw(seeing, "file", self.file_id)
                    self.noted.saw(seeing, "place", *map(_SEVERED.join, places.keys() - kept_back))
                return found
            denied += sorted(newly)
        self.noted.refused(seeing, "file", self.file_id)
        return Answer(404, problem=NO_FILE)


def readers(request: Request) -> Readers:
    """Return the processes that read for this application."""
    found: Readers = request.app.state.readers
    return found


async def asker(file_id: str, request: Request, shared: Shared, asking: Asking, who: Who, at: Now) -> Asker:
    """Return who asks for a file."""
    return Asker(file_id, request, shared, who, at, Noting(request, who, asking, at))


Ask = Annotated[Asker, Depends(asker)]


@dataclass(frozen=True)
class _Own:
    """The file that is asked about, and what was decided on its place.

    Attributes
    ----------
    where
        The root, and the path in it.
    hidden
        Whether the catalogue keeps what lies there from whoever asks, by another of its records.
    decided
        When, by the monotonic clock.
    """

    path: Path
    where: tuple[str, str]
    hidden: bool
    decided: float = field(default_factory=time.monotonic)

    def kept_back(self, places: Mapping[tuple[str, str], str]) -> set[tuple[str, str]] | None:
        """Return which places are kept back, if nothing but this file was read, and that just now; else None."""
        if places.keys() != {self.where} or time.monotonic() - self.decided > _JUST_NOW:
            return None
        return {self.where} if self.hidden else set()


def _own(shared: Services, identifier: str, who: Principal, at: datetime) -> _Own | None:
    """Return a file; None if there is none that this principal may read."""
    with shared.database.read(STATEMENT_SECONDS, by_key=True) as connection:
        found = file_and_standing(connection, identifier, who, at)
    if found is None:
        return None
    file, hidden = found
    path = shared.roots().path(Place(file.root, file.path))
    return None if path is None else _Own(path, (file.root, file.path), hidden)


def _places(shared: Services, touched: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return the paths of files that were read by where they lie in the data roots."""
    places: dict[tuple[str, str], str] = {}
    for name, folder in shared.roots().folders.items():
        inside = os.path.realpath(folder).rstrip("/") + "/"
        for path in touched:
            if path.startswith(inside):
                places[name, path.removeprefix(inside)] = path
    return places


def _denied(
    shared: Services, places: Mapping[tuple[str, str], str], who: Principal, at: datetime
) -> set[tuple[str, str]]:
    """Return where files lie that were read and that the catalogue keeps from this principal."""
    with shared.database.read(STATEMENT_SECONDS, by_key=True) as connection:
        return unreadable(connection, places, who, at)
