"""The transforms of a batch of sixteen slices: projections to spectra, and the grid to slices.

See `lanes` for what a cell is.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from pancommons.techniques.tomography.fourier.lanes import CELL, Complex, transform
from pancommons.techniques.tomography.fourier.vectors import Emitter, data_pointer


def _cellwise(rule: Callable[[Emitter, Complex, Complex, list[Any]], Complex]) -> Callable[..., None]:
    """Make ``f(target, t, source, s, p, q)``: set a cell to `rule` of it, a source's cell and two numbers."""

    @intrinsic
    def change(typingctx: Any, target: Any, t: Any, source: Any, s: Any, p: Any, q: Any) -> Any:
        signature = types.void(target, types.int64, source, types.int64, types.float32, types.float32)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            e = Emitter(builder)
            to = data_pointer(context, builder, sig.args[0], args[0])
            of = data_pointer(context, builder, sig.args[2], args[2])
            old, given = ((e.load(base, at), e.load(base, at, 8)) for base, at in ((to, args[1]), (of, args[3])))
            real, imaginary = rule(e, old, given, [e.splat(args[4]), e.splat(args[5])])
            e.store(real, to, args[1])
            e.store(imaginary, to, args[1], 8)
            return context.get_dummy_value()

        return signature, codegen

    return cast(Callable[..., None], change)


_copy_cell = _cellwise(lambda e, old, given, numbers: given)
_add_cell = _cellwise(lambda e, old, given, numbers: (e.add(old[0], given[0]), e.add(old[1], given[1])))
scale_cell = _cellwise(lambda e, old, given, n: (e.mul(given[0], n[0]), e.mul(given[1], n[0])))
_turn_cell = _cellwise(
    lambda e, old, given, n: (
        e.sub(e.mul(given[0], n[0]), e.mul(given[1], n[1])),
        e.add(e.mul(given[0], n[1]), e.mul(given[1], n[0])),
    )
)


