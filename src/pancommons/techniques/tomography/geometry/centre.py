"""Where the rotation axis meets the detector.

Independent looks at the same question, each a curve over candidate columns:

``consistency``
    A half turn's sinogram continued by its mirror image is a full turn's, whose Fourier transform is empty
    outside of a double wedge (N. T. Vo et al., Opt. Express 22, 19078 (2014), doi:10.1364/OE.22.019078).
    Moving the mirror image only turns phases, and its transform follows from the sinogram's own, so one
    transform serves all candidates.
``registration``
    Projections half a turn apart are mirror images about the axis. All such pairs of a full turn are
    correlated at once.
``sharpness``
    The mean magnitude of slices reconstructed about each candidate is least at the axis (T. Donath et al., J.
    Opt. Soc. Am. A 23, 1048 (2006), doi:10.1364/JOSAA.23.001048).

``centroid``
    Where less than a half turn was measured: the centre of mass of a projection goes along a sine about the
    axis, whatever the sample, as long as all of it is in the field (the consistency conditions of S. Helgason
    and D. Ludwig, of orders 0 and 1; as the centre of a scan: T. Azevedo et al., IEEE Trans. Nucl. Sci. 37, 1525
    (1990), doi:10.1109/23.55865).

The result says how far the looks agree and how clear they are.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import BATCH, FourierReconstruction, geometry_bytes
from pancommons.techniques.tomography.fourier import working_bytes as fourier_bytes
from pancommons.techniques.tomography.geometry.angles import checked_angles

ROWS = 4
"""Detector rows that are looked at: those with the most signal."""

_THINNED = 450
"""Angles that slices are judged by, or up to twice as many."""

OBJECT_RATIO = 0.5
"""Radius of the sample, in half widths, that the double wedge is drawn for."""

HIGHEST_FREQUENCY = 0.8
"""Radians per pixel up to which spectra are compared: structure finer than eight pixels is mostly noise, and
leaving it out makes the result three times better on noisy scans."""

CLEAR = 0.3
"""Clarity at which two thirds of the doubt are gone."""

SAME_MASS = 0.05
"""Spread of the projections' sums, relative to their mean, at which centres of mass tell nothing any more."""

Method = Literal["consistency", "registration", "sharpness", "overlap", "centroid"]


@dataclass(frozen=True)
class Look:
    """One method's curve.

    Attributes
    ----------
    method
        How the curve was made.
    candidates
        float64 [candidate], columns, ascending.
    metric
        float64 [candidate], the lower the better, in the method's own unit.
    value
        The best column, between candidates.
    clarity
        How far the minimum stands out, 0 (one of many) to 1.
    """

    method: Method
    candidates: NDArray[np.float64]
    metric: NDArray[np.float64]
    value: float
    clarity: float


@dataclass(frozen=True)
class Centre:
    """The rotation axis as found.

    Attributes
    ----------
    value
        Column of the axis, in pixels: pixel centres are whole numbers, the middle is (N - 1) / 2.
    confidence
        0 to 1. Below about 0.5 the value needs a look at slices; it is low for noise, empty rows, looks that
        disagree, and a value at the edge of the search range.
    method
        The look that the value is from.
    looks
        The curves, to draw.
    rows
        Indices of the sinograms that were used.
    """

    value: float
    confidence: float
    method: Method
    looks: tuple[Look, ...] = field(repr=False)
    rows: tuple[int, ...] = ()


