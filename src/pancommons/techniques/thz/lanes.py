"""The arrival filter over eight spectra at once, written in LLVM's language.

numba leaves it to the compiler to find vector instructions in a loop, and the arrays of a filter's state keep it from
doing so. Squares of eight spectra by eight pixels are loaded, turned so that a vector holds one pixel of each spectrum,
and filtered. No operation is contracted or reordered, so that each lane has the bits of the scalar filter.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
"""Spectra that are filtered at once, and pixels of a square."""
STATE = 9
"""Vectors in the state: six of the filter, the largest value, where it was, and the index of the next pixel."""

_WORD = ir.IntType(32)
_WORDS = ir.VectorType(_WORD, LANES)
_COUNTS = ir.VectorType(ir.IntType(16), LANES)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


@intrinsic
def advance(
    typingctx: Any, spectra: Any, row: Any, squares: Any, mask: Any, flip: Any, background: Any, state: Any,
    coefficients: Any,
) -> Any:  # fmt: skip
    """Make ``f(spectra, row, squares, mask, flip, background, state, coefficients)``: run the filter over eight rows.

    It runs from the first pixel over that many squares. ``spectra`` is uint16 [pulse, pixel], of which the bits of
    ``mask`` count and those of ``flip`` are turned over; ``background`` is float64 [pixel], ``state`` float64
    [9 x lane]; the coefficients are b0, b2, b4, b6 (the odd ones are zero) and a1 to a6.
    """
    signature = types.void(spectra, row, squares, mask, flip, background, state, coefficients)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        below = context.make_array(sig.args[5])(context, builder, args[5]).data
        kept = context.make_array(sig.args[6])(context, builder, args[6]).data
        factors = tuple(_splat(builder, one, _VECTOR) for one in cgutils.unpack_tuple(builder, args[7]))
        mask, flip = _splat(builder, args[3], _COUNTS), _splat(builder, args[4], _COUNTS)
        integer = args[1].type
        width = cgutils.unpack_tuple(builder, array.shape)[1]
        rows = [
            builder.gep(array.data, [builder.mul(builder.add(args[1], ir.Constant(integer, lane)), width)])
            for lane in range(LANES)
        ]
        slots = [cgutils.alloca_once(builder, _VECTOR) for _ in range(STATE)]
        places = [
            builder.bitcast(builder.gep(kept, [ir.Constant(integer, LANES * index)]), _VECTOR.as_pointer())
            for index in range(STATE)
        ]
        for slot, place in zip(slots, places, strict=True):
            builder.store(builder.load(place, align=8), slot)
        with cgutils.for_range(builder, args[2]) as loop:
            column = builder.mul(loop.index, ir.Constant(integer, LANES))
            square = []
            for begin in rows:
                at = builder.bitcast(builder.gep(begin, [column]), _COUNTS.as_pointer())
                square.append(builder.xor(builder.and_(builder.load(at, align=2), mask), flip))
            state = [builder.load(slot) for slot in slots[:6]]
            filtered = []
            for index, counts in enumerate(_turned(builder, square)):
                dark = builder.load(builder.gep(below, [builder.add(column, ir.Constant(integer, index))]))
                value = builder.sitofp(builder.zext(counts, _WORDS), _VECTOR)
                x = builder.fsub(value, _splat(builder, dark, _VECTOR))
                y, state = _filtered(builder, x, state, factors)
                filtered.append(y)
            _keep_largest(builder, filtered, *slots[6:])
            for slot, value in zip(slots[:6], state, strict=True):
                builder.store(value, slot)
        for slot, place in zip(slots, places, strict=True):
            builder.store(builder.load(slot), place, align=8)
        return context.get_dummy_value()

    return signature, codegen


def _filtered(builder: Any, x: Any, state: list[Any], factors: tuple[Any, ...]) -> tuple[Any, list[Any]]:
    """Return the filter's output for one pixel, and its state after it, as scipy's lfilter works them out."""
    add, sub, mul = builder.fadd, builder.fsub, builder.fmul
    b0, b2, b4, b6, a1, a2, a3, a4, a5, a6 = factors
    z0, z1, z2, z3, z4, z5 = state
    y = add(z0, mul(b0, x))
    return y, [
        sub(z1, mul(a1, y)),
        sub(add(z2, mul(b2, x)), mul(a2, y)),
        sub(z3, mul(a3, y)),
        sub(add(z4, mul(b4, x)), mul(a4, y)),
        sub(z5, mul(a5, y)),
        sub(mul(b6, x), mul(a6, y)),
    ]


def _keep_largest(builder: Any, values: list[Any], best: Any, where: Any, pixel: Any) -> None:
    """Update the largest value and its place by those of a square; most squares have nothing larger in any lane."""
    top = values[0]
    for value in values[1:]:
        top = builder.select(builder.fcmp_ordered(">", value, top), value, top)
    before, first = builder.load(best), builder.load(pixel)
    better = builder.bitcast(builder.fcmp_ordered(">", top, before), ir.IntType(LANES))
    with builder.if_then(builder.icmp_unsigned("!=", better, ir.Constant(better.type, 0)), likely=False):
        largest, place = before, builder.load(where)
        for index, value in enumerate(values):
            larger = builder.fcmp_ordered(">", value, largest)
            here = builder.fadd(first, ir.Constant(_VECTOR, [float(index)] * LANES))
            largest, place = builder.select(larger, value, largest), builder.select(larger, here, place)
        builder.store(largest, best)
        builder.store(place, where)
    builder.store(builder.fadd(first, ir.Constant(_VECTOR, [float(LANES)] * LANES)), pixel)


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of a square of eight vectors, by exchanging ever larger blocks."""
    for step in (1, 2, 4):
        lower = [lane - step + LANES if lane & step else lane for lane in range(LANES)]
        upper = [lane + LANES if lane & step else lane + step for lane in range(LANES)]
        for i in range(LANES):
            if not i & step:
                p, q = rows[i], rows[i + step]
                rows[i] = builder.shuffle_vector(p, q, ir.Constant(_WORDS, lower))
                rows[i + step] = builder.shuffle_vector(p, q, ir.Constant(_WORDS, upper))
    return rows


def _splat(builder: Any, scalar: Any, kind: Any) -> Any:
    """Return a vector of one number in every lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(_WORDS, [0] * LANES))
