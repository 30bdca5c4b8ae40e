"""Fourier transforms of sixteen slices at once, one cache line per sample.

Every slice of a parallel-beam scan needs the same transforms with the same weights, so sixteen of them are
carried together: slices 2c and 2c+1 are the real and the imaginary part of lane c, and one *cell* holds the
eight complex lanes of one sample as sixteen adjacent float32, eight real parts and then eight imaginary
parts. A butterfly then is plain vector arithmetic without a shuffle. Lanes never mix: a slice's result does
not depend, in any bit, on what the other seven lanes hold.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from pancommons.techniques.tomography.fourier.vectors import Emitter, data_pointer

CELL = 16
"""float32 values in a cell: eight complex lanes."""

Complex = tuple[Any, Any]


def _dft(e: Emitter, values: Sequence[Complex]) -> list[Complex]:
    """Return the forward discrete Fourier transform of 2, 3, 4 or 5 complex vectors."""

    def add(x: Complex, y: Complex) -> Complex:
        return e.add(x[0], y[0]), e.add(x[1], y[1])

    def sub(x: Complex, y: Complex) -> Complex:
        return e.sub(x[0], y[0]), e.sub(x[1], y[1])

    def scale(x: Complex, factor: float) -> Complex:
        return e.mul(x[0], e.number(factor)), e.mul(x[1], e.number(factor))

    def less_i(x: Complex, y: Complex) -> Complex:  # x - i y
        return e.add(x[0], y[1]), e.sub(x[1], y[0])

    def plus_i(x: Complex, y: Complex) -> Complex:  # x + i y
        return e.sub(x[0], y[1]), e.add(x[1], y[0])

    if len(values) == 2:
        a, b = values
        return [add(a, b), sub(a, b)]
    if len(values) == 3:
        a, b, c = values
        total, turn = add(b, c), scale(sub(b, c), np.sqrt(3) / 2)
        base = add(a, scale(total, -0.5))
        return [add(a, total), less_i(base, turn), plus_i(base, turn)]
    if len(values) == 4:
        a, b, c, d = values
        p, q, r, s = add(a, c), sub(a, c), add(b, d), sub(b, d)
        return [add(p, r), less_i(q, s), sub(p, r), plus_i(q, s)]
    a, b, c, d, f = values
    c1, c2 = np.cos(2 * np.pi / 5), np.cos(4 * np.pi / 5)
    s1, s2 = np.sin(2 * np.pi / 5), np.sin(4 * np.pi / 5)
    p, q, r, s = add(b, f), add(c, d), sub(b, f), sub(c, d)
    m1 = add(a, add(scale(p, c1), scale(q, c2)))
    m2 = add(a, add(scale(p, c2), scale(q, c1)))
    n1 = add(scale(r, s1), scale(s, s2))
    n2 = sub(scale(r, s2), scale(s, s1))
    return [add(a, add(p, q)), less_i(m1, n1), less_i(m2, n2), plus_i(m2, n2), plus_i(m1, n1)]


def _butterfly(radix: int) -> Callable[..., None]:
    """Make ``f(x, i, di, y, o, do, re, twiddles)``: a DFT of `radix` cells, then the twiddle factors.

    Cells are read from ``x[i + j di]`` and written to ``y[o + j do]``. `re` is where in a cell the real parts
    lie: 0, or 8 to take real for imaginary and back, which turns the forward transform into the inverse one.
    """

    @intrinsic
    def butterfly(typingctx: Any, x: Any, i: Any, di: Any, y: Any, o: Any, do: Any, re: Any, twiddles: Any) -> Any:
        integer = types.int64
        signature = types.void(x, integer, integer, y, integer, integer, integer, twiddles)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            e = Emitter(builder)
            source = data_pointer(context, builder, sig.args[0], args[0])
            target = data_pointer(context, builder, sig.args[3], args[3])
            real = args[6]
            imaginary = builder.sub(ir.Constant(real.type, 8), real)
            factors = [e.splat(f) for f in cgutils.unpack_tuple(builder, args[7])]
            values, at = [], args[1]
            for _ in range(radix):
                values.append((e.load(source, builder.add(at, real)), e.load(source, builder.add(at, imaginary))))
                at = builder.add(at, args[2])
            at = args[4]
            for j, (p, q) in enumerate(_dft(e, values)):
                if j:
                    c, s = factors[2 * j - 2], factors[2 * j - 1]
                    p, q = e.sub(e.mul(p, c), e.mul(q, s)), e.add(e.mul(p, s), e.mul(q, c))
                e.store(p, target, builder.add(at, real))
                e.store(q, target, builder.add(at, imaginary))
                at = builder.add(at, args[5])
            return context.get_dummy_value()

        return signature, codegen

    return cast(Callable[..., None], butterfly)


_butterfly2, _butterfly3, _butterfly4, _butterfly5 = (_butterfly(radix) for radix in (2, 3, 4, 5))


@dataclass(frozen=True)
class Plan:
    """How a transform of `length` cells is taken apart (Stockham's autosort, decimation in frequency)."""

    length: int
    passes: NDArray[np.int64]
    twiddles: NDArray[np.float32]


def plan(length: int) -> Plan:
    """Return the plan of a transform of `length` cells, a product of twos, threes and fives."""
    rest, radices = length, []
    for radix in (5, 3, 4, 2):
        while rest % radix == 0:
            radices.append(radix)
            rest //= radix
    if rest != 1:
        raise ValueError(f"{length} has a prime factor above 5")
    passes, tables, n, stride, offset = [], [np.zeros(0)], length, 1, 0
    for radix in radices:
        passes.append((radix, n // radix, stride, offset))
        angle = -2 * np.pi / n * np.outer(np.arange(n // radix), np.arange(1, radix))
        tables.append(np.stack([np.cos(angle), np.sin(angle)], -1).ravel())
        offset += tables[-1].size
        n, stride = n // radix, stride * radix
    return Plan(length, np.array(passes, np.int64).reshape(-1, 4), np.concatenate(tables).astype(np.float32))


def good_length(least: int) -> int:
    """Return the cheapest transform length that is even and not shorter than `least`."""
    costs = {2: 1.0, 3: 1.25, 4: 1.3, 5: 1.8}
    best, price = 0, np.inf
    top = 1 << max(1, (least - 1).bit_length())
    for fives in (1, 5, 25, 125, 625, 3125):
        for threes in (1, 3, 9, 27, 81, 243, 729, 2187):
            odd, twos = fives * threes, 2
            while odd * twos < least:
                twos *= 2
            length = odd * twos
            if length > top:
                continue
            cost = length * sum(costs[int(row[0])] for row in _radices(length))
            if cost < price:
                best, price = length, cost
    return best


def _radices(length: int) -> list[tuple[int]]:
    found = []
    for radix in (5, 3, 4, 2):
        while length % radix == 0:
            found.append((radix,))
            length //= radix
    return found


def aligned(size: int) -> NDArray[np.float32]:
    """Return `size` float32, not set, that begin on a cache line."""
    raw = np.empty(size * 4 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * 4].view(np.float32)


@njit(nogil=True, cache=True, error_model="numpy")
def transform(x, y, passes, twiddles, re):
    """Transform the cells in `x`, with `y` to help; return the one with the result, and the other.

    `re` = 0 transforms forward (exponent -), `re` = 8 back (exponent +); neither is normalised.
    """
    for k in range(passes.shape[0]):
        radix, m, s, t = passes[k, 0], passes[k, 1], passes[k, 2], passes[k, 3]
        di, do, w = s * m * CELL, s * CELL, twiddles
        if radix == 4:
            for p in range(m):
                f4 = (w[t], w[t + 1], w[t + 2], w[t + 3], w[t + 4], w[t + 5])
                for q in range(s):
                    _butterfly4(x, (q + s * p) * CELL, di, y, (q + 4 * s * p) * CELL, do, re, f4)
                t += 6
        elif radix == 2:
            for p in range(m):
                f2 = (w[t], w[t + 1])
                for q in range(s):
                    _butterfly2(x, (q + s * p) * CELL, di, y, (q + 2 * s * p) * CELL, do, re, f2)
                t += 2
        elif radix == 3:
            for p in range(m):
                f3 = (w[t], w[t + 1], w[t + 2], w[t + 3])
                for q in range(s):
                    _butterfly3(x, (q + s * p) * CELL, di, y, (q + 3 * s * p) * CELL, do, re, f3)
                t += 4
        else:
            for p in range(m):
                f5 = (w[t], w[t + 1], w[t + 2], w[t + 3], w[t + 4], w[t + 5], w[t + 6], w[t + 7])
                for q in range(s):
                    _butterfly5(x, (q + s * p) * CELL, di, y, (q + 5 * s * p) * CELL, do, re, f5)
                t += 8
        x, y = y, x
    return x, y
