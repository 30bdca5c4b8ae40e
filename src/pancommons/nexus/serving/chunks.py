"""Chunks as they are stored, not decoded here: whoever asks undoes the filters.

The answer is a header in JSON, its length in four bytes (little-endian) before it, and the chunks one after the other.
"""

from __future__ import annotations

import math
import struct
from itertools import product
from typing import Any

import h5py
import orjson

from pancommons.nexus.serving.budget import Budget, Refused
from pancommons.nexus.serving.selection import Selection, select
from pancommons.nexus.serving.types import varies
from pancommons.nexus.serving.values import dtype_of

MEDIA_TYPE = "application/vnd.pancommons.chunks"
_MOST_CHUNKS = 1024
_DECODED_BYTES = 256 << 20


def chunks(dataset: Any, text: str | None, budget: Budget) -> bytes:
    """Answer the stored chunks that a selection touches.

    The header has ``shape`` and ``dtype`` (NumPy's notation) of the dataset, ``chunk`` (the shape of each),
    ``filters`` in the order in which they were applied (``id`` as registered with The HDF Group, ``options``),
    ``fill`` (the value where there is no chunk), and ``chunks``: for each ``offset`` in the dataset, ``bytes`` (0 where
    none is stored) and ``skipped`` (a mask of the filters that were not applied to it).

    Raises
    ------
    Refused
        413 if that is more than the budget allows, 422 if the dataset has no chunks or they need more than numbers.
    """
    dtype = dtype_of(dataset)
    if dataset.is_virtual or dataset.chunks is None or dataset.shape is None:
        raise Refused(422, "the dataset is not stored in chunks")
    if varies(dtype) or dtype.kind not in "biuf":
        raise Refused(422, "only chunks of real numbers are sent as they are stored")
    selection = select(text, dataset.shape)
    if selection.size == 0:
        raise Refused(422, "the selection is empty")
    shape = dataset.chunks
    count = selection.chunks_touched(shape)
    decoded = count * math.prod(shape) * dtype.itemsize
    if count > _MOST_CHUNKS or decoded > _DECODED_BYTES:
        raise Refused(413, f"{count} chunks of {decoded} bytes decoded are too many at once; ask for a part")
    told, bodies, size = [], [], 0
    for offset in _offsets(selection, shape):
        skipped, stored = _stored(dataset, offset, budget.answer_bytes - size)
        size += len(stored)
        told.append({"offset": offset, "bytes": len(stored), "skipped": skipped})
        bodies.append(stored)
    head = orjson.dumps(
        {
            "shape": dataset.shape,
            "dtype": dtype.str,
            "chunk": shape,
            "filters": _filters(dataset),
            "fill": _fill(dataset),
            "chunks": told,
        }
    )
    return b"".join([struct.pack("<I", len(head)), head, *bodies])


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


def _stored(dataset: Any, offset: tuple[int, ...], left: int) -> tuple[int, bytes]:
    try:
        known = dataset.id.get_chunk_info_by_coord(offset)
        if known.byte_offset is None or known.size == 0:
            return 0, b""
        if known.size > left:
            raise Refused(413, "the stored chunks are more than one answer may hold; ask for a part")
        skipped, stored = dataset.id.read_direct_chunk(offset)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError):
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
