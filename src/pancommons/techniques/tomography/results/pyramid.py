"""The volume as OME-Zarr: several resolutions, each half the one before, written slice by slice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput

CHUNK = (16, 256, 256)
"""Slices, rows and columns that are stored together; a level is no larger than this last."""


def check_extra() -> None:
    """Refuse to write OME-Zarr where the packages for it are not installed.

    Raises
    ------
    BadInput
        Saying what to install.
    """
    if find_spec("zarr") is None:
        raise BadInput(
            "OME-Zarr cannot be written without the package zarr",
            field="zarr",
            remedy='install it with pip install "pancommons[zarr]"',
        )


def write_ome_zarr(
    folder: Path,
    slices: Iterator[NDArray[Any]],
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    *,
    spacing: float,
    unit: str | None,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    name: str,
) -> None:
    """Write a volume as an OME-Zarr image of version 0.5 (Zarr 3), in memory for some slices only.

    Parameters
    ----------
    folder
        What to make, for instance ``result.ome.zarr``; one that is there is replaced when the new one is whole.
    slices
        The slices [y, x] in order, as many as `shape` says.
    shape, dtype
        Of the volume [z, y, x].
    spacing, origin
        Size of a voxel, and place of the middle of the first one (z, y, x), both in `unit`.
    unit
        A unit of length as OME-Zarr spells it, such as ``micrometer``; None for voxels.
    name
        Of the image.
    """
    import zarr

    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    shapes = _shapes(shape)
    root = zarr.create_group(beside, zarr_format=3)
    root.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "type": "mean",
                "axes": [{"name": axis, "type": "space", **({"unit": unit} if unit else {})} for axis in "zyx"],
                "datasets": [
                    {"path": str(level), "coordinateTransformations": _place(level, spacing, origin)}
                    for level in range(len(shapes))
                ],
            }
        ],
    }
    levels = [
        _Level(
            root.create_array(
                str(level), shape=one, dtype=dtype, chunks=tuple(map(min, CHUNK, one)), dimension_names=("z", "y", "x")
            )
        )
        for level, one in enumerate(shapes)
    ]
    for above, below in pairwise(levels):
        above.below = below
    for slice_ in slices:
        levels[0].add(np.asarray(slice_, dtype))
    levels[0].close()
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)


def _shapes(shape: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """Return the shape of every level, halved until one fits into a chunk's rows and columns."""
    shapes: list[tuple[int, ...]] = [shape]
    while max(shapes[-1]) > CHUNK[1]:
        shapes.append(tuple(-(-size // 2) for size in shapes[-1]))
    return shapes


def _place(level: int, spacing: float, origin: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Return the transformations of a level: the middle of its first voxel is that of the voxels it is the mean of."""
    scale = spacing * 2**level
    middle = (scale - spacing) / 2
    return [
        {"type": "scale", "scale": [scale] * 3},
        {"type": "translation", "translation": [start + middle for start in origin]},
    ]


class _Level:
    """One resolution being written: slices wait for their chunk to be full, and pairs go down as their mean."""

    def __init__(self, array: Any) -> None:
        self.below: _Level | None = None
        self._array, self._written = array, 0
        self._waiting: list[NDArray[Any]] = []
        self._single: NDArray[Any] | None = None

    def add(self, slice_: NDArray[Any]) -> None:
        self._waiting.append(slice_)
        if len(self._waiting) == self._array.chunks[0]:
            self._write()
        if self.below is not None:
            if self._single is None:
                self._single = slice_
            else:
                self.below.add(_half(self._single, slice_))
                self._single = None

    def close(self) -> None:
        self._write()
        if self.below is not None:
            if self._single is not None:
                self.below.add(_half(self._single, self._single))
            self.below.close()

    def _write(self) -> None:
        if self._waiting:
            stop = self._written + len(self._waiting)
            self._array[self._written : stop] = np.stack(self._waiting)
            self._written, self._waiting = stop, []


def _half(one: NDArray[Any], two: NDArray[Any]) -> NDArray[Any]:
    """Return the mean over 2 x 2 x 2 voxels; at an odd edge the last one stands twice."""
    both = one.astype(np.float32) + two
    both = np.pad(both, [(0, size % 2) for size in both.shape], mode="edge")
    mean = (both[::2, ::2] + both[1::2, ::2] + both[::2, 1::2] + both[1::2, 1::2]) / 8
    return np.asarray(mean if one.dtype.kind == "f" else np.rint(mean), one.dtype)
