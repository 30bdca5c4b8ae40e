"""How near a reconstructed slice comes to the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EDGE = 0.95
"""Radius, in half widths, inside of which slices are compared."""


def inside(width: int, ratio: float = EDGE) -> NDArray[np.bool_]:
    """Return bool [y, x]: the pixels nearer to the middle than `ratio` half widths."""
    square = ((np.arange(width) - (width - 1) / 2) / (width / 2)) ** 2
    return square[:, None] + square[None, :] <= ratio**2


def displacement(slice_: NDArray[np.float32], truth: NDArray[np.float32], ratio: float = EDGE) -> tuple[float, float]:
    """Return how far (y, x) a slice lies from the truth, in pixels, by least squares.

    The truth's gradient is fitted to the difference three times; this finds displacements of up to about a pixel.
    """
    dy, dx = 0.0, 0.0
    where = inside(len(truth), ratio)
    for _ in range(3):
        moved = shifted(truth, dy, dx)
        precise = moved.astype(np.float64)
        down, across = np.gradient(precise, axis=0)[where], np.gradient(precise, axis=1)[where]
        difference = (slice_.astype(np.float64) - moved)[where]
        normal = np.array([[down @ down, down @ across], [down @ across, across @ across]])
        if np.linalg.cond(normal) > 1e12:
            return 0.0, 0.0
        step = np.linalg.solve(normal, -np.array([down @ difference, across @ difference]))
        dy, dx = dy + float(step[0]), dx + float(step[1])
    return dy, dx


def shifted(image: NDArray[np.float32], dy: float, dx: float) -> NDArray[np.float32]:
    """Return an image moved down and right by fractions of a pixel (Fourier interpolation, periodic)."""
    ky = np.fft.fftfreq(image.shape[0])[:, None]
    kx = np.fft.rfftfreq(image.shape[1])[None, :]
    phase = np.exp(-2j * np.pi * (ky * dy + kx * dx))
    return np.fft.irfft2(np.fft.rfft2(image) * phase, image.shape).astype(np.float32)


def psnr(
    slice_: NDArray[np.float32], truth: NDArray[np.float32], ratio: float = EDGE, *, register: bool = True
) -> float:
    """Return the peak signal-to-noise ratio of a slice.

    Parameters
    ----------
    slice_, truth
        float32 [y, x], in the same unit.
    ratio
        Radius inside of which they are compared, in half widths.
    register
        Whether to move the slice onto the truth first, by a fraction of a pixel.

    Returns
    -------
    20 log10 of the truth's range over the root of the mean squared difference, dB.
    """
    where = inside(len(truth), ratio)
    if register:
        dy, dx = displacement(slice_, truth, ratio)
        slice_ = shifted(slice_, -dy, -dx)
    error = slice_[where].astype(np.float64) - truth[where]
    mean_square = float(np.mean(error**2))
    return float(20 * np.log10(np.ptp(truth[where]) / np.sqrt(mean_square))) if mean_square > 0 else float("inf")


def scale_to(slice_: NDArray[np.float32], truth: NDArray[np.float32], ratio: float = EDGE) -> float:
    """Return the slope of the straight line that fits a slice over the truth: 1 where the scale is right."""
    where = inside(len(truth), ratio)
    return float(np.polyfit(truth[where].astype(np.float64), slice_[where].astype(np.float64), 1)[0])
