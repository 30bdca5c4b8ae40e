"""The normal operator of a scan: back-projection after projection, as one convolution.

Back-projecting a projection joins two pixels by a number that depends on the vector between them only: for a vector d
it is the sum over the angles of a periodic sinc of the component of d along the detector. The operator is therefore a
convolution of the slice, and costs a transform of twice the slice's width and one back, whatever the number of angles.
The kernel is computed once per geometry by spreading ones over the polar grid. (J. A. Fessler et al., IEEE Trans.
Signal Process. 53, 3393 (2005), doi:10.1109/TSP.2005.853152, for magnetic resonance imaging.)

Eight rows or columns of pixels are transformed at a time, each in a lane (see `lanes`): sixteen real rows as eight
complex ones, then eight columns of their spectra.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from pancommons.techniques.tomography.fourier import lanes
from pancommons.techniques.tomography.fourier.batch import enter, scale_cell
from pancommons.techniques.tomography.fourier.lanes import CELL, transform
from pancommons.techniques.tomography.fourier.vectors import Emitter, data_pointer
from pancommons.techniques.tomography.iterative import nonuniform
from pancommons.techniques.tomography.iterative.projector import ring_length
from pancommons.techniques.tomography.quality.truth import inside

LANES = 8
"""Complex numbers in a cell."""

_POWERS = 12


@intrinsic
def _multiply(typingctx: Any, cells: Any, at: Any, factors: Any, first: Any) -> Any:
    """Multiply the lanes of a cell by eight real numbers."""
    signature = types.void(cells, types.int64, factors, types.int64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        factor = e.load(data_pointer(context, builder, sig.args[2], args[2]), args[3])
        for offset in (0, LANES):
            e.store(e.mul(e.load(target, args[1], offset), factor), target, args[1], offset)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _separate(typingctx: Any, rows: Any, at: Any, cells: Any, first: Any, last: Any) -> Any:
    """Take the spectra of sixteen real rows apart, eight frequencies of them.

    The cells from `first` on hold the frequencies, those from `last` down their negatives; lane c is row 2c + i row
    2c + 1. Sixteen cells from `at` on become the rows, a lane for each frequency.
    """
    signature = types.void(rows, types.int64, cells, types.int64, types.int64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        source = data_pointer(context, builder, sig.args[2], args[2])
        squares: list[list[Any]] = [[], [], [], []]
        for n in range(LANES):
            p, q = (e.load(source, args[3], n * CELL + part) for part in (0, LANES))
            r, s = (e.load(source, args[4], part - n * CELL) for part in (0, LANES))
            half = e.number(0.5)
            for square, value in zip(squares, (e.add(p, r), e.sub(q, s), e.add(q, s), e.sub(r, p)), strict=True):
                square.append(e.mul(value, half))
        for part, square in enumerate(squares):
            for c, row in enumerate(e.transposed(square)):
                e.store(row, target, args[1], 2 * c * CELL + (part // 2) * CELL + (part % 2) * LANES)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _unite(typingctx: Any, cells: Any, first: Any, last: Any, rows: Any, at: Any) -> Any:
    """Undo `_separate`."""
    signature = types.void(cells, types.int64, types.int64, rows, types.int64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        source = data_pointer(context, builder, sig.args[3], args[3])
        squares = []
        for part in range(4):
            offset = (part // 2) * CELL + (part % 2) * LANES
            squares.append(e.transposed([e.load(source, args[4], 2 * c * CELL + offset) for c in range(LANES)]))
        for n, (a, b, c, d) in enumerate(zip(*squares, strict=True)):  # row 2c = a + i b, row 2c + 1 = c + i d
            e.store(e.add(a, d), target, args[2], -n * CELL)
            e.store(e.sub(c, b), target, args[2], LANES - n * CELL)
            e.store(e.sub(a, d), target, args[1], n * CELL)
            e.store(e.add(b, c), target, args[1], n * CELL + LANES)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _leave(typingctx: Any, rows: Any, start: Any, stride: Any, cells: Any, at: Any) -> Any:
    """Turn halves of eight cells into eight samples of eight rows."""
    integer = types.int64
    signature = types.void(rows, integer, integer, cells, integer)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        source = data_pointer(context, builder, sig.args[3], args[3])
        at = args[1]
        for row in e.transposed([e.load(source, args[4], n * CELL) for n in range(LANES)]):
            e.store(row, target, at)
            at = builder.add(at, args[2])
        return context.get_dummy_value()

    return signature, codegen


@njit(nogil=True, cache=True, error_model="numpy")
def _convolve(image, out, kernel, side, passes, twiddles, rows, spectra, x, y):
    width = image.shape[0]
    one, zero = np.float32(1), np.float32(0)
    blocks, deep = (side // 2) // LANES + 1, spectra.size // (((side // 2) // LANES + 1) * CELL)
    step = rows.size // CELL
    for first in range(0, width, CELL):
        rows[:] = 0
        for j in range(min(CELL, width - first)):
            for i in range(width):
                rows[j * step + i] = image[first + j, i]
        for i in range(0, width, LANES):
            enter(x, i * CELL, rows, i, 2 * step)
            enter(x, i * CELL + LANES, rows, step + i, 2 * step)
        for i in range(width, side):
            scale_cell(x, i * CELL, x, 0, zero, zero)
        a, b = transform(x, y, passes, twiddles, np.int64(0))
        for n in range(LANES):  # the first frequencies again, behind the last
            scale_cell(a, (side + n) * CELL, a, n * CELL, one, zero)
        for block in range(blocks):
            _separate(spectra, (block * deep + first) * CELL, a, block * LANES * CELL, (side - block * LANES) * CELL)
    for block in range(blocks):
        o = block * deep * CELL
        for j in range(width):
            scale_cell(x, j * CELL, spectra, o + j * CELL, one, zero)
        for j in range(width, side):
            scale_cell(x, j * CELL, x, 0, zero, zero)
        a, b = transform(x, y, passes, twiddles, np.int64(0))
        for j in range(side):
            _multiply(a, j * CELL, kernel, (block * side + j) * LANES)
        a, b = transform(a, b, passes, twiddles, np.int64(8))
        for j in range(width):
            scale_cell(spectra, o + j * CELL, a, j * CELL, one, zero)
    for first in range(0, width, CELL):
        # From the highest frequencies down: what the last block has too many is written over by the next.
        for block in range(blocks - 1, -1, -1):
            _unite(x, block * LANES * CELL, (side - block * LANES) * CELL, spectra, (block * deep + first) * CELL)
        a, b = transform(x, y, passes, twiddles, np.int64(8))
        for i in range(0, width, LANES):
            _leave(rows, i, 2 * step, a, i * CELL)
            _leave(rows, i + step, 2 * step, a, i * CELL + LANES)
        for j in range(min(CELL, width - first)):
            for i in range(width):
                out[first + j, i] = rows[j * step + i]


class Buffers:
    """What one thread needs to convolve a slice."""

    def __init__(self, width: int) -> None:
        side = ring_length(width)
        self.rows = np.zeros(CELL * (-(-width // LANES) * LANES + LANES), np.float32)
        deep = -(-width // CELL) * CELL
        self.spectra = lanes.aligned((side // 2 // LANES + 1) * deep * CELL)
        self.spectra[:] = 0
        self.x, self.y = (lanes.aligned((side + 2 * LANES) * CELL) for _ in range(2))

    @staticmethod
    def bytes_of(width: int) -> int:
        """Return the bytes of a thread's buffers."""
        side, deep = ring_length(width), -(-width // CELL) * CELL
        rows = CELL * (-(-width // LANES) * LANES + LANES)
        return 4 * (rows + (side // 2 // LANES + 1) * deep * CELL + 2 * (side + 2 * LANES) * CELL)


class NormalOperator:
    """Back-projection after projection, for slices of one geometry; threads may share it, each with its `Buffers`.

    Parameters
    ----------
    angles
        float64 [angle], radians.
    width
        Rows and columns of a slice.

    Attributes
    ----------
    support
        bool [y, x], the pixels that may differ from zero: those nearer to the axis than half the width.
    norm
        The operator's largest eigenvalue among slices within the support.
    """

    def __init__(self, angles: NDArray[np.float64], width: int) -> None:
        self.width, self.side = width, ring_length(width)
        lags = _kernel(angles, width, self.side)
        spectrum = scipy.fft.rfft2(lags, overwrite_x=True).real
        del lags
        blocks = self.side // 2 // LANES + 1
        self._kernel = lanes.aligned(blocks * self.side * LANES)
        packed = self._kernel.reshape(blocks, self.side, LANES)
        for k in range(blocks * LANES):  # beyond the Nyquist frequency stand those of opposite sign
            column = spectrum[:, k] if 2 * k <= self.side else np.roll(spectrum[::-1, self.side - k], 1)
            packed[k // LANES, :, k % LANES] = column / self.side**2
        plan = lanes.plan(self.side)
        self._plan = plan.passes, plan.twiddles
        self.support = inside(width, 1.0)
        self.norm = self._largest()

    def __call__(self, image: NDArray[np.float32], out: NDArray[np.float32], buffers: Buffers) -> None:
        """Write the image of a slice (float32 [y, x]) to `out`, which may be the slice itself."""
        b = buffers
        _convolve(image, out, self._kernel, self.side, *self._plan, b.rows, b.spectra, b.x, b.y)

    def _largest(self) -> float:
        """Iterate powers; the eigenvectors are smooth and their eigenvalues far apart, so that few suffice."""
        buffers, image = Buffers(self.width), self.support.astype(np.float32)
        size = 1.0
        for _ in range(_POWERS):
            image /= np.float32(size)
            self(image, image, buffers)
            image[~self.support] = 0
            size = float(np.sqrt(np.sum(np.square(image, dtype=np.float64), axis=1).sum()))
        return 1.01 * size

    @staticmethod
    def bytes_of(width: int) -> tuple[int, int]:
        """Return the bytes that are held, and the most that are needed while it is made."""
        side, grid = ring_length(width), nonuniform.grid_side(2 * width)
        held = 4 * (side // 2 // LANES + 1) * side * LANES
        return held, held + max(8 * grid * grid + 16 * grid * width, 16 * side * side)


def _kernel(angles: NDArray[np.float64], width: int, side: int) -> NDArray[np.float32]:
    """Return the kernel at all differences of two pixels, on a torus: float32 [y, x] of `side` pixels."""
    ring, grid_side = side, nonuniform.grid_side(2 * width)
    weights = np.full(ring // 2, 2 / ring)
    weights[0] = 1 / ring
    grid = np.empty((grid_side, grid_side))
    rays = np.broadcast_to(weights, (angles.size, weights.size))
    beta = nonuniform.shape(2 * width, grid_side)
    nonuniform.spread(rays, np.cos(angles), np.sin(angles), grid_side / ring, beta, grid)
    down, across = np.arange(1 - width, width), np.arange(width)
    lines = np.empty((grid_side, width), np.complex128)
    for first in range(0, grid_side, 64):  # the real part is even, so the sign of the exponent does not matter
        lines[first : first + 64] = scipy.fft.rfft(grid[first : first + 64], axis=1)[:, :width]
    del grid
    lags = np.zeros((side, side), np.float32)
    factors = nonuniform.correction(down, 2 * width, grid_side)
    for first in range(0, width, 64):
        block = across[first : first + 64]
        values = scipy.fft.fft(lines[:, block], axis=0)[down % grid_side].real
        values *= factors[:, None] * factors[block + width - 1]
        lags[down[:, None] % side, block] = values
        lags[-down[:, None] % side, -block % side] = values
    return lags
