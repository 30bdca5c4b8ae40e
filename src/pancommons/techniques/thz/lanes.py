"""The arrival filter over eight spectra at once, written in LLVM's language.

numba leaves it to the compiler to find vector instructions in a loop, and the arrays of a filter's state keep it from
doing so. No operation is contracted or reordered, so that each lane has the bits of the scalar filter.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
"""Spectra that are filtered at once."""
STATE = 9
"""Vectors in the state: six of the filter, the largest value, where it was, and the index of the next sample."""

_DOUBLE = ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, LANES)
_WORD = ir.IntType(32)


@intrinsic
def advance(typingctx: Any, samples: Any, count: Any, state: Any, coefficients: Any) -> Any:
    """Make ``f(samples, count, state, coefficients)``: run the filter on.

    ``samples`` is float64 [sample x lane], ``state`` float64 [9 x lane]; the coefficients are b0, b2, b4, b6 (the odd
    ones are zero) and a1 to a6.
    """
    signature = types.void(samples, count, state, coefficients)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, args[0]).data
        kept = context.make_array(sig.args[2])(context, builder, args[2]).data
        b0, b2, b4, b6, a1, a2, a3, a4, a5, a6 = (
            _splat(builder, value) for value in cgutils.unpack_tuple(builder, args[3])
        )
        integer = args[1].type

        def at(base: Any, index: Any) -> Any:
            place = builder.mul(index, ir.Constant(integer, LANES))
            return builder.bitcast(builder.gep(base, [place]), _VECTOR.as_pointer())

        slots = [cgutils.alloca_once(builder, _VECTOR) for _ in range(STATE)]
        for index, slot in enumerate(slots):
            builder.store(builder.load(at(kept, ir.Constant(integer, index)), align=8), slot)
        with cgutils.for_range(builder, args[1]) as loop:
            add, sub, mul = builder.fadd, builder.fsub, builder.fmul
            x = builder.load(at(source, loop.index), align=8)
            z0, z1, z2, z3, z4, z5, best, where, index = (builder.load(slot) for slot in slots)
            y = add(z0, mul(b0, x))
            better = builder.fcmp_ordered(">", y, best)
            after = (
                sub(z1, mul(a1, y)),
                sub(add(z2, mul(b2, x)), mul(a2, y)),
                sub(z3, mul(a3, y)),
                sub(add(z4, mul(b4, x)), mul(a4, y)),
                sub(z5, mul(a5, y)),
                sub(mul(b6, x), mul(a6, y)),
                builder.select(better, y, best),
                builder.select(better, index, where),
                add(index, ir.Constant(_VECTOR, [1.0] * LANES)),
            )
            for slot, value in zip(slots, after, strict=True):
                builder.store(value, slot)
        for index, slot in enumerate(slots):
            builder.store(builder.load(slot), at(kept, ir.Constant(integer, index)), align=8)
        return context.get_dummy_value()

    return signature, codegen


def _splat(builder: Any, scalar: Any) -> Any:
    """Return a vector of one number in every lane."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_WORD, LANES), [0] * LANES))
