"""Where HDF5 writes to: a file whose disk may run full without taking the process down.

Once a write has failed, the HDF5 library keeps what it could not write, and tries again when a dataset is released,
when the file is closed and when the process ends, where it crashes. So a failure is noted, what comes after it is
dropped, and HDF5 is let go on; the file is given up when it is closed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py


class Sink(io.FileIO):
    """A file that takes everything, and keeps in mind what it could not take.

    Attributes
    ----------
    failure
        What went wrong first; None while all is well.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of the data where the file stands."""
        view, done = memoryview(data).cast("B"), 0
        while done < len(view) and self.failure is None:
            try:
                done += super().write(view[done:]) or 0
            except OSError as error:
                self.failure = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the file's length."""
        if self.failure is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.failure = error
        return size or 0

    def check(self) -> None:
        """Raise the failure, if there was one."""
        if self.failure is not None:
            raise self.failure


@contextmanager
def hdf5_sink(path: Path) -> Iterator[tuple[h5py.File, Sink]]:
    """Open a new HDF5 file for writing, and close it whatever happens.

    Raises
    ------
    OSError
        At the end of the block, the first failure to write, with its errno.
    """
    with Sink(path) as sink:
        file = h5py.File(sink, "w", libver=("earliest", "v110"))
        try:
            yield file, sink
        except BaseException:
            with suppress(OSError, RuntimeError):
                file.close()
            sink.check()
            raise
        file.close()
        sink.check()
