"""Non-uniform Fourier transforms on the polar grid of a scan, accurate to float32.

A sample is spread over eight by eight cells of a grid half as fine again as the image needs, weighted by the
exponential of a semicircle (A. H. Barnett, J. Magland, L. af Klinteberg, SIAM J. Sci. Comput. 41, C479 (2019),
doi:10.1137/18M120885X); its relative error is about 1e-6. The filtered back-projection next door makes do with four
cells, since it filters first. An inversion by iteration magnifies the error of an unfiltered back-projection by about
the width of the slice, hence the accuracy here.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from math import ceil

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.techniques.tomography.fourier.lanes import good_length

TAPS = 8
"""Grid cells per axis that one sample is spread over."""

OVERSAMPLING = 1.5
"""Least number of grid cells per pixel of the image."""


def grid_side(pixels: int) -> int:
    """Return the cells per axis of the grid for an image of so many pixels per axis."""
    return max(good_length(ceil(OVERSAMPLING * pixels)), 2 * TAPS)


def shape(pixels: int, side: int) -> float:
    """Return the shape parameter of the kernel."""
    return float(0.98 * np.pi * TAPS * (1 - pixels / (2 * side)))


def correction(positions: NDArray[np.int64], pixels: int, side: int) -> NDArray[np.float64]:
    """Return what undoes the kernel at pixels counted from the origin: float64 [pixel]."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    kernel = np.exp(shape(pixels, side) * (np.sqrt(1 - nodes * nodes) - 1)) * weights
    transform = np.cos(np.pi * TAPS / side * positions[:, None] * nodes) @ kernel * (TAPS / 2)
    return np.asarray(1 / transform, np.float64)


@njit(nogil=True, cache=True, error_model="numpy")
def _taps(position, side, beta, weights, cells):
    """Write the weights of the cells around a position, and the cells on the periodic grid."""
    first = int(np.ceil(position - TAPS / 2))
    for tap in range(TAPS):
        z = (first + tap - position) / (TAPS / 2)
        square = 1 - z * z
        weights[tap] = np.exp(beta * (np.sqrt(square) - 1)) if square > 0 else 0.0
        cells[tap] = (first + tap) % side


@njit(nogil=True, cache=True, error_model="numpy")
def spread(values, cosines, sines, step, beta, grid):
    """Add samples to a grid, which is cleared first.

    Parameters
    ----------
    values
        [angle, frequency], real or complex.
    cosines, sines
        float64 [angle].
    step
        Grid cells between two frequencies along a ray.
    beta
        The kernel's shape.
    grid
        [y frequency, x frequency] of the type of the values, the origin first; y counts downwards.
    """
    side = grid.shape[0]
    across, down = np.empty(TAPS), np.empty(TAPS)
    columns, rows = np.empty(TAPS, np.int64), np.empty(TAPS, np.int64)
    grid[:] = 0
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            radius = k * step
            _taps(radius * cosines[i], side, beta, across, columns)
            _taps(-radius * sines[i], side, beta, down, rows)
            value = values[i, k]
            if columns[TAPS - 1] > columns[0]:
                left = columns[0]
                for a in range(TAPS):
                    part = value * down[a]
                    for b in range(TAPS):
                        grid[rows[a], left + b] += part * across[b]
            else:
                for a in range(TAPS):
                    part = value * down[a]
                    for b in range(TAPS):
                        grid[rows[a], columns[b]] += part * across[b]


@njit(nogil=True, cache=True, error_model="numpy")
def gather(grid, cosines, sines, step, beta, values):
    """Evaluate a grid at the samples: the transpose of `spread`; the result replaces `values`."""
    side = grid.shape[0]
    across, down = np.empty(TAPS), np.empty(TAPS)
    columns, rows = np.empty(TAPS, np.int64), np.empty(TAPS, np.int64)
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            radius = k * step
            _taps(radius * cosines[i], side, beta, across, columns)
            _taps(-radius * sines[i], side, beta, down, rows)
            total = 0.0j
            for a in range(TAPS):
                for b in range(TAPS):
                    total += grid[rows[a], columns[b]] * (down[a] * across[b])
            values[i, k] = total
