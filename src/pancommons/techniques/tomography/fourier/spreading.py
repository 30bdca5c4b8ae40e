"""Spreading samples of a polar grid over a Cartesian one, the gridding of a non-uniform Fourier transform.

A sample is added, weighted by a compact kernel, to the four by four grid cells around it; the image is
divided by the kernel's transform afterwards. The kernel is the exponential of a semicircle (A. H. Barnett, J.
Magland, L. af Klinteberg, SIAM J. Sci. Comput. 41, C479 (2019), doi:10.1137/18M120885X), evaluated once per
geometry. Samples are sorted into square tiles of the grid, so that the cells that a tile's samples are added
to stay in the cache.

A sample and its mirror image through the origin have mirrored weights: taps on the rim of the kernel, which
would fall on one side only, are left out. Two real slices packed into one complex number therefore stay
apart.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from pancommons.techniques.tomography.fourier.lanes import CELL
from pancommons.techniques.tomography.fourier.vectors import Emitter, data_pointer

TAPS = 4
"""Grid cells per axis that one sample is spread over."""

TILE = 16
"""Edge of the square of grid cells whose samples are spread together, so that they stay in the cache."""


@intrinsic
def _spread_cell(
    typingctx: Any, grid: Any, corner: Any, stride: Any, cells: Any, source: Any, weights: Any, at: Any
) -> Any:
    """Add a cell, weighted, to the TAPS x TAPS cells of the grid that begin at `corner`."""
    integer = types.int64
    signature = types.void(grid, integer, integer, cells, integer, weights, integer)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        sample = data_pointer(context, builder, sig.args[3], args[3])
        table = data_pointer(context, builder, sig.args[5], args[5])
        real, imaginary = e.load(sample, args[4]), e.load(sample, args[4], 8)
        weight = [
            builder.load(builder.gep(table, [builder.add(args[6], ir.Constant(args[6].type, j))]), align=4)
            for j in range(2 * TAPS)
        ]
        across = [e.splat(w) for w in weight[TAPS:]]
        row = args[1]
        for i in range(TAPS):
            down = e.splat(weight[i])
            p, q = e.mul(real, down), e.mul(imaginary, down)
            for j in range(TAPS):
                for value, offset in ((p, CELL * j), (q, CELL * j + 8)):
                    total = e.add(e.load(target, row, offset), e.mul(value, across[j]))
                    e.store(total, target, row, offset)
            row = builder.add(row, args[2])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _prefetch(typingctx: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of ``array[at]``."""
    signature = types.void(array, types.int64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        pointer = builder.bitcast(builder.gep(data_pointer(context, builder, sig.args[0], args[0]), [args[1]]), byte)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
        )
        builder.call(function, [pointer] + [ir.Constant(word, v) for v in (0, 2, 1)])
        return context.get_dummy_value()

    return signature, codegen


@dataclass(frozen=True)
class Samples:
    """Where and how the samples of a polar grid are spread, in the order of the tiles.

    Attributes
    ----------
    side, stride
        Frequencies per axis of the grid, and cells between two rows of it.
    source
        int32 [sample], the index of the sample.
    corner
        int32 [sample], the first grid cell it is added to.
    weights
        float32 [sample, 8], four along x (rows of the grid), four along y.
    strips
        int64 [strip + 1], the first sample of each row of tiles.
    """

    side: int
    stride: int
    source: NDArray[np.int32]
    corner: NDArray[np.int32]
    weights: NDArray[np.float32]
    strips: NDArray[np.int64]

    @property
    def grid_size(self) -> int:
        """float32 values in the grid, the halo of TAPS rows included."""
        return grid_size(self.side)


def grid_stride(side: int) -> int:
    """Return the cells between two rows: with the halo, and such that a tile's rows share no cache set."""
    return side + TAPS + (20 - side - TAPS) % 64


def grid_size(side: int) -> int:
    """Return the float32 values in a grid of `side` frequencies, its halo included."""
    return (side + TAPS) * grid_stride(side) * CELL


