"""All kinds of stripes: dead and fluctuating columns, then large stripes, then small ones.

N. T. Vo, R. C. Atwood, M. Drakopoulos, Superior techniques for eliminating ring artifacts in X-ray micro-tomography,
Opt. Express 26, 28396 (2018), algorithms 6, 5 and 3 one after the other. The paper compares columns by the ratio of
their intensities, which is undefined for line integrals, as these are near zero beside the sample; here the ratio is
that of the transmissions, and dividing by it is adding its logarithm. That, and replacing columns by smooth ones,
leaves every column in its order, so the sinogram is sorted only once.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.techniques.tomography.rings import detection, guard, medians, ranks
from pancommons.techniques.tomography.rings.transmission import transmit

FLUCTUATION = 10
"""Projections of the running mean that a fluctuating column departs from."""


def remove(
    sinogram: NDArray[np.float32],
    *,
    width: int,
    large_width: int,
    detection_ratio: float,
    dropped: float,
    guarded: bool,
) -> None:
    """Remove stripes from a sinogram in place.

    Parameters
    ----------
    sinogram
        float32 [angle, column].
    width, large_width
        Columns of the median for small stripes and for large, dead and fluctuating ones, odd.
    detection_ratio
        How far, in units of the noise, a large, dead or fluctuating stripe stands out.
    dropped
        Fraction of the highest and lowest values of a column, together, that its mean leaves out.
    guarded
        Whether the correction of columns that are neither large, dead nor fluctuating stripes is held within what is
        usual for its column, see `guard`.
    """
    angles, count = sinogram.shape
    columns, values, smooth, before = np.empty((4, count, angles), np.float32)
    order = np.empty((count, angles), np.uint32)
    bad = dead(sinogram, columns.reshape(angles, count), large_width, detection_ratio)
    if guarded:
        bad = narrow(bad, width // 4)
    bridge(sinogram, bad)
    ranks.transpose(sinogram, before)
    ranks.sorted_columns(before, values, order)
    medians.across(values, large_width, smooth)
    figures = _ratios(values, smooth, int(dropped / 2 * angles))
    large = detection.stripes(figures, detection_ratio)
    _level(values, smooth, np.log(figures).astype(np.float32), large)
    medians.across(values, width, smooth)
    ranks.put_back(smooth, order, columns)
    if guarded:
        guard.hold(before, columns)
    ranks.transpose(columns, sinogram)


def scratch_bytes(angles: int, columns: int) -> int:
    """Return the bytes that `remove` needs beside the sinogram: five arrays of its size, and two more for a while."""
    return 28 * angles * columns


def narrow(bad: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """Return the bad columns less those in wider runs, which are an edge of the sample that moves over them."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bad, [False]))))
    kept = np.zeros_like(bad)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        kept[start:stop] = stop - start <= most
    return kept


def dead(
    sinogram: NDArray[np.float32], scratch: NDArray[np.float32], width: int, detection_ratio: float
) -> NDArray[np.bool_]:
    """Return which columns fluctuate from projection to projection more, or less, than those around them.

    Parameters
    ----------
    sinogram, scratch
        float32 [angle, column]; the scratch is overwritten.
    width
        Columns of the median that tells how much is usual.
    detection_ratio
        See `detection.stripes`.
    """
    fluctuation = _fluctuation(sinogram, scratch)
    usual = np.empty_like(fluctuation)
    medians.across(fluctuation[:, None], width, usual[:, None])
    usual[usual == 0] = usual.mean(dtype=np.float64) or 1.0
    found = detection.stripes(fluctuation.astype(np.float64) / usual, detection_ratio)
    found[:2] = found[-2:] = False
    if found.sum() >= found.size // 3:  # rather the sample's than the detector's
        found[:] = False
    return found


def bridge(sinogram: NDArray[np.float32], bad: NDArray[np.bool_]) -> None:
    """Replace columns by the straight line, in transmission, between the good ones beside them."""
    good = np.flatnonzero(~bad)
    for column in np.flatnonzero(bad):
        after = np.searchsorted(good, column)
        left, right = int(good[after - 1]), int(good[after])
        share = (column - left) / (right - left)
        low, high = np.exp(-np.clip(sinogram[:, [left, right]].T.astype(np.float64), -87, 87))
        sinogram[:, column] = -np.log((1 - share) * low + share * high)


@njit(nogil=True, cache=True, error_model="numpy")
def _fluctuation(sinogram, transmission):  # type: ignore[no-untyped-def]
    """Return float32 [column]: the sum of the departures of the transmission from its running mean."""
    angles, columns = sinogram.shape
    for i in range(angles):
        transmit(sinogram[i], transmission[i])
    mean = np.empty(columns, np.float32)
    total = np.zeros(columns, np.float32)
    for i in range(angles):
        mean[:] = 0
        for k in range(i - FLUCTUATION // 2, i + (FLUCTUATION + 1) // 2):
            line = transmission[medians.mirrored(k, angles)]
            for c in range(columns):
                mean[c] += line[c]
        line = transmission[i]
        for c in range(columns):
            total[c] += abs(line[c] - mean[c] / np.float32(FLUCTUATION))
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _ratios(values, smooth, ends):  # type: ignore[no-untyped-def]
    """Return float64 [column]: the mean transmission of a column over that of the smooth one, without the ends."""
    columns, count = values.shape
    ratios = np.ones(columns)
    line = np.empty(count, np.float32)
    means = np.empty(2)
    for c in range(columns):
        for which, source in enumerate((values, smooth)):
            transmit(source[c], line)
            total = 0.0
            for i in range(ends, count - ends):
                total += line[i]
            means[which] = total
        if means[0] > 0 and means[1] > 0:
            ratios[c] = means[0] / means[1]
    return ratios


@njit(nogil=True, cache=True, error_model="numpy")
def _level(values, smooth, logarithms, large):  # type: ignore[no-untyped-def]
    """Divide the transmission of each column by its ratio; put the smooth one in place of a large stripe."""
    for c in range(values.shape[0]):
        if large[c]:
            values[c] = smooth[c]
        else:
            for i in range(values.shape[1]):
                values[c, i] += logarithms[c]
