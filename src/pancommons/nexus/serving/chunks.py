"""Chunks as they are stored, not decoded here: whoever asks undoes the filters.

The answer is a header in JSON, its length in four bytes (little-endian) before it, and the chunks one after the other.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from itertools import product
from typing import Any

import h5py
import numpy as np
import orjson

from pancommons.nexus.serving.budget import Budget, Refused
from pancommons.nexus.serving.selection import Selection, select
from pancommons.nexus.serving.types import varies
from pancommons.nexus.serving.values import dtype_of

MEDIA_TYPE = "application/vnd.pancommons.chunks"
FAULTS = (OSError, RuntimeError, ValueError, TypeError, KeyError)
_MOST_CHUNKS = 1024
_DECODED_BYTES = 256 << 20


def chunks(dataset: Any, text: str | None, budget: Budget) -> bytes:
    """Answer the stored chunks that a selection touches.

    The header has what `storage` says, and ``chunks``: for each ``offset`` in the dataset, ``bytes`` (0 where none is
    stored) and ``skipped`` (a mask of the filters that were not applied to it).

    Raises
    ------
    Refused
        413 if that is more than the budget allows, 422 if the dataset has no chunks or they need more than numbers.
    """
    stored_so = storage(dataset)
    told, bodies, size = [], [], 0
    for offset in corners(stored_so, text):
        skipped, stored = _stored(dataset, offset, size, budget)
        size += len(stored)
        told.append((offset, len(stored), skipped))
        bodies.append(stored)
    return b"".join([header(stored_so, told), *bodies])


def storage(dataset: Any) -> dict[str, Any]:
    """Return how a dataset is stored.

    ``shape`` and ``dtype`` (NumPy's notation) are those of the dataset, ``chunk`` is the shape of each, ``filters``
    are in the order in which they were applied (``id`` as registered with The HDF Group, ``options``), and ``fill`` is
    the value where there is no chunk.

    Raises
    ------
    Refused
        422 if it has no chunks, or they need more than numbers.
    """
    dtype = dtype_of(dataset)
    if dataset.is_virtual or dataset.chunks is None or dataset.shape is None:
        raise Refused(422, "the dataset is not stored in chunks")
    if varies(dtype) or dtype.kind not in "biuf":
        raise Refused(422, "only chunks of real numbers are sent as they are stored")
    return {
        "shape": dataset.shape,
        "dtype": dtype.str,
        "chunk": dataset.chunks,
        "filters": _filters(dataset),
        "fill": _fill(dataset),
    }


def corners(stored_so: dict[str, Any], text: str | None) -> list[tuple[int, ...]]:
    """List the offsets of the chunks that hold an element of a selection.

    Raises
    ------
    Refused
        413 if they are too many, 422 if there is no such element.
    """
    shape, edges = tuple(stored_so["shape"]), tuple(stored_so["chunk"])
    selection = select(text, shape)
    if selection.size == 0:
        raise Refused(422, "the selection is empty")
    count = selection.chunks_touched(edges)
    decoded = count * math.prod(edges) * np.dtype(stored_so["dtype"]).itemsize
    if count > _MOST_CHUNKS or decoded > _DECODED_BYTES:
        raise Refused(413, f"{count} chunks of {decoded} bytes decoded are too many at once; ask for a part")
    return _offsets(selection, edges)


def header(stored_so: dict[str, Any], told: Iterable[tuple[tuple[int, ...], int, int]]) -> bytes:
    """Write what comes before the chunks: of each its offset, its bytes, and which filters were skipped."""
    listed = [{"offset": offset, "bytes": size, "skipped": skipped} for offset, size, skipped in told]
    head = orjson.dumps({**stored_so, "chunks": listed})
    return struct.pack("<I", len(head)) + head


def check_size(size: int, budget: Budget) -> None:
    """Refuse chunks that are more than one answer may hold.

    Raises
    ------
    Refused
        413
    """
    if size > budget.answer_bytes:
        raise Refused(413, "the stored chunks are more than one answer may hold; ask for a part")


def _offsets(selection: Selection, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """List the corners of the chunks that hold a selected element."""
    along = []
    for axis, edge in zip(selection.axes, shape, strict=True):
        last = axis.start + (axis.count - 1) * axis.step
        if axis.step <= edge:
            along.append(list(range(axis.start // edge * edge, last + 1, edge)))
        else:
            along.append([index // edge * edge for index in range(axis.start, last + 1, axis.step)])
    return list(product(*along))


def _stored(dataset: Any, offset: tuple[int, ...], before: int, budget: Budget) -> tuple[int, bytes]:
    try:
        known = dataset.id.get_chunk_info_by_coord(offset)
        if known.byte_offset is None or known.size == 0:
            return 0, b""
        check_size(before + known.size, budget)
        skipped, stored = dataset.id.read_direct_chunk(offset)
    except FAULTS:
        raise Refused(422, "the chunks cannot be read: the file is damaged") from None
    return int(skipped), bytes(stored)


def _filters(dataset: Any) -> list[dict[str, Any]]:
    created = dataset.id.get_create_plist()
    found = []
    for place in range(created.get_nfilters()):
        identifier, _, options, _ = created.get_filter(place)
        found.append({"id": int(identifier), "options": [int(option) for option in options]})
    return found


def _fill(dataset: Any) -> float | int | bool | None:
    created = dataset.id.get_create_plist()
    if created.fill_value_defined() == h5py.h5d.FILL_VALUE_UNDEFINED:
        return 0
    value = dataset.fillvalue.item()
    return value if isinstance(value, int | bool) or math.isfinite(value) else None
