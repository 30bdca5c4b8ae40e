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
) -> tuple[NDArray[np.floating[Any]], dict[str, str]]:
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
        [row, column], the unit of the dataset; NaN where no pixel is finite. In half precision, good to 1 in 2048,
        where that holds all values, else in single precision.
    headers
        ``X-Dtype``: ``<f2`` or ``<f4``. ``X-Shape``: rows and columns. ``X-Binning``: the edge of the square of pixels
        that one is the mean of. ``X-Range``: least and largest finite value of all pixels, before averaging.
        ``X-Percentiles``: those of `PERCENTILES`, of the averaged frame, each a value that occurs.

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
        raise Refused(413, f"the frame has {size} bytes, of at most {_FRAME_BYTES}; ask for a part with selection")
    check_chunks(dataset, selection, budget)
    pixels = np.asarray(block(dataset, index_of(selection)))
    clock.check("ask for a part of the frame with selection")
    factor = math.ceil(max(pixels.shape) / most)
    least, largest = _range(pixels)
    small = binned(pixels, factor)
    known = np.sort(small[np.isfinite(small)])
    sent = small.astype("<f2") if _fits_half(known) else small.astype("<f4", copy=False)
    if sent.nbytes > budget.answer_bytes:
        raise Refused(413, f"the answer has {sent.nbytes} bytes, of at most {budget.answer_bytes}; lower max_px")
    places = [round(share / 100 * (known.size - 1)) for share in PERCENTILES]
    shares = known[places] if known.size else [math.nan] * len(places)
    return sent, {
        "X-Dtype": sent.dtype.str,
        "X-Shape": f"{sent.shape[0]},{sent.shape[1]}",
        "X-Binning": str(factor),
        "X-Range": f"{least:.9g},{largest:.9g}",
        "X-Percentiles": ",".join(f"{share:.9g}" for share in shares),
    }


def binned(pixels: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """Average squares of ``factor`` by ``factor`` pixels, cut at the far edges and averaged over what is there.

    Values that are not finite are left out of a mean; a square without finite ones is NaN.
    """
    if factor == 1:
        return np.where(np.isfinite(pixels), pixels, np.nan).astype(np.float32)
    whole = np.isfinite(pixels) if pixels.dtype.kind == "f" else None
    if whole is not None and not whole.all():
        sums, counts = _sums(np.where(whole, pixels, 0), factor), _sums(whole, factor)
        with np.errstate(invalid="ignore", divide="ignore"):
            means: NDArray[np.float32] = (sums / counts).astype(np.float32)
        return means
    rows, columns = (np.minimum(factor, edge - np.arange(0, edge, factor)) for edge in pixels.shape)
    shares: NDArray[np.int64] = np.multiply.outer(rows, columns)
    return (_sums(pixels, factor) / shares).astype(np.float32)


def _sums(pixels: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """Add up squares, rows first: one pass over the memory, in integers as long as they hold the sum."""
    small = pixels.dtype.kind in "bu" and pixels.dtype.itemsize <= 2 and factor < 1 << 16
    down = np.zeros((-(-pixels.shape[0] // factor), pixels.shape[1]), np.uint32 if small else np.float64)
    for start in range(min(factor, pixels.shape[0])):
        rows = pixels[start::factor]
        down[: len(rows)] += rows
    sums = np.zeros((down.shape[0], -(-down.shape[1] // factor)))
    for start in range(min(factor, pixels.shape[1])):
        columns = down[:, start::factor]
        sums[:, : columns.shape[1]] += columns
    return sums


def _fits_half(known: NDArray[np.float32]) -> bool:
    """Say whether sorted values keep their precision in half the bytes."""
    if known.size == 0:
        return True
    sizes = np.abs(known[known != 0])
    half = np.finfo(np.float16)
    return sizes.size == 0 or bool(sizes.max() <= half.max and sizes.min() >= half.smallest_normal)


def _range(pixels: NDArray[Any]) -> tuple[float, float]:
    least, largest = float(pixels.min()), float(pixels.max())
    if math.isfinite(least) and math.isfinite(largest):
        return least, largest
    finite = pixels[np.isfinite(pixels)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
