"""Columns of a sinogram in order of their values, and back.

Sorting each column separates what a detector pixel does to its values from the structure of the sample: two neighbours
see almost the same values, only at other angles, so the sorted columns differ by the pixels' errors alone (N. T. Vo,
R. C. Atwood, M. Drakopoulos, Opt. Express 26, 28396 (2018), algorithm 3).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_TILE = 16


def sorted_columns(columns: NDArray[np.float32], values: NDArray[np.float32], order: NDArray[np.uint32]) -> None:
    """Sort the values of each column; equal ones stay in the order of their angles.

    Parameters
    ----------
    columns
        float32 [column, angle], finite.
    values
        float32 [column, rank], for the values in ascending order.
    order
        uint32 [column, rank], for the angle that each of them has.
    """
    keys = np.empty(columns.shape, np.uint64)
    pack(columns, keys)
    keys.sort(axis=1)  # all differ, so every way of sorting gives the same
    unpack(keys, values, order)


@njit(nogil=True, cache=True, error_model="numpy")
def pack(columns, keys):
    """Fill `keys` with whole numbers that sort like the values, and among equal values like the angles."""
    bits = columns.view(np.uint32)
    top = np.uint32(0x80000000)
    for c in range(columns.shape[0]):
        for i in range(columns.shape[1]):
            b = bits[c, i]
            flipped = ~b if b & top else b | top
            keys[c, i] = (np.uint64(flipped) << np.uint64(32)) | np.uint64(i)


@njit(nogil=True, cache=True, error_model="numpy")
def unpack(keys, values, order):
    """Take the values and the angles out of sorted keys."""
    bits = values.view(np.uint32)
    top = np.uint32(0x80000000)
    for c in range(keys.shape[0]):
        for i in range(keys.shape[1]):
            key = keys[c, i]
            b = np.uint32(key >> np.uint64(32))
            bits[c, i] = b ^ top if b & top else ~b
            order[c, i] = np.uint32(key & np.uint64(0xFFFFFFFF))


@njit(nogil=True, cache=True, error_model="numpy")
def put_back(values, order, columns):
    """Fill `columns` [column, angle] with values [column, rank], each at its angle."""
    for c in range(values.shape[0]):
        for i in range(values.shape[1]):
            columns[c, order[c, i]] = values[c, i]


@njit(nogil=True, cache=True, error_model="numpy")
def transpose(source, target):
    """Fill `target` [j, i] with `source` [i, j], in tiles that fit into the cache."""
    rows, columns = source.shape
    for top in range(0, rows, _TILE):
        bottom = min(top + _TILE, rows)
        for left in range(0, columns, _TILE):
            for j in range(left, min(left + _TILE, columns)):
                for i in range(top, bottom):
                    target[j, i] = source[i, j]
