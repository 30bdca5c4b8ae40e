"""Files kept open from one request to the next, as long as they are what they were when they were opened."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py

from pancommons.nexus.read import open_file
from pancommons.nexus.serving.seen import Seen, marks, settled

_MOST = 8
_CHUNK_CACHE = 1 << 20  # of a dataset, which is open for one answer; of a virtual one, each source has its own
_INDEX_CACHE = 2 << 20  # of a file: what HDF5 knows of its groups and of where chunks lie


class StillOpen(Exception):
    """A file that cannot be closed: nothing else may be read in this process."""


class OpenFiles:
    """The files of a reading process that are open, of which none is handed out that changed.

    HDF5 shares what it knows of a file among all that open it, by whatever name, and opens the sources of virtual
    datasets by itself. One that changed has to be closed before anything is opened, see `sweep`.

    Parameters
    ----------
    most
        How many are kept between requests.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Path, tuple[Seen, Any]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)

    def __contains__(self, real: object) -> bool:
        """Say whether a file is kept."""
        return real in self._kept

    def take(self, real: Path, known: Seen) -> Any:
        """Return a file, open; it is not kept any more until it is given back.

        Parameters
        ----------
        real
            Path of the file, links resolved.
        known
            What it was just now.

        Raises
        ------
        BadInput
            If it cannot be opened as HDF5.
        """
        self.sweep()
        then, file = self._kept.pop(real, (None, None))
        if file is not None:
            if then == known:
                return file
            close(file)
        return _opened(real)

    def give_back(self, real: Path, known: Seen, file: Any, at: int) -> None:
        """Keep a file for the next request; close it if it changed, or may have, or something in it is still open.

        Parameters
        ----------
        at
            A moment before it was seen as it is known, in ns since 1970.
        """
        if real in self._kept or not settled(known, at) or not _unchanged(known, file) or _used(file):
            close(file)
            return
        self._kept[real] = known, file
        while len(self._kept) > self._most:
            close(self._kept.popitem(last=False)[1][1])

    def sweep(self) -> None:
        """Close the files that changed since they were opened."""
        for real, (known, file) in list(self._kept.items()):
            if not _unchanged(known, file):
                del self._kept[real]
                close(file)

    def close(self) -> None:
        """Close all files that are kept."""
        while self._kept:
            close(self._kept.popitem()[1][1])


def close(file: Any) -> None:
    """Close a file.

    Raises
    ------
    StillOpen
        If that does not succeed.
    """
    try:
        file.close()
    except Exception as error:
        raise StillOpen from error


def _opened(real: Path) -> Any:
    file = open_file(real, chunk_cache=_CHUNK_CACHE)
    told = file.id.get_mdc_config()
    told.set_initial_size, told.initial_size, told.min_size, told.max_size = True, 1 << 20, 1 << 20, _INDEX_CACHE
    file.id.set_mdc_config(told)
    return file


def _unchanged(known: Seen, file: Any) -> bool:
    try:
        return marks(os.fstat(file.id.get_vfd_handle())) == known[1:]
    except (OSError, RuntimeError, ValueError, NotImplementedError):
        return False


def _used(file: Any) -> bool:
    """Say whether anything but the file itself is open."""
    return bool(h5py.h5f.get_obj_count(file.id, h5py.h5f.OBJ_ALL) > 1)