def find_centre(
    sinograms: ArrayLike,
    angles: ArrayLike,
    *,
    start: float | None = None,
    stop: float | None = None,
) -> Centre:
    """Find the column of the rotation axis.

    Parameters
    ----------
    sinograms
        float [slice, angle, column] or [angle, column], line integrals. A few slices with structure are
        better than one; the `ROWS` with the most signal are used.
    angles
        float [angle], radians: a half turn or a full turn in even steps, in either direction.
    start, stop
        Columns between which to search; by default an eighth of the width to either side of the middle, for a
        full turn two fifths.

    Returns
    -------
    The column with a confidence and the evidence. The same numbers come out bit by bit whatever else runs.

    Raises
    ------
    BadInput
        Shapes that do not match, values that are not finite, or an empty search range.
    """
    stack = np.asarray(sinograms, np.float32)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.ndim != 3 or 0 in stack.shape:
        raise BadInput(f"expected [slice, angle, column], not the shape {stack.shape}", field="sinograms")
    theta = checked_angles(angles)
    if stack.shape[1] != theta.size:
        raise BadInput(f"{stack.shape[1]} projections, but {theta.size} angles", field="angles")
    if not np.isfinite(stack).all():
        raise BadInput("some values are not finite", field="sinograms", remedy="replace such values before")
    order = np.argsort(theta, kind="stable")
    theta = theta[order]
    step = float(np.median(np.diff(theta)))
    turn = theta[-1] - theta[0] + step
    full = turn > 1.9 * np.pi
    width, middle = stack.shape[2], (stack.shape[2] - 1) / 2
    reach = width * (0.4 if full else 0.125)
    low = max(0.0, middle - reach if start is None else float(start))
    high = min(width - 1.0, middle + reach if stop is None else float(stop))
    if not high > low:
        raise BadInput(f"the range {low:g} to {high:g} is empty", field="centre", remedy="give a start below the stop")
    rows = rows_with_signal(stack, min(ROWS, len(stack)))
    chosen = stack[rows][:, order]
    looks = []
    if full:
        looks.append(registration(chosen, theta, step, low, high))
    half = int(np.searchsorted(theta, theta[0] + np.pi - step / 2))
    if turn > 0.95 * np.pi:
        looks.append(consistency(chosen[:, :half], low, high))
    else:
        looks.append(centroid(chosen, theta, low, high))
    first = max(looks, key=lambda look: look.clarity).value if looks else None
    # Of a full turn about a wrong axis only blur is left, which is not sharp but not large either: a half
    # turn shows it.
    looks.append(_sharpness(chosen[:, :half], theta[:half], first, low, high))
    return conclude(looks, tuple(int(row) for row in rows))


def working_bytes(width: int, angles: int) -> int:
    """Return the most bytes that `find_centre` takes beside the sinograms it is given."""
    thinned = min(angles, 2 * _THINNED)
    sharp = geometry_bytes(width, thinned) + fourier_bytes(width, thinned) + 40 * thinned * width
    return 4 * ROWS * angles * width + max(130 * angles * width, sharp)


