"""Stripes that stay the same over a block of projections, estimated from the mean projection.

E. X. Miqueles, J. Rinkel, F. O'Dowd, J. S. V. Bermudez, Generalized Titarenko's algorithm for ring artefacts
reduction, J. Synchrotron Rad. 21, 1333 (2014), after V. Titarenko, R. Bradley, C. Martin, P. J. Withers, S. Titarenko.
A stripe adds the same value n(column) to every line integral of a block. It is what makes the projections p less
smooth than they should be: it minimises

    sum over angles of |D (p - n)|^2  +  angles * weight * |n|^2,

D being the differences of some order between columns. Only the mean of the differences D p enters, and the equation has
a band matrix, which is solved directly. The guarded form takes the median of the differences instead, the fit with
the smallest sum of magnitudes, to which an edge of the sample that crosses a column at few angles means nothing.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from itertools import pairwise
from math import comb, pi, sin

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.techniques.tomography.rings.ranks import transpose


def remove(sinogram: NDArray[np.float32], *, order: int, extent: float, blocks: int, guarded: bool) -> None:
    """Remove stripes from a sinogram in place.

    Parameters
    ----------
    sinogram
        float32 [angle, column].
    order
        Of the differences, at least 1. The higher, the more sharply stripes are told from structure by their width.
    extent
        Period across the columns, in pixels, of which half is taken for stripes; of shorter ones more.
    blocks
        Blocks of projections, each with stripes of its own.
    guarded
        Whether to take the median of the differences, not their mean.
    """
    angles = len(sinogram)
    weight = (2 * sin(pi / extent)) ** (2 * order)
    factors = np.array([(-1) ** (order - k) * comb(order, k) for k in range(order + 1)], np.float64)
    edges = [round(angles * k / blocks) for k in range(blocks + 1)]
    for first, last in pairwise(edges):
        if last > first:
            block = sinogram[first:last]
            block -= stripes(_differences(block, order, guarded), factors, weight).astype(np.float32)


def _differences(block: NDArray[np.float32], order: int, guarded: bool) -> NDArray[np.float64]:
    """Return the mean or the median over the angles of the differences between columns."""
    if not guarded:
        return np.diff(block.mean(axis=0, dtype=np.float64), order)
    columns = np.empty(block.shape[::-1], np.float32)
    transpose(block, columns)
    rising = np.diff(columns, order, axis=0)
    rising.sort(axis=1)
    middle = len(block) // 2
    return (rising[:, middle].astype(np.float64) + rising[:, len(block) - 1 - middle]) / 2


def scratch_bytes(angles: int, columns: int) -> int:
    """Return the bytes that `remove` needs beside the sinogram: its differences."""
    return 16 * angles * columns + 256 * columns


@njit(nogil=True, cache=True, error_model="numpy")
def stripes(rough, factors, weight):  # type: ignore[no-untyped-def]
    """Return float64 [column]: the n that solves (D'D + weight) n = D' rough, by a banded Cholesky decomposition.

    Parameters
    ----------
    rough
        float64 [column - order], differences.
    factors
        float64 [order + 1], what columns are multiplied by to make a difference.
    weight
        Positive.
    """
    order = factors.size - 1
    count = rough.size + order
    band = np.zeros((count, order + 1))  # band[i, k] = matrix[i, i - k]
    right = np.zeros(count)
    for i in range(count - order):
        for k in range(order + 1):
            right[i + k] += factors[k] * rough[i]
            for m in range(k + 1):
                band[i + k, k - m] += factors[k] * factors[m]
    band[:, 0] += weight
    for i in range(count):
        for k in range(min(order, i), -1, -1):
            value = band[i, k]
            for m in range(k + 1, min(order, i) + 1):
                value -= band[i, m] * band[i - k, m - k]
            band[i, k] = value / band[i - k, 0] if k else np.sqrt(value)
        for k in range(1, min(order, i) + 1):
            right[i] -= band[i, k] * right[i - k]
        right[i] /= band[i, 0]
    for i in range(count - 1, -1, -1):
        for k in range(1, min(order, count - 1 - i) + 1):
            right[i] -= band[i + k, k] * right[i + k]
        right[i] /= band[i, 0]
    return right
