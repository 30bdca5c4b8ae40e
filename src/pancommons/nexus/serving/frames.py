"""A frame made small on the server: means over squares of pixels, with what a histogram needs to know of the whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pancommons.nexus.serving.budget import Budget, Clock, Refused
from pancommons.nexus.serving.selection import select
from pancommons.nexus.serving.types import varies
from pancommons.nexus.serving.values import block, check_chunks, dtype_of, index_of

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_FRAME_BYTES = 256 << 20
_LEAST_PIXELS = 16


def frame(
    dataset: Any, text: str | None, most: int, budget: Budget, clock: Clock
) -> tuple[NDArray[np.float32], dict[str, str]]:
    """Read a frame and average it down until no edge is longer than asked for.

    Parameters
    ----------
    text
        A selection of two axes.
    most
        Pixels along the longer edge.

    Returns
    -------
    frame
        float32 [row, column], the unit of the dataset; NaN where no pixel is finite.
    headers
        ``X-Binning``: the edge of the square of pixels that one is the mean of, less at the far edges.
        ``X-Shape``: rows and columns. ``X-Range``: least and largest finite value of all pixels, before averaging.
        ``X-Percentiles``: those of `PERCENTILES`, of the averaged frame.

    Raises
    ------
    Refused
        413 if the frame is larger than the budget allows, 422 if the selection is no frame of real numbers.
    """
    dtype = dtype_of(dataset)
    if varies(dtype) or dtype.kind not in "biuf" or dataset.shape is None:
        raise Refused(422, "only real numbers make a frame")
    if most < _LEAST_PIXELS:
        raise Refused(422, f"max_px: expected {_LEAST_PIXELS} or more")
    selection = select(text, dataset.shape)
    if len(selection.shape) != 2 or 0 in selection.shape:
        raise Refused(422, f"a frame has two axes; the selection leaves {len(selection.shape)} of lengths above 0")
    size = selection.size * dtype.itemsize
    if size > _FRAME_BYTES:
        raise Refused(
            413, f"the frame has {size} bytes, of at most {_FRAME_BYTES}; ask for a part of it with selection"
        )
    check_chunks(dataset, selection, budget)
    pixels = np.asarray(block(dataset, index_of(selection)))
    clock.check("ask for a part of the frame with selection")
    factor = math.ceil(max(pixels.shape) / most)
    least, largest = _range(pixels)
    small = binned(pixels, factor)
    if small.nbytes > budget.answer_bytes:
        raise Refused(413, f"the answer has {small.nbytes} bytes, of at most {budget.answer_bytes}; lower max_px")
    finite = small[np.isfinite(small)]
    shares = np.percentile(finite, PERCENTILES) if finite.size else np.full(len(PERCENTILES), math.nan)
    return small, {
        "X-Binning": str(factor),
        "X-Shape": f"{small.shape[0]},{small.shape[1]}",
        "X-Range": f"{least:.9g},{largest:.9g}",
        "X-Percentiles": ",".join(f"{share:.9g}" for share in shares),
    }


def binned(pixels: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """Average squares of ``factor`` by ``factor`` pixels, cut at the far edges and averaged over what is there.

    Values that are not finite are left out of a mean; a square without finite ones is NaN.
    """
    if factor == 1:
        return np.ascontiguousarray(pixels, dtype=np.float32)
    whole = np.isfinite(pixels) if pixels.dtype.kind == "f" else None
    if whole is not None and not whole.all():
        counts = _sums(whole, factor)
        sums = _sums(np.where(whole, pixels, 0), factor)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (sums / counts).astype(np.float32)
    rows, columns = (_lengths(edge, factor) for edge in pixels.shape)
    return (_sums(pixels, factor) / np.outer(rows, columns)).astype(np.float32)


def _sums(pixels: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """Add up squares: exactly for integers of up to 32 bits."""
    kind = pixels.dtype
    exact: np.dtype[Any] = np.dtype(np.float64)
    if kind.kind in "bu" and kind.itemsize <= 2:
        exact = np.dtype(np.uint32 if factor <= 256 else np.uint64)
    across = np.add.reduceat(pixels, range(0, pixels.shape[0], factor), axis=0, dtype=exact)
    return np.add.reduceat(across, range(0, pixels.shape[1], factor), axis=1, dtype=np.float64)


def _lengths(edge: int, factor: int) -> NDArray[np.float64]:
    starts = np.arange(0, edge, factor)
    return np.minimum(factor, edge - starts).astype(np.float64)


def _range(pixels: NDArray[Any]) -> tuple[float, float]:
    least, largest = float(pixels.min()), float(pixels.max())
    if math.isfinite(least) and math.isfinite(largest):
        return least, largest
    finite = pixels[np.isfinite(pixels)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
