"""The running median across the columns of a sinogram, many rows at once.

The window of every row is kept in order. When it moves on by a column, the value that leaves and the one that enters
move only what lies between them, and where each value of the new window comes from can be told from three neighbours
of the old one - without a branch, so that the rows go through the processor's vector units side by side.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

_LANES = 64
"""Rows that are worked on together; their windows stay in the first-level cache."""


@njit(nogil=True, cache=True, error_model="numpy")
def across(columns, width, out):
    """Fill `out` with the median of the `width` columns around each one.

    Parameters
    ----------
    columns
        float32 [column, row], finite.
    width
        Columns of the window, odd. Beyond the edge lies the mirror image, with the outermost column repeated.
    out
        float32 [column, row], another array than `columns`.
    """
    count, rows = columns.shape
    half = width // 2
    window = np.empty((width + 2, _LANES), np.float32)
    moved = np.empty((width + 2, _LANES), np.float32)
    leaving, entering = np.zeros(_LANES, np.float32), np.zeros(_LANES, np.float32)
    for first in range(0, rows, _LANES):
        lanes = min(_LANES, rows - first)
        window[0], window[width + 1] = -np.inf, np.inf
        moved[0], moved[width + 1] = -np.inf, np.inf
        _begin(columns, half, first, lanes, window)
        for j in range(lanes):
            out[0, first + j] = window[1 + half, j]
        for c in range(1, count):
            old, new = columns[mirrored(c - 1 - half, count)], columns[mirrored(c + half, count)]
            for j in range(lanes):
                leaving[j], entering[j] = old[first + j], new[first + j]
            _move(window, moved, leaving, entering)
            window, moved = moved, window
            middle, target = window[1 + half], out[c]
            for j in range(lanes):
                target[first + j] = middle[j]


@njit(nogil=True, cache=True, error_model="numpy")
def mirrored(index, count):
    """Return the column that stands at an index, which may lie beyond the edge."""
    while index < 0 or index >= count:
        index = -index - 1 if index < 0 else 2 * count - 1 - index
    return index


@njit(nogil=True, cache=True, error_model="numpy")
def _begin(columns, half, first, lanes, window):
    """Fill the window of the first column, in order."""
    for i in range(1, window.shape[0] - 1):
        for j in range(_LANES):
            window[i, j] = np.inf
    for k in range(-half, half + 1):
        line = columns[mirrored(k, columns.shape[0])]
        for j in range(lanes):
            value = line[first + j]
            i = k + half + 1
            while window[i - 1, j] > value:
                window[i, j] = window[i - 1, j]
                i -= 1
            window[i, j] = value
    for i in range(1, window.shape[0] - 1):
        for j in range(lanes, _LANES):
            window[i, j] = 0


@njit(nogil=True, cache=True, error_model="numpy")
def _move(window, moved, leaving, entering):
    """Fill `moved` with the ordered window, less one value and with another.

    Without the value that leaves, place i holds what was there if that is smaller, and else what came next. With the
    value that enters, it is then the larger of the place before and the smaller of this one and the newcomer.
    """
    for i in range(1, window.shape[0] - 1):
        below, here, above, target = window[i - 1], window[i], window[i + 1], moved[i]
        for j in range(_LANES):
            old, new = leaving[j], entering[j]
            before = below[j] if below[j] < old else here[j]
            after = here[j] if here[j] < old else above[j]
            low = after if after < new else new
            target[j] = before if before > low else low
