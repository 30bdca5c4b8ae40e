"""One dataset to be written: its numbers or where they come from, their unit, how they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pancommons.nexus.virtual import Part, virtual_stack

_COMPRESSION: dict[str, dict[str, Any]] = {
    "bitshuffle-lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle-zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "blosc-zstd": dict(hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.SHUFFLE)),
    "zstd": dict(hdf5plugin.Zstd()),
    "gzip": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
}
_CHUNK_BYTES = 32 << 20


@dataclass(frozen=True)
class Field:
    """One dataset to be written: from values, empty to be filled piece by piece, by link, or out of parts.

    Attributes
    ----------
    name
        Its name in the group.
    values
        The numbers or text; None with ``shape`` and ``dtype`` for a dataset that is filled later.
    units
        The unit's text as pint reads it; "" for a plain number.
    long_name
        What stands on the axis of a plot; the name with its unit when not given.
    errors
        Standard uncertainties of the same shape, written as ``NAME_errors``.
    link
        The path in the file of a dataset that this is another name of.
    parts
        Pieces in other files that together are this dataset, see `Part`.
    compression
        ``bitshuffle-lz4`` (or True), ``bitshuffle-zstd``, ``blosc-zstd``, ``zstd``, ``gzip``, or None.
    chunks
        The chunk shape; for compressed data one frame, the last two axes, when not given.
    fillvalue
        What is read where nothing was written, or where a part is missing.
    attributes
        Further attributes, such as ``interpretation``.
    """

    name: str
    values: ArrayLike | str | None = None
    units: str = ""
    long_name: str | None = None
    errors: ArrayLike | None = None
    shape: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    link: str | None = None
    parts: Sequence[Part] = ()
    compression: str | bool | None = None
    chunks: tuple[int, ...] | None = None
    fillvalue: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def make_dataset(group: h5py.Group, given: Field) -> h5py.Dataset:
    """Make the dataset of a field in a group, without its attributes.

    Raises
    ------
    ValueError
        If the field has neither values, parts nor a shape, or its parts do not fit together.
    """
    if given.parts:
        return virtual_stack(
            group, given.name, given.parts, shape=given.shape, dtype=given.dtype or np.float32,
            fillvalue=np.nan if given.fillvalue is None else given.fillvalue,
        )  # fmt: skip
    if isinstance(given.values, str):
        return group.create_dataset(given.name, data=given.values, dtype=h5py.string_dtype())
    values = None if given.values is None else np.asarray(given.values, dtype=given.dtype)
    if values is not None and values.dtype.kind == "U":
        return group.create_dataset(given.name, data=values.astype(object), dtype=h5py.string_dtype())
    shape = given.shape if values is None else values.shape
    if shape is None:
        raise ValueError(f"field {given.name}: neither values, parts, link nor shape are given")
    dtype = np.dtype(given.dtype or np.float32) if values is None else values.dtype
    options: dict[str, Any] = {}
    if given.compression and shape and 0 not in shape:
        kind = "bitshuffle-lz4" if given.compression is True else given.compression
        options = _COMPRESSION[kind] | {"chunks": given.chunks or _frame(shape, dtype)}
    elif given.chunks:
        options = {"chunks": given.chunks}
    return group.create_dataset(
        given.name, shape, dtype, data=values, fillvalue=given.fillvalue, track_times=False, **options
    )


def _frame(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Choose a chunk: the last two axes whole, halved along the first of them while it is too large."""
    chunk = [1] * max(0, len(shape) - 2) + list(shape[-2:])
    row = max(0, len(shape) - 2)
    while np.prod(chunk, dtype=np.int64) * dtype.itemsize > _CHUNK_BYTES:
        row = row if chunk[row] > 1 else row + 1
        chunk[row] = (chunk[row] + 1) // 2
    return tuple(chunk)


def has_unit(dataset: h5py.Dataset) -> bool:
    """Say whether numbers in a dataset are quantities, and so want a unit: floats, and arrays of integers."""
    return bool(dataset.dtype.kind in "fc" or (dataset.dtype.kind in "iu" and dataset.ndim > 0))
