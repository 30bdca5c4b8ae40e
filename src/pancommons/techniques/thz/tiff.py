"""TIFF images of pulses: where their rows lie in the file, found from the header alone.

A camera writes one uncompressed page of 16-bit rows; those are read as they lie, also from a file that is cut short.
Every other TIFF file is left to tifffile.

Source: TIFF Revision 6.0 (Adobe, 1992), sections 2, 3 and 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _OFFSETS, _SAMPLES, _COUNTS, _FORMAT = 256, 257, 258, 259, 273, 277, 279, 339


class DamagedImage(Exception):
    """An image that cannot be read; the text says why."""


@dataclass(frozen=True)
class Image:
    """One image: a row of pixels for each pulse.

    Attributes
    ----------
    path
        The file.
    rows, columns
        As its header has them.
    whole_rows
        How many rows are there: fewer than ``rows`` in a file that is cut short.
    dtype, start
        How and where the rows lie in the file; None where tifffile has to read it.
    """

    path: Path
    rows: int
    columns: int
    whole_rows: int
    dtype: np.dtype[np.uint16] | None = None
    start: int = 0

    def blocks(self, first: int, last: int, size: int) -> Iterator[tuple[int, NDArray[np.uint16]]]:
        """Give rows ``first`` to ``last``, those that are there, some at a time with the index of the first of them.

        They are uint16 [row, column], counts, in a buffer that the next block may fill again.

        Raises
        ------
        DamagedImage
            If the file cannot be read.
        """
        last = min(last, self.whole_rows)
        if self.dtype is None:
            image = _decoded(self.path)
            yield from ((row, image[row : min(row + size, last)]) for row in range(first, last, size))
            return
        buffer = np.empty((min(size, max(0, last - first)), self.columns), self.dtype)
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.start + first * self.columns * 2)
                for row in range(first, last, size):
                    rows = buffer[: min(size, last - row)]
                    if file.readinto(rows.view(np.uint8).data) != rows.nbytes:
                        raise DamagedImage("became shorter while it was read")
                    yield row, rows if self.dtype.isnative else rows.astype(np.uint16)
        except OSError as error:
            raise DamagedImage(f"cannot be read ({error.strerror})") from None


def look(path: Path) -> Image:
    """Read an image's header.

    Raises
    ------
    DamagedImage
        If it is no TIFF file, or its header is cut short.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            size = path.stat().st_size
            tags = _tags(head)
            if tags is None:
                file.seek(0)
                tags = _tags(file.read(min(size, 64 << 20))) if size > len(head) else None
    except OSError as error:
        raise DamagedImage(f"cannot be read ({error.strerror})") from None
    if size == 0:
        raise DamagedImage("is empty")
    if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise DamagedImage("is no TIFF file")
    plain = tags and _plain(tags)
    if not tags or not plain:
        shape = _decoded(path).shape
        return Image(path, shape[0], shape[1], shape[0])
    rows, columns, start = plain
    whole = max(0, min(rows, (size - start) // (2 * columns)))
    return Image(path, rows, columns, whole, np.dtype("<u2" if head[:2] == b"II" else ">u2"), start)


def _plain(tags: dict[int, tuple[int, ...]]) -> tuple[int, int, int] | None:
    """Return rows, columns and the place of the first row, where rows of 16 bits lie one after another."""
    try:
        (columns,), (rows,) = tags[_WIDTH], tags[_LENGTH]
        offsets = tags[_OFFSETS]
    except (KeyError, ValueError):
        return None
    usual = (
        tags.get(_BITS) == (16,)
        and tags.get(_COMPRESSION, (1,)) == (1,)
        and tags.get(_SAMPLES, (1,)) == (1,)
        and tags.get(_FORMAT, (1,)) == (1,)
    )
    counts = tags.get(_COUNTS, (2 * rows * columns,))
    follow = all(a + n == b for a, n, b in zip(offsets, counts, offsets[1:], strict=False))
    return (rows, columns, offsets[0]) if usual and follow and rows > 0 and columns > 0 else None


def _tags(data: bytes) -> dict[int, tuple[int, ...]] | None:
    """Return the integers of the first directory by tag; None where the data does not hold it."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    found: dict[int, tuple[int, ...]] = {}
    try:
        (place,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, place)
        for index in range(count):
            entry = place + 2 + 12 * index
            tag, kind, number = struct.unpack_from(f"{order}HHI", data, entry)
            if kind not in (3, 4):
                continue
            at = entry + 8
            if _SIZES[kind] * number > 4:
                (at,) = struct.unpack_from(f"{order}I", data, at)
            found[tag] = struct.unpack_from(f"{order}{number}{'H' if kind == 3 else 'I'}", data, at)
    except struct.error:
        return None
    return found


def _decoded(path: Path) -> NDArray[np.uint16]:
    """Return the first page of any TIFF file: uint16 [row, column]."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            image = np.asarray(file.pages[0].asarray())
    except Exception as error:  # what tifffile raises inside a damaged file is of many kinds
        raise DamagedImage(f"is damaged ({str(error).strip() or type(error).__name__})") from None
    if image.ndim != 2 or image.dtype.kind not in "uif":
        raise DamagedImage(f"has no rows of pixels (its shape is {image.shape})")
    return image.astype(np.uint16)