def shape(oversampling: float) -> float:
    """Return the shape parameter of the kernel that suits a grid finer than the image by `oversampling`."""
    return float(0.98 * np.pi * TAPS * (1 - 1 / (2 * oversampling)))


def correction(pixels: int, side: int) -> NDArray[np.float32]:
    """Return what undoes the kernel in an image: float32 [pixel], the origin at ``pixels // 2``."""
    beta = shape(side / pixels)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    kernel = np.exp(beta * (np.sqrt(1 - nodes * nodes) - 1)) * weights
    position = np.arange(pixels) - pixels // 2
    transform = np.cos(np.pi * TAPS / side * position[:, None] * nodes) @ kernel * (TAPS / 2)
    return (1 / transform).astype(np.float32)


@njit(nogil=True, cache=True, error_model="numpy")
def _axis(frequency, side):
    """Return where a frequency (in grid cells) lies on the periodic grid, and the first cell it touches."""
    position = frequency if frequency >= 0 else frequency + side
    first = int(np.ceil(position - TAPS / 2))
    return position, first


@njit(nogil=True, cache=True, error_model="numpy")
def _sort(cosines, sines, length, side, stride, beta, source, corner, weights, strips):
    tiles = (side + TILE - 1) // TILE
    counts = np.zeros(tiles * tiles + 1, np.int64)
    step = side / length
    for fill in range(2):
        for i in range(cosines.size):
            for k in range(length):
                radius = (k if 2 * k < length else k - length) * step
                px, ix = _axis(radius * cosines[i], side)
                py, iy = _axis(-radius * sines[i], side)
                jx, jy = ix % side, iy % side
                tile = (jx // TILE) * tiles + jy // TILE
                if fill == 0:
                    counts[tile + 1] += 1
                    continue
                at = counts[tile]
                counts[tile] += 1
                source[at] = i * length + k
                corner[at] = jx * stride + jy
                for tap in range(TAPS):
                    for axis in range(2):
                        z = (ix + tap - px if axis == 0 else iy + tap - py) / (TAPS / 2)
                        inside = abs(z) < 1 - 1e-6
                        weights[at, axis * TAPS + tap] = np.exp(beta * (np.sqrt(1 - z * z) - 1)) if inside else 0.0
        if fill == 0:
            for tile in range(tiles * tiles):
                counts[tile + 1] += counts[tile]
            for strip in range(tiles + 1):
                strips[strip] = counts[strip * tiles]


def arrange(angles: NDArray[np.float64], length: int, side: int, oversampling: float) -> Samples:
    """Sort the spectra of projections (`length` frequencies each, as an FFT has them) on a grid of `side`.

    An image's x axis runs along the columns of the projection at angle 0, its y axis downwards; the
    projection at pi / 2 runs upwards.
    """
    count, stride = angles.size * length, grid_stride(side)
    samples = Samples(
        side,
        stride,
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty((count, 2 * TAPS), np.float32),
        np.empty((side + TILE - 1) // TILE + 1, np.int64),
    )
    _sort(
        np.cos(angles), np.sin(angles), length, side, stride, shape(oversampling),
        samples.source, samples.corner, samples.weights, samples.strips,
    )  # fmt: skip
    return samples


@njit(nogil=True, cache=True, error_model="numpy")
def spread(cells, source, corner, weights, strips, stride, grid):
    """Spread the cells (float32, flat: cells [sample]) over the grid, which is cleared first.

    The other arguments are the fields of `Samples`, the weights flattened.
    """
    line = stride * CELL
    grid[: TAPS * line] = 0
    cleared = TAPS * line
    for strip in range(strips.size - 1):
        until = min(grid.size, cleared + TILE * line)
        grid[cleared:until] = 0
        cleared = until
        for at in range(strips[strip], strips[strip + 1]):
            ahead = min(at + 12, source.size - 1)
            _prefetch(cells, np.int64(source[ahead]) * CELL)
            _spread_cell(
                grid,
                np.int64(corner[at]) * CELL,
                line,
                cells,
                np.int64(source[at]) * CELL,
                weights,
                at * 2 * TAPS,
            )
