"""The folders that may be read from, and the files in them that were."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pancommons.nexus.serving.budget import Refused
from pancommons.nexus.serving.seen import Seen, seen

ELSEWHERE = "is missing, or lies outside of the data roots"


class Ground:
    """What one request may read from, and what it did read from.

    Parameters
    ----------
    roots
        Folders, links in their paths resolved.
    denied
        Files inside them that whoever asks may not have, resolved too.

    Attributes
    ----------
    touched
        The files that are read from, by their real path.
    looked
        What each path led to that was tried, be it nothing: what is read depends on all of them.
    """

    def __init__(self, roots: Iterable[Path], denied: Iterable[Path] = ()) -> None:
        self._roots, self._denied = tuple(roots), frozenset(denied)
        self.touched: dict[Path, Seen] = {}
        self.looked: dict[str, Seen | None] = {}

    def enter(self, path: Path) -> Path | None:
        """Return the real path of a regular file inside the roots, noting that it is read; None for all else."""
        known = seen(path)
        self.looked.setdefault(str(path), known)
        if known is None or not self._inside(real := Path(known[0])):
            return None
        self.touched.setdefault(real, known)
        return None if real in self._denied else real

    def follow(self, name: str, holder: Path) -> Path | None:
        """Return the file that a file names, where the HDF5 library would find it; None where it may not be read.

        Parameters
        ----------
        name
            As it stands in the file.
        holder
            The real path of the file it stands in.
        """
        if name == ".":
            return holder
        places = (self.enter(place) for place in candidates(name, holder))
        return next((real for real in places if real is not None), None)

    def check_all(self, name: str, holder: Path) -> Path | None:
        """Return the file that the HDF5 library itself would open for a name; None if there is none.

        The library tries one place after the other until one can be opened, so that each that is there has to be
        allowed.

        Raises
        ------
        Refused
            422 if one of them is not.
        """
        found = None
        for place in candidates(name, holder):
            real = self.enter(place)
            if real is None and _may_be_opened(place):
                raise Refused(422, f"{name} {ELSEWHERE}")
            found = found or real
        return found

    def _inside(self, real: Path) -> bool:
        return any(real.is_relative_to(root) for root in self._roots)


def candidates(name: str, holder: Path) -> list[Path]:
    """List where the HDF5 library looks for a file that another one names.

    An absolute name is tried as it is, then its last part beside the holder; then, and for relative names, the
    folder of the holder, and the working directory.
    """
    if not name or "\x00" in name:
        return []
    if name.startswith("/"):
        own, last = [Path(name)], name.rstrip("/").rsplit("/", 1)[-1]
    else:
        own, last = [], name
    return [*own, holder.parent / last, Path.cwd() / last]


def _may_be_opened(place: Path) -> bool:
    """Say whether something could be read there: a folder or a link to nothing could not."""
    try:
        return not place.is_dir() and place.exists()
    except OSError:
        return False
