"""Opening a run, whichever of the two formats of ISIS it is in."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from h5py import is_hdf5

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.isis_nexus import read_nexus
from pancommons.techniques.sans.isis_raw import looks_like_raw, read_raw
from pancommons.techniques.sans.run import Run

_HDF5 = b"\x89HDF"


def open_run(path: Path, entry: str = "raw_data_1") -> Run:
    """Open an ISIS NeXus or RAW file; kept in this process while the file stays the same.

    Raises
    ------
    BadInput
        If it is neither, is empty or cut short, or lacks what every run has.
    """
    if path.is_dir():
        raise BadInput("is a folder, a run was expected", file=path, remedy="name a .nxs or .raw file in it")
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path, remedy="check the path") from None
    if state.st_size == 0:
        raise BadInput("is empty", file=path, remedy="copy it again from its source")
    return _opened(path, entry, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=12)
def _opened(path: Path, entry: str, mtime: int, size: int) -> Run:
    with path.open("rb") as file:
        start = file.read(256)
    if looks_like_raw(start):
        return read_raw(path)
    if not start.startswith(_HDF5) and not is_hdf5(path):
        raise BadInput("is neither an ISIS NeXus nor an ISIS RAW file", file=path, remedy="give a run, .nxs or .raw")
    return read_nexus(path, entry)
