"""Resolution by correlation of two halves: Fourier ring and shell correlation.

Two reconstructions, from the odd and from the even projections, agree up to the detail that the measurement holds, and
differ where noise begins. Their correlation over rings (of slices) or shells (of volumes) of equal spatial frequency
falls from one to zero; the resolution is the period of the frequency where it first falls below a threshold (M. van
Heel, M. Schatz, J. Struct. Biol. 151, 250 (2005), doi:10.1016/j.jsb.2005.05.009).

What both halves have in common counts as detail: rings of detector faults, the streaks of few angles, and whatever a
reconstruction with prior knowledge puts into both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput

Threshold = Literal["half-bit", "0.143"]

_EDGE = 0.5
"""Part of the radius over which the window falls from one to zero; were it sharper, strong rings would leak."""

_FEW = 0.7
"""A ring whose threshold is above this has too few samples, four or less, to say anything."""


@dataclass(frozen=True)
class Resolution:
    """A correlation curve and the resolution that it gives.

    Attributes
    ----------
    frequency
        float64 [ring], cycles per pixel, up to the Nyquist frequency 0.5.
    correlation
        float64 [ring], -1 to 1.
    threshold
        float64 [ring], what the correlation is compared with.
    pixels
        The resolution: the period at the first crossing, in pixels. 2 where the correlation stays above; None where it
        is below from the beginning, or both halves are empty.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    threshold: NDArray[np.float64]
    pixels: float | None

    def in_um(self, pixel_size: float) -> float | None:
        """Return the resolution in um; the pixel size is in um."""
        return None if self.pixels is None else self.pixels * pixel_size


def half_bit(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the threshold at which a ring of so many independent samples holds half a bit of information each.

    The correlation of halves whose sum has a signal-to-noise ratio of 0.414 (van Heel and Schatz 2005, equation 17).
    """
    root = np.sqrt(np.maximum(samples, 1))
    return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)


def fourier_correlation(
    first: ArrayLike,
    second: ArrayLike,
    *,
    stack: bool = False,
    threshold: Threshold = "half-bit",
) -> Resolution:
    """Return the Fourier ring or shell correlation of two reconstructions and the resolution.

    Parameters
    ----------
    first, second
        float [y, x] (rings) or [z, y, x] (shells), of one shape and in one unit, from halves of the measurement. They
        are windowed smoothly to the ellipse or ellipsoid that touches their sides.
    stack
        Whether three dimensions are a stack of separate slices, [slice, y, x], whose rings are added up.
    threshold
        ``half-bit`` (van Heel and Schatz 2005), which takes into account how few samples a ring has, or ``0.143``
        (P. B. Rosenthal, R. Henderson, J. Mol. Biol. 333, 721 (2003)), fixed.

    Returns
    -------
    `Resolution`.

    Raises
    ------
    BadInput
        The shapes differ, have no two or three dimensions of at least 8 pixels, or values are not finite.
    """
    one, two = np.asarray(first, np.float32), np.asarray(second, np.float32)
    if one.shape != two.shape:
        raise BadInput(f"the halves have the shapes {one.shape} and {two.shape}", field="second")
    if threshold not in ("half-bit", "0.143"):
        raise BadInput(f"there is no threshold {threshold!r}", field="threshold", remedy="choose half-bit or 0.143")
    pairs = list(zip(one, two, strict=True)) if stack and one.ndim == 3 else [(one, two)]
    shape = pairs[0][0].shape if pairs else ()
    if len(shape) not in (2, 3) or min(shape) < 8:
        raise BadInput(f"expected [y, x] or [z, y, x] of at least 8 pixels each way, not {one.shape}", field="first")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise BadInput("the halves hold values that are not finite", field="first")
    window, ring, weight = _window(shape), *_rings(shape)
    rings = min(shape) // 2 + 1
    sums = np.zeros((4, rings))
    for a, b in pairs:
        p, q = (scipy.fft.rfftn((half - half.mean()) * window) for half in (a, b))
        for total, values in zip(
            sums, ((p * q.conj()).real, np.abs(p) ** 2, np.abs(q) ** 2, np.ones(ring.shape)), strict=True
        ):
            total += np.bincount(ring.ravel(), (values * weight).ravel(), ring.max() + 1)[:rings]
    cross, power, other, count = sums[:, 1:]
    scale = np.sqrt(power * other)
    correlation = np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 0)
    # The window correlates neighbours, and a real image's spectrum is there twice.
    square = window.astype(np.float64) ** 2
    independent = count / 2 * float(np.mean(square) ** 2 / np.mean(square**2))
    level = half_bit(independent) if threshold == "half-bit" else np.full(correlation.shape, 0.143)
    frequency = np.arange(1, rings) / min(shape)
    return Resolution(frequency, correlation, level, _crossing(frequency, correlation, level))


def odd_and_even(
    reconstruct: Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.float32]],
    sinograms: NDArray[np.float32],
    angles: NDArray[np.float64],
    *,
    threshold: Threshold = "half-bit",
) -> Resolution:
    """Return the resolution of slices by the Fourier ring correlation of the odd and the even projections.

    Parameters
    ----------
    reconstruct
        Makes slices, float32 [slice, y, x], of sinograms and angles.
    sinograms
        float32 [slice, angle, column]; the rings of all slices are added up.
    angles
        float64 [angle], radians; odd and even are counted in their order.
    threshold
        See `fourier_correlation`.
    """
    order = np.argsort(angles, kind="stable")
    halves = [order[start::2] for start in (0, 1)]
    first, second = (reconstruct(np.ascontiguousarray(sinograms[:, half]), angles[half]) for half in halves)
    return fourier_correlation(first, second, stack=True, threshold=threshold)


def _window(shape: tuple[int, ...]) -> NDArray[np.float32]:
    square: NDArray[np.float64] = np.zeros((1,) * len(shape))
    for axis, size in enumerate(shape):
        position = (np.arange(size) - (size - 1) / 2) / (size / 2)
        square = square + np.expand_dims(position**2, [other for other in range(len(shape)) if other != axis])
    fall = np.clip((1 - np.sqrt(square)) / _EDGE, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * fall)).astype(np.float32)


def _rings(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ring of each sample of a real transform, and how often the sample counts."""
    least = min(shape)
    square: NDArray[np.float64] = np.zeros((1,) * len(shape))
    for axis, size in enumerate(shape):
        frequency = np.fft.rfftfreq(size) if axis == len(shape) - 1 else np.fft.fftfreq(size)
        square = square + np.expand_dims(frequency**2, [other for other in range(len(shape)) if other != axis])
    ring = np.rint(np.sqrt(square) * least).astype(np.int64)
    weight = np.full(ring.shape, 2.0)
    weight[..., 0] = 1
    if shape[-1] % 2 == 0:
        weight[..., -1] = 1
    return ring, weight


def _crossing(
    frequency: NDArray[np.float64], correlation: NDArray[np.float64], threshold: NDArray[np.float64]
) -> float | None:
    """Return the period where the correlation first falls below, between its points along a straight line."""
    above = correlation - threshold
    counting = threshold < _FEW
    below = np.flatnonzero((above <= 0) & counting)
    if not counting.any() or above[counting][0] <= 0:
        return None
    if below.size == 0:
        return float(1 / frequency[-1])
    at = int(below[0])
    part = above[at - 1] / (above[at - 1] - above[at])
    return float(1 / (frequency[at - 1] + part * (frequency[at] - frequency[at - 1])))
