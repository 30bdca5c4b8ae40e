"""One dataset out of parts in other files, without copying: HDF5 virtual datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike


@dataclass(frozen=True)
class Part:
    """A dataset in another file and its place in the whole.

    Attributes
    ----------
    file
        The file, relative to the folder of the file that holds the whole, so that the two travel together.
    path
        The dataset's path inside it.
    shape
        The dataset's shape.
    offset
        Index of its first element in the whole, per axis; a part of fewer axes lies in the last ones.
    """

    file: str | PurePath
    path: str
    shape: tuple[int, ...]
    offset: tuple[int, ...]


def virtual_stack(
    group: h5py.Group,
    path: str,
    parts: Sequence[Part],
    *,
    dtype: DTypeLike,
    shape: tuple[int, ...] | None = None,
    fillvalue: float | None = None,
) -> h5py.Dataset:
    """Make a virtual dataset that shows parts in other files as one.

    Parameters
    ----------
    group
        Where to make it.
    path
        Its path in the group.
    parts
        The pieces; they may be ragged, but each must lie within the whole and none should overlap another.
    dtype
        The type of the parts and of the whole.
    shape
        The shape of the whole; just large enough for the parts when not given.
    fillvalue
        What is read where there is no part, or its file is missing; NaN in a whole of floats when not given.

    Raises
    ------
    ValueError
        If a part does not lie within the whole.
    """
    if shape is None:
        corners = [np.add(part.offset, (1,) * (len(part.offset) - len(part.shape)) + part.shape) for part in parts]
        shape = tuple(int(end) for end in np.max(corners, axis=0))
    layout = h5py.VirtualLayout(shape, np.dtype(dtype))
    for part in parts:
        layout[_region(part, shape)] = h5py.VirtualSource(str(part.file), part.path, part.shape, dtype)
    if fillvalue is None and np.dtype(dtype).kind == "f":
        fillvalue = np.nan
    return group.create_virtual_dataset(path, layout, fillvalue=fillvalue)


def _region(part: Part, shape: tuple[int, ...]) -> Any:
    if len(part.offset) != len(shape) or len(part.shape) > len(shape):
        raise ValueError(f"part {part.file}: offset {part.offset} does not fit a whole of shape {shape}")
    flat = len(shape) - len(part.shape)
    sizes = (1,) * flat + part.shape
    if any(start < 0 or start + size > whole for start, size, whole in zip(part.offset, sizes, shape, strict=True)):
        raise ValueError(f"part {part.file}: {part.shape} at {part.offset} lies outside a whole of {shape}")
    pieces = [slice(start, start + size) for start, size in zip(part.offset, sizes, strict=True)]
    return (*part.offset[:flat], *pieces[flat:])