def rows_with_signal(stack: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the indices of the sinograms [slice, angle, column] with the most signal, rising."""
    signal = [float(row.std(dtype=np.float64)) for row in stack]
    return np.sort(np.argsort(signal, kind="stable")[::-1][:count])


def consistency(stack: NDArray[np.float32], low: float, high: float) -> Look:
    """Search by what lies outside of the double wedge.

    With A(t, k) the transform of the sinogram, padded to twice its angles, the mirror image about column c in
    the second half has the transform (-1)^t exp(-2 i k c) conj A(-t, k), k in radians per pixel.
    """
    _, n, width = stack.shape
    period = scipy.fft.next_fast_len(2 * width, real=True)
    drop = min(20, n // 10)
    k = 2 * np.pi * scipy.fft.rfftfreq(period)
    t = np.arange(drop + 1, n)
    radius = OBJECT_RATIO * width / 2
    # Frequencies of the sample, up to which row of the transform the wedge reaches.
    used = int(np.searchsorted(k, min(HIGHEST_FREQUENCY, n / radius)))
    limits = np.searchsorted(k[1:used] * radius, t, "left").astype(np.int64)
    terms = []
    for sinogram in stack:
        level = np.float32(0.5) * (sinogram[:, :8].mean() + sinogram[:, -8:].mean())
        spectrum = scipy.fft.rfft(sinogram - level, period, axis=1)[:, 1:used]
        a = scipy.fft.fft(spectrum, 2 * n, axis=0)
        plus, minus = a[t], a[-t]
        product = plus * minus * np.where(t % 2 == 0, 2, -2).astype(np.float32)[:, None]
        power = plus.real**2 + plus.imag**2 + minus.real**2 + minus.imag**2
        terms.append((power, np.ascontiguousarray(product.real), np.ascontiguousarray(product.imag)))
    k = k[1:used]

    def metric(column: float) -> float:
        cosine, sine = np.cos(2 * k * column).astype(np.float32), np.sin(2 * k * column).astype(np.float32)
        return float(sum(_outside(*term, cosine, sine, limits) for term in terms))

    return search("consistency", metric, low, high)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
def _outside(power, real, imaginary, cosine, sine, limits):
    """Sum the magnitude of A + B over the samples outside of the wedge."""
    total = 0.0
    for r in range(limits.size):
        line = np.float32(0)
        for j in range(limits[r]):
            square = power[r, j] + real[r, j] * cosine[j] - imaginary[r, j] * sine[j]
            line += np.sqrt(max(square, np.float32(0)))
        total += line
    return total


def registration(stack: NDArray[np.float32], theta: NDArray[np.float64], step: float, low: float, high: float) -> Look:
    """Search by the correlation of projections with the mirror images of those half a turn later."""
    width = stack.shape[2]
    after = np.clip(np.searchsorted(theta, theta + np.pi), 1, theta.size - 1)
    partner = after - (np.abs(theta[after - 1] - theta - np.pi) < np.abs(theta[after] - theta - np.pi))
    pairs = np.flatnonzero(np.abs(theta[partner] - theta - np.pi) < 0.75 * step)
    period = scipy.fft.next_fast_len(2 * width, real=True)
    k = 2 * np.pi * scipy.fft.rfftfreq(period)
    cross, energy = np.zeros(k.size, np.complex128), np.zeros(width)
    for sinogram in stack:
        # What does not turn, stripes above all, would agree with itself; a slope has no step at the edge of
        # the field.
        moving = sinogram - sinogram.mean(0, dtype=np.float64).astype(np.float32)
        slope = gaussian_filter1d(moving, 1.5, axis=1, order=1, mode="nearest")
        spectrum = scipy.fft.rfft(slope, period, axis=1)
        cross -= (spectrum[pairs] * spectrum[partner[pairs]]).sum(0, dtype=np.complex128)
        energy += (slope[pairs] ** 2 + slope[partner[pairs]] ** 2).sum(0, dtype=np.float64) / 2
    cross[1:] *= 2
    inside = np.concatenate(([0.0], np.cumsum(energy)))

    def metric(column: float) -> float:
        # Correlation over the columns that both projections saw; a narrow overlap counts for less.
        left, right = max(0.0, 2 * column - width + 1), min(width, 2 * column + 1)
        overlap = float(np.interp(right, np.arange(width + 1), inside) - np.interp(left, np.arange(width + 1), inside))
        scale = overlap + 0.1 * float(inside[-1])
        return 1 - float((cross * np.exp(2j * k * column)).real.sum()) / period / scale if scale > 0 else 1.0

    return search("registration", metric, low, high)


def centroid(stack: NDArray[np.float32], theta: NDArray[np.float64], low: float, high: float) -> Look:
    """Search by how far the centres of mass lie from a sine about the axis, pixels, root mean square.

    What projections hold at both edges is taken for air and taken off. Their sums must be the same, as they are
    where all of the sample is in the field.
    """
    width = stack.shape[2]
    column = np.arange(width)
    edge = max(1, width // 128)
    waves = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    away = np.eye(theta.size) - waves @ np.linalg.pinv(waves)  # takes off what a sine about zero explains
    shifts, ones, spreads = [], away @ np.ones(theta.size), []
    for sinogram in stack.astype(np.float64):
        left, right = sinogram[:, :edge].mean(1), sinogram[:, -edge:].mean(1)
        content = sinogram - left[:, None] - (right - left)[:, None] * column / (width - 1)
        mass = content.sum(1)
        spreads.append(float(mass.std() / abs(mass.mean())) if mass.mean() else np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            shifts.append(away @ np.nan_to_num((content * column).sum(1) / mass))

    def metric(column: float) -> float:
        return float(np.sqrt(np.mean([(shift - column * ones) ** 2 for shift in shifts])))

    look = search("centroid", metric, low, high)
    trust = max(0.0, 1 - float(np.median(spreads)) / SAME_MASS)
    return replace(look, clarity=look.clarity * trust)


def _sharpness(
    stack: NDArray[np.float32], theta: NDArray[np.float64], near: float | None, low: float, high: float
) -> Look:
    """Search by the mean magnitude of slices, just around `near` if that is known."""
    _, angles, width = stack.shape
    thin = max(1, angles // _THINNED)
    row = stack[int(np.argmax([sinogram.std() for sinogram in stack])), ::thin]
    mean = row.mean(0, dtype=np.float64)
    stripes = mean - median_filter(mean, 15, mode="nearest")  # they make rings, which are sharp
    row = row - stripes.astype(np.float32)
    if near is None:
        candidates = np.linspace(low, high, max(2, int(np.ceil(high - low)) + 1))
    else:
        candidates = near + 0.25 * (np.arange(BATCH) - BATCH // 2)
        candidates = candidates[(candidates >= 0) & (candidates <= width - 1)]
    middle = (width - 1) / 2
    geometry = FourierReconstruction(theta[::thin], width, filter="parzen", padding="edge", mask=0.9)
    pad = width // 2
    wide = np.pad(row, ((0, 0), (pad, scipy.fft.next_fast_len(2 * width, real=True) - width - pad)), mode="edge")
    spectrum = scipy.fft.rfft(wide, axis=1)
    k = 2 * np.pi * scipy.fft.rfftfreq(wide.shape[1])
    metric = []
    for start in range(0, candidates.size, BATCH):
        moved = np.empty((min(BATCH, candidates.size - start), *row.shape), np.float32)
        for target, column in zip(moved, candidates[start : start + BATCH], strict=False):
            turned = spectrum * np.exp(-1j * k * (middle - column)).astype(np.complex64)
            target[:] = scipy.fft.irfft(turned, wide.shape[1], axis=1)[:, pad : pad + width]
        metric += [float(np.abs(slice_).sum(dtype=np.float64)) / slice_.size for slice_ in geometry(moved)]
    curve = np.array(metric)
    return Look("sharpness", candidates, curve, _lowest(candidates, curve), _clarity(candidates, curve))


def search(method: Method, metric: Callable[[float], float], low: float, high: float) -> Look:
    """Evaluate a curve in whole pixels, then in quarters around its minimum, and interpolate."""
    coarse = np.arange(np.floor(low), np.ceil(high) + 1)
    coarse = coarse[(coarse >= low) & (coarse <= high)] if coarse.size > 3 else np.linspace(low, high, 5)
    values = np.array([metric(column) for column in coarse])
    best = coarse[int(np.argmin(values))]
    fine = best + np.arange(-8, 9) / 4
    fine_values = np.array([metric(column) for column in fine])
    return Look(method, coarse, values, _lowest(fine, fine_values), _clarity(coarse, values))


def _lowest(candidates: NDArray[np.float64], metric: NDArray[np.float64]) -> float:
    """Return the minimum of the parabola through the lowest point and its neighbours."""
    i = int(np.argmin(metric))
    if i in (0, metric.size - 1):
        return float(candidates[i])
    left, here, right = metric[i - 1 : i + 2]
    bend = left - 2 * here + right
    offset = 0.5 * (left - right) / bend if bend > 0 else 0.0
    return float(candidates[i] + offset * (candidates[i + 1] - candidates[i]))


def _clarity(candidates: NDArray[np.float64], metric: NDArray[np.float64]) -> float:
    """Return how far the lowest minimum stands out from the second one, in units of the curve's range."""
    i = int(np.argmin(metric))
    low, high = float(metric[i]), float(metric.max())
    if i in (0, metric.size - 1) or not high > low:
        return 0.0
    inner = np.flatnonzero((metric[1:-1] <= metric[:-2]) & (metric[1:-1] <= metric[2:])) + 1
    others = [float(metric[j]) for j in (*inner, 0, metric.size - 1) if abs(candidates[j] - candidates[i]) > 3]
    return (min(others) - low) / (high - low) if others else 1.0


def conclude(looks: list[Look], rows: tuple[int, ...]) -> Centre:
    """Take the clearest look that compares projections; trust it more if another agrees within a pixel."""
    best = max(looks[:-1] or looks, key=lambda look: look.clarity)
    agreed = any(look is not best and look.clarity > 0 and abs(look.value - best.value) <= 1 for look in looks)
    confidence = -float(np.expm1(-best.clarity / CLEAR)) * (1.0 if agreed else 0.6)
    return Centre(best.value, confidence, best.method, tuple(looks), rows)
