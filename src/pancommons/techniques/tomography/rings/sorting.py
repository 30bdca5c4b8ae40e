"""Small and middling stripes: smooth what the sorted columns have in common.

N. T. Vo, R. C. Atwood, M. Drakopoulos, Superior techniques for eliminating ring artifacts in X-ray micro-tomography,
Opt. Express 26, 28396 (2018), algorithm 3. The median commutes with every rising function, so line integrals and
transmissions give the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pancommons.techniques.tomography.rings import guard, medians, ranks


def remove(sinogram: NDArray[np.float32], *, width: int, guarded: bool) -> None:
    """Remove stripes from a sinogram in place.

    Parameters
    ----------
    sinogram
        float32 [angle, column].
    width
        Columns of the median, odd; stripes less than half as wide are removed.
    guarded
        Whether the correction is held within what is usual for its column, see `guard`.
    """
    angles, count = sinogram.shape
    columns, values, smooth = np.empty((3, count, angles), np.float32)
    order = np.empty((count, angles), np.uint32)
    ranks.transpose(sinogram, columns)
    ranks.sorted_columns(columns, values, order)
    medians.across(values, width, smooth)
    ranks.put_back(smooth, order, values)
    if guarded:
        guard.hold(columns, values)
    ranks.transpose(values, sinogram)


def scratch_bytes(angles: int, columns: int) -> int:
    """Return the bytes that `remove` needs beside the sinogram: four arrays of its size, and two more for a while."""
    return 24 * angles * columns
