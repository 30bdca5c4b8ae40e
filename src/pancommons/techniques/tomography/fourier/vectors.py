"""Vectors of eight float32 in compiled functions.

numba leaves it to the compiler to find vector instructions in a loop, and arrays that might overlap keep it
from finding them. The intrinsics of the tomography kernels therefore write their vector arithmetic down, in
LLVM's language, which maps eight floats on whatever the processor has (two registers on SSE2 or NEON, one on
AVX2, half of one on AVX-512).

numba's cache on disk watches only the file of a compiled function: whoever changes this file empties the
cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, 8)
_FAST = ("contract", "nsz")


class Emitter:
    """Arithmetic of vectors of eight float32 in LLVM's language."""

    def __init__(self, builder: Any) -> None:
        self.b = builder

    def pointer(self, base: Any, index: Any) -> Any:
        """Return a pointer to the vector that begins at an element."""
        return self.b.bitcast(self.b.gep(base, [index]), _VECTOR.as_pointer())

    def load(self, base: Any, index: Any, offset: int = 0) -> Any:
        """Return the vector at an element."""
        at = self.b.add(index, ir.Constant(index.type, offset)) if offset else index
        return self.b.load(self.pointer(base, at), align=4)

    def store(self, value: Any, base: Any, index: Any, offset: int = 0) -> None:
        """Write a vector at an element."""
        at = self.b.add(index, ir.Constant(index.type, offset)) if offset else index
        self.b.store(value, self.pointer(base, at), align=4)

    def splat(self, scalar: Any) -> Any:
        """Return a vector of eight times a number."""
        one = self.b.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        return self.b.shuffle_vector(
            one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8)
        )

    def number(self, value: float) -> Any:
        """Return a vector of eight times a constant."""
        return ir.Constant(_VECTOR, [float(np.float32(value))] * 8)

    def add(self, x: Any, y: Any) -> Any:
        """Return x + y."""
        return self.b.fadd(x, y, flags=_FAST)

    def sub(self, x: Any, y: Any) -> Any:
        """Return x - y."""
        return self.b.fsub(x, y, flags=_FAST)

    def mul(self, x: Any, y: Any) -> Any:
        """Return x y."""
        return self.b.fmul(x, y, flags=_FAST)

    def transposed(self, rows: list[Any]) -> list[Any]:
        """Return the columns of a square of eight vectors, by exchanging ever larger blocks."""
        word = ir.VectorType(ir.IntType(32), 8)
        for step in (1, 2, 4):
            lower = [lane - step + 8 if lane & step else lane for lane in range(8)]
            upper = [lane + 8 if lane & step else lane + step for lane in range(8)]
            for i in range(8):
                if not i & step:
                    p, q = rows[i], rows[i + step]
                    rows[i] = self.b.shuffle_vector(p, q, ir.Constant(word, lower))
                    rows[i + step] = self.b.shuffle_vector(p, q, ir.Constant(word, upper))
        return rows


def data_pointer(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Return the pointer to the first element of an array argument."""
    return context.make_array(array_type)(context, builder, array).data
