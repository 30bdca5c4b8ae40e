"""Where in a file the chunks of a dataset lie: whoever knows that reads each of them without HDF5.

A file is opened and its index read once for all frames that are looked at, instead of once for each.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import orjson
from numpy.typing import NDArray

from pancommons.nexus.serving.budget import Budget, Refused
from pancommons.nexus.serving.chunks import FAULTS, check_size, corners, header, storage

_MOST = 1 << 14  # which takes some 50 ms to list
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Layout:
    """How a dataset is stored, and where.

    Attributes
    ----------
    file
        Real path of the file that holds the chunks.
    stored_so
        What `pancommons.nexus.serving.chunks.storage` says.
    table
        For each chunk, in the order of their offsets with the last axis fastest: where it begins in the file, its
        bytes (0 where none is stored), and which filters were skipped.
    """

    file: str
    stored_so: dict[str, Any]
    table: NDArray[np.int64]

    def packed(self) -> bytes:
        """Write it as bytes."""
        head = orjson.dumps({"file": self.file, "stored_so": self.stored_so})
        return _LENGTH.pack(len(head)) + head + self.table.astype("<i8").tobytes()

    @classmethod
    def unpacked(cls, body: bytes) -> Layout:
        """Read it from bytes.

        Raises
        ------
        ValueError
            If they are not what was written.
        """
        try:
            after = _LENGTH.size + _LENGTH.unpack_from(body)[0]
            told = orjson.loads(memoryview(body)[_LENGTH.size : after])
            table = np.frombuffer(body, "<i8", offset=after).reshape(math.prod(_grid(told["stored_so"])), 3)
            np.dtype(told["stored_so"]["dtype"])
            return cls(str(told["file"]), told["stored_so"], table)
        except (struct.error, KeyError, TypeError, ZeroDivisionError) as error:
            raise ValueError("no layout") from error

    def find(self, text: str | None, budget: Budget) -> tuple[bytes, list[tuple[int, int]]]:
        """Return the header of the chunks that a selection touches, and where each begins with its bytes.

        Raises
        ------
        Refused
            As `pancommons.nexus.serving.chunks.chunks` does.
        """
        edges, grid = self.stored_so["chunk"], _grid(self.stored_so)
        told, places = [], []
        for offset in corners(self.stored_so, text):
            begin, size, skipped = map(int, self.table[_number(offset, edges, grid)])
            if begin < 0 or size < 0:
                raise Refused(422, "the chunks cannot be read: the file is damaged")
            told.append((offset, size, skipped))
            places.append((begin, size))
        check_size(sum(size for _, size in places), budget)
        return header(self.stored_so, told), [place for place in places if place[1]]


def layout(dataset: Any, file: str) -> Layout | None:
    """List where the chunks of a dataset lie; None if they are too many, or it is not that simple.

    Raises
    ------
    Refused
        422 if it has no chunks, or they need more than numbers.
    """
    stored_so = storage(dataset)
    edges, grid = stored_so["chunk"], _grid(stored_so)
    count = math.prod(grid)
    if count > _MOST:
        return None
    rows, left = [(0, 0, 0)] * count, [2 * _MOST]

    def note(known: Any) -> bool | None:
        left[0] -= 1
        number = _number(known.chunk_offset, edges, grid)
        if number < 0 or left[0] < 0:
            return True
        rows[number] = known.byte_offset, known.size, known.filter_mask
        return None

    try:
        if h5py.h5i.get_file_id(dataset.id).get_create_plist().get_userblock():
            return None
        if dataset.id.chunk_iter(note) is not None:
            return None
        return Layout(file, stored_so, np.array(rows, "<i8").reshape(count, 3))
    except (*FAULTS, OverflowError):  # one bad chunk does not keep the others from being read one by one
        return None


def _grid(stored_so: dict[str, Any]) -> list[int]:
    return [-(-length // edge) for length, edge in zip(stored_so["shape"], stored_so["chunk"], strict=True)]


def _number(offset: tuple[int, ...], edges: tuple[int, ...], grid: list[int]) -> int:
    """Return which chunk one is by its offset; -1 if it lies outside of the dataset."""
    number = 0
    for at, edge, length in zip(offset, edges, grid, strict=True):
        if not 0 <= at // edge < length:
            return -1
        number = number * length + at // edge
    return number
