"""The other files that a file reads from, as records: those there, those missing, and those out of bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.records import File
from pancommons.nexus.links import Source, all_sources

_MOST_LINKS = 5000
_MOST_TOLD = 50


@dataclass(frozen=True)
class LinkedFiles:
    """Files that a file refers to, with the places in it that do."""

    file: Path
    found: tuple[tuple[Source, File | None], ...]

    def of(self, entry: str) -> tuple[tuple[File, ...], list[str]]:
        """Return the files below roots that an entry needs, and what it names elsewhere, as it names it."""
        files: dict[tuple[str, str], File] = {}
        elsewhere: dict[str, None] = {}
        for source, file in self.found:
            if source.file == self.file and not f"{source.path}/".startswith(f"{entry}/"):
                continue
            if file is not None:
                known = files.get((file.root, file.path))
                if known is None or known.missing:
                    files[file.root, file.path] = file
            elif source.target:
                elsewhere[source.target + (" (missing)" if source.found is None else "")] = None
        return tuple(files[key] for key in sorted(files)), list(elsewhere)[:_MOST_TOLD]


def linked_files(path: Path, roots: Roots, digest: Callable[[Path], str] | None) -> LinkedFiles:
    """Find what a file refers to; a file it lacks is looked for where it would lie beside it."""
    known: dict[Path, File | None] = {}
    found = []
    for source in all_sources(path, most=_MOST_LINKS, soft=False):
        where = source.found or source.file.parent / source.target
        if where.resolve() == path.resolve():
            continue
        if where not in known:
            known[where] = _described(where, source.found is None, roots, digest)
        found.append((source, known[where]))
    return LinkedFiles(path, tuple(found))


def _described(where: Path, missing: bool, roots: Roots, digest: Callable[[Path], str] | None) -> File | None:
    place = roots.place(Path(os.path.normpath(where)))
    if place is None:
        return None
    if missing:
        return File(root=place.root, path=place.path, role="linked", missing=True)
    stat = where.stat()
    return File(
        root=place.root,
        path=place.path,
        role="linked",
        size=stat.st_size,
        mtime=datetime.fromtimestamp(stat.st_mtime, UTC),
        sha256=digest(where) if digest else None,
    )
