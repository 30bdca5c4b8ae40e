"""Opening files of the data roots so that nothing outside of them is ever opened."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pancommons.catalogue.ingest.roots import Place, Roots

_STEP = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER = _STEP | os.O_DIRECTORY


@dataclass(frozen=True)
class Opened:
    """A file that was opened.

    Attributes
    ----------
    handle
        Unbuffered; whoever has it closes it.
    places
        Where it lies by the roots, links resolved: one place for every root above it.
    size, modified
        In bytes, and in nanoseconds since 1970, when it was opened.
    """

    handle: BinaryIO
    places: tuple[tuple[str, str], ...]
    size: int
    modified: int


def open_place(roots: Roots, place: Place) -> Opened | None:
    """Open a file for reading.

    Links are resolved first, and the path that results is walked without following any: what is put in the way in
    between leads nowhere.

    Returns
    -------
    Opened or None
        None if there is no such regular file, or it lies outside of its root.
    """
    folder = roots.folders.get(place.root)
    if folder is None:
        return None
    try:
        top = folder.resolve(strict=True)
        real = (top / place.path).resolve(strict=True)
        handle = _walk(top, real.relative_to(top))
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle
        return None
    told = os.fstat(handle)
    if not stat.S_ISREG(told.st_mode):
        os.close(handle)
        return None
    places = tuple(
        (name, real.relative_to(above).as_posix())
        for name, above in ((name, one.resolve()) for name, one in roots.folders.items())
        if real.is_relative_to(above)
    )
    return Opened(os.fdopen(handle, "rb", buffering=0), places, told.st_size, told.st_mtime_ns)


def _walk(top: Path, path: Path) -> int:
    """Open a file below a folder, step by step."""
    here = os.open(top, _FOLDER)
    for part in path.parts[:-1]:
        try:
            below = os.open(part, _FOLDER, dir_fd=here)
        finally:
            os.close(here)
        here = below
    try:
        return os.open(path.name, _STEP | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