@intrinsic
def _turn_lanes(typingctx: Any, cells: Any, at: Any, table: Any, entry: Any) -> Any:
    """Multiply a cell's eight complex numbers by eight of a table of cells."""
    signature = types.void(cells, types.int64, table, types.int64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        factors = data_pointer(context, builder, sig.args[2], args[2])
        real, imaginary = e.load(target, args[1]), e.load(target, args[1], 8)
        c, s = e.load(factors, args[3]), e.load(factors, args[3], 8)
        e.store(e.sub(e.mul(real, c), e.mul(imaginary, s)), target, args[1])
        e.store(e.add(e.mul(real, s), e.mul(imaginary, c)), target, args[1], 8)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def enter(typingctx: Any, cells: Any, at: Any, rows: Any, start: Any, stride: Any) -> Any:
    """Turn eight samples of eight rows (``rows[start + c stride + n]``) into halves of eight cells."""
    integer = types.int64
    signature = types.void(cells, integer, rows, integer, integer)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        source = data_pointer(context, builder, sig.args[2], args[2])
        at, square = args[3], []
        for _ in range(8):
            square.append(e.load(source, at))
            at = builder.add(at, args[4])
        for n, column in enumerate(e.transposed(square)):
            e.store(column, target, args[1], n * CELL)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _leave(
    typingctx: Any,
    rows: Any,
    start: Any,
    stride: Any,
    cells: Any,
    at: Any,
    factors: Any,
    first: Any,
    factor: Any,
) -> Any:
    """Turn halves of eight cells, times ``factor * factors[first + n]``, into eight samples of eight rows."""
    integer = types.int64
    signature = types.void(rows, integer, integer, cells, integer, factors, integer, types.float32)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        e = Emitter(builder)
        target = data_pointer(context, builder, sig.args[0], args[0])
        source = data_pointer(context, builder, sig.args[3], args[3])
        table = data_pointer(context, builder, sig.args[5], args[5])
        scale = e.mul(e.load(table, args[6]), e.splat(args[7]))
        square = []
        for n in range(8):
            one = builder.shuffle_vector(scale, scale, ir.Constant(ir.VectorType(ir.IntType(32), 8), [n] * 8))
            square.append(e.mul(e.load(source, args[4], n * CELL), one))
        at = args[1]
        for row in e.transposed(square):
            e.store(row, target, at)
            at = builder.add(at, args[2])
        return context.get_dummy_value()

    return signature, codegen


@njit(nogil=True, cache=True, error_model="numpy")
def spectra(sinograms, edge, filtering, spectrum, response, moves, phases, x, y, out):
    """Filter the projections of up to sixteen slices and write their weighted spectra as cells.

    Parameters
    ----------
    sinograms
        float32 [slice, angle, column], contiguous, at most sixteen slices, all finite.
    edge
        Whether the filter sees the first and last column repeated outside of the field, not zeros.
    filtering, spectrum
        (passes, twiddles) of the filter's transform (at least twice the columns) and of the spectrum's.
    response
        complex64 [frequency], the filter's response over the length of its transform.
    moves
        float32, flat: cells [frequency], by which each pair of slices is moved along its columns; empty for none.
    phases
        complex64 [angle, frequency], the weight of each sample of the spectrum.
    x, y
        float32 buffers of as many cells as the longer transform, and eight to spare.
    out
        float32, flat: cells [angle, frequency].
    """
    slices, angles, columns = sinograms.shape
    one, zero, forward, back = np.float32(1), np.float32(0), np.int64(0), np.int64(8)
    slices, angles, columns = sinograms.shape
    padded, length = response.size, phases.shape[1]
    stride = columns + 8
    rows = np.zeros(CELL * stride, np.float32)
    for i in range(angles):
        for c in range(slices):
            for n in range(columns):
                rows[c * stride + n] = sinograms[c, i, n]
        for n in range(0, columns, 8):
            enter(x, n * CELL, rows, n, 2 * stride)
            enter(x, n * CELL + 8, rows, stride + n, 2 * stride)
        if edge:
            middle = (columns + padded) // 2
            for n in range(columns, padded):
                _copy_cell(x, n * CELL, x, (columns - 1) * CELL if n < middle else 0, one, zero)
        else:
            for n in range(columns, padded):
                scale_cell(x, n * CELL, x, 0, zero, zero)
        a, b = transform(x, y, filtering[0], filtering[1], forward)
        for k in range(padded):
            _turn_cell(a, k * CELL, a, k * CELL, response[k].real, response[k].imag)
        if moves.size:
            for k in range(padded):
                _turn_lanes(a, k * CELL, moves, k * CELL)
        a, b = transform(a, b, filtering[0], filtering[1], back)
        for n in range(columns, length):
            scale_cell(a, n * CELL, a, 0, zero, zero)
        a, b = transform(a, b, spectrum[0], spectrum[1], forward)
        for k in range(length):
            _turn_cell(out, (i * length + k) * CELL, a, k * CELL, phases[i, k].real, phases[i, k].imag)


@njit(nogil=True, cache=True, error_model="numpy")
def images(grid, stride, halo, inverse, region, middle, factors, x, y, out):
    """Transform a grid of cells into the slices; the grid is used up.

    Parameters
    ----------
    grid
        float32, flat: cells [x frequency + halo, stride], y frequencies along a row, the origin first.
    stride, halo
        Cells between two rows; rows and columns past the last frequency that belong to the first ones.
    inverse
        (passes, twiddles) of the grid's transform.
    region
        (y0, y1, x0, x1) of the pixels wanted.
    middle
        The pixel at the origin.
    factors
        float32 [pixel], what a pixel is multiplied by along each axis (with eight entries to spare).
    x, y
        float32 buffers of twice and once as many cells as the transform is long, and eight to spare.
    out
        float32 [slice, y, x], contiguous, at most sixteen slices.
    """
    one, zero, back = np.float32(1), np.float32(0), np.int64(8)
    passes, twiddles = inverse
    side = 1
    for k in range(passes.shape[0]):
        side *= passes[k, 0]
    y0, y1, x0, x1 = region
    slices = out.shape[0]
    line = stride * CELL
    for row in range(halo):
        for k in range(side + halo):
            _add_cell(grid, row * line + k * CELL, grid, (side + row) * line + k * CELL, one, zero)
    for row in range(side):
        o = row * line
        for k in range(side):
            _copy_cell(x, k * CELL, grid, o + k * CELL, one, zero)
        for k in range(halo):
            _add_cell(x, k * CELL, grid, o + (side + k) * CELL, one, zero)
        a, _ = transform(x, y, passes, twiddles, back)
        for j in range(y0, y1):
            _copy_cell(grid, o + (j - y0) * CELL, a, ((j - middle) % side) * CELL, one, zero)
    width, height = x1 - x0, y1 - y0
    step = width + 16
    rows = np.empty(CELL * step, np.float32)
    left = max(0, min(middle, x1) - x0)  # pixels on the left of the origin; they lie at the end of the period
    for j in range(0, height, 2):
        for k in range(side):
            _copy_cell(x, k * CELL, grid, k * line + j * CELL, one, zero)
            _copy_cell(x, (side + k) * CELL, grid, k * line + (j + 1) * CELL, one, zero)
        for second in range(min(2, height - j)):
            begin = second * side * CELL
            a, _ = transform(x[begin : begin + (side + 8) * CELL], y, passes, twiddles, back)
            factor = factors[y0 + j + second]
            for first, last in ((0, left), (left, width)):
                # Eight at a time; what is too much is written over, or is beside the row.
                for i in range(first, last, 8):
                    source = ((x0 + i - middle) % side) * CELL
                    _leave(rows, i, 2 * step, a, source, factors, x0 + i, factor)
                    _leave(rows, i + step, 2 * step, a, source + 8, factors, x0 + i, factor)
            for c in range(slices):
                for i in range(width):
                    out[c, j + second, i] = rows[c * step + i]
