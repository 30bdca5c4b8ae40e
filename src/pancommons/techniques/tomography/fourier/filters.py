"""Reconstruction filters: the band-limited ramp and the windows that tame its noise."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput

FilterName = Literal["ramp", "shepp", "cosine", "hann", "hamming", "parzen", "butterworth"]

FILTERS: tuple[FilterName, ...] = get_args(FilterName)
"""The filters by name, about from the sharpest to the smoothest."""

BUTTERWORTH_CUTOFF = 0.5
"""Where the Butterworth window passes one half, as a fraction of the Nyquist frequency."""

BUTTERWORTH_ORDER = 4


def window(name: FilterName, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a filter leaves of the ramp.

    Parameters
    ----------
    name
        One of `FILTERS`: ``ramp`` (all of it), ``shepp`` (Shepp and Logan 1974, a sinc), ``cosine``,
        ``hann``, ``hamming``, ``parzen`` (a cubic B-spline's transform) or ``butterworth`` (half at 0.5,
        order 4).
    frequency
        float64 [frequency], magnitude, in units of the Nyquist frequency (0 to 1).

    Returns
    -------
    float64 [frequency], dimensionless, 1 at frequency 0.

    Raises
    ------
    BadInput
        There is no filter of that name.
    """
    f = frequency
    match name:
        case "ramp":
            return np.ones_like(f)
        case "shepp":
            return np.sinc(f / 2)
        case "cosine":
            return np.cos(np.pi * f / 2)
        case "hann":
            return 0.5 + 0.5 * np.cos(np.pi * f)
        case "hamming":
            return 0.54 + 0.46 * np.cos(np.pi * f)
        case "parzen":
            return np.where(f <= 0.5, 1 - 6 * f**2 * (1 - f), 2 * (1 - f) ** 3)
        case "butterworth":
            return 1 / (1 + (f / BUTTERWORTH_CUTOFF) ** (2 * BUTTERWORTH_ORDER))
    raise BadInput(f"there is no filter {name!r}", field="filter", remedy=f"choose one of {', '.join(FILTERS)}")


def response(name: FilterName, length: int, shift: int = 0) -> NDArray[np.complex128]:
    """Return a filter's response at the frequencies of an FFT of `length` (even), per pixel.

    The ramp is the transform of its exact band-limited spatial form (A. C. Kak, M. Slaney, Principles of
    Computerized Tomographic Imaging, 1988, equation 61), so that the mean of a slice comes out right and
    nothing cups.

    Parameters
    ----------
    name
        One of `FILTERS`.
    length
        Of the transform.
    shift
        Pixel of the result that comes first. The kernel holds the lags that the pixels from there on see, so that of a
        row that fills half of the transform any window of half its length comes out right, also beside the row.

    Returns
    -------
    complex128 [frequency], 1 / pixel; real if nothing is shifted.
    """
    index = np.arange(length) - length // 2
    lag = index + shift
    odd = lag % 2 != 0
    kernel = np.zeros(length)
    kernel[index[odd]] = -1 / (np.pi * lag[odd]) ** 2
    kernel[index[lag == 0]] = 0.25
    return np.fft.fft(kernel) * window(name, 2 * np.abs(np.fft.fftfreq(length)))
