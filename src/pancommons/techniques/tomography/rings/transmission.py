"""The transmission that belongs to line integrals, fast enough to be worked out again where it is needed."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

_LARGEST = np.float32(87)
"""Line integrals beyond this, either way, count as this: their transmission is no ordinary float32."""


@njit(nogil=True, cache=True, error_model="numpy")
def transmit(line_integrals, out):
    """Fill `out` with exp(-x) for float32 x, both [sample], to three units in the last place.

    Plain arithmetic, so that the compiler turns it into vector instructions: with -x = k log 2 + f and f at most half
    of log 2, exp(-x) is 2^k times a polynomial in f.
    """
    bits = out.view(np.int32)
    one, half, per = np.float32(1), np.float32(0.5), np.float32(1.44269504)
    high, rest = np.float32(0.693359375), np.float32(-2.12194440e-4)  # log 2, the first part short
    c3, c4, c5, c6 = np.float32(1 / 6), np.float32(1 / 24), np.float32(1 / 120), np.float32(1 / 720)
    for i in range(out.size):
        x = -line_integrals[i]
        x = x if x < _LARGEST else _LARGEST
        x = x if x > -_LARGEST else -_LARGEST
        k = np.int32(x * per + np.float32(128.5)) - np.int32(128)  # rounded: the cast drops what is behind the point
        e = np.float32(k)
        f = (x - e * high) - e * rest
        q = one + f * (one + f * (half + f * (c3 + f * (c4 + f * (c5 + f * c6)))))
        out[i] = q
        bits[i] += k << np.int32(23)
