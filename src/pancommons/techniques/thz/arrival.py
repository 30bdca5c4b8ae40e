"""Arrival times of pulses: the largest value of a spectrum behind a causal band-pass filter.

The filter is a Butterworth filter of order three in float64, run over each spectrum from its first pixel: every
operation is that of `scipy.signal.lfilter` (transposed direct form II) in the same order, so that the filtered values
are the same in every bit. In float32 its poles lie too near to 1 for any pixel to be right.

Eight spectra are filtered at once, one in each lane of a vector, because a recursive filter leaves nothing to do at
once within one.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.signal import butter

from pancommons.techniques.thz.lanes import LANES, STATE, advance

_KEEP_ALL, _WITHOUT_FLAG, _FLAG = np.uint16(0xFFFF), np.uint16(0x7FFF), np.uint16(0x8000)


@dataclass(frozen=True)
class BandPass:
    """The filter's coefficients.

    Attributes
    ----------
    b, a
        Numerator and denominator: float64 [7]; ``a[0]`` is 1, every other of ``b`` is 0.
    delay
        By how many pixels a slow pulse leaves the filter later than it enters it.
    """

    b: NDArray[np.float64]
    a: NDArray[np.float64]
    delay: float


def band_pass(low: float = 1e-5, high: float = 0.04) -> BandPass:
    """Design the filter of order three between two fractions of the Nyquist frequency.

    The delay is that of the low-pass edge at low frequencies: the phase of a Butterworth filter of order three with the
    edge w begins with the slope ``2 / w``, where w is the edge after the bilinear transform's warping.
    """
    b, a = butter(3, [low, high], btype="band")
    return BandPass(b, a, float(1 / np.tan(np.pi * high / 2)))


@dataclass(frozen=True)
class Arrivals:
    """What the spectra of some pulses tell.

    Attributes
    ----------
    pixels
        int32 [pulse], the pixel at which the filtered spectrum is largest; the first of several.
    modulation
        float64 [pulse], the filtered spectrum there, in counts.
    """

    pixels: NDArray[np.int32]
    modulation: NDArray[np.float64]


def arrivals(
    spectra: NDArray[np.uint16],
    background: NDArray[np.float64],
    band: BandPass,
    *,
    flagged: bool = False,
    as_notebook: bool = False,
) -> Arrivals:
    """Find when each pulse came.

    Parameters
    ----------
    spectra
        uint16 [pulse, pixel], counts.
    background
        float64 [pixel], counts.
    band
        The filter.
    flagged
        Whether the highest bit is a flag, and no part of the counts.
    as_notebook
        Treat a flag as the TELBE notebook does: 32768 is subtracted from every pixel, modulo 65536.
    """
    count = len(spectra)
    pixels, modulation = np.empty(count, np.int32), np.empty(count)
    mask = _WITHOUT_FLAG if flagged and not as_notebook else _KEEP_ALL
    flip = _FLAG if flagged and as_notebook else np.uint16(0)
    b, a = band.b, band.a
    coefficients = (b[0], b[2], b[4], b[6], a[1], a[2], a[3], a[4], a[5], a[6])
    background = np.ascontiguousarray(background, np.float64)
    whole = count - count % LANES
    spectra = np.ascontiguousarray(spectra)
    _filter(spectra[:whole], mask, flip, background, coefficients, pixels[:whole], modulation[:whole])
    if whole < count:
        rest, found, largest = (
            np.zeros((LANES, spectra.shape[1]), np.uint16),
            np.empty(LANES, np.int32),
            np.empty(LANES),
        )
        rest[: count - whole] = spectra[whole:]
        _filter(rest, mask, flip, background, coefficients, found, largest)
        pixels[whole:], modulation[whole:] = found[: count - whole], largest[: count - whole]
    return Arrivals(pixels, modulation)


def light(
    spectra: NDArray[np.uint16], background: NDArray[np.float64], *, flagged: bool = False
) -> NDArray[np.float64]:
    """Return the sum of each spectrum above the background: float64 [pulse], counts."""
    counts = spectra & _WITHOUT_FLAG if flagged else spectra
    return np.asarray(counts.sum(axis=1, dtype=np.int64) - float(background.sum()), np.float64)


@njit(nogil=True, cache=True, error_model="numpy")
def _filter(spectra, mask, flip, background, coefficients, pixels, modulation):
    count, width = spectra.shape
    b0, b2, b4, b6, a1, a2, a3, a4, a5, a6 = coefficients
    squares = width // LANES
    kept = np.empty(STATE * LANES)
    for row in range(0, count, LANES):
        kept[:] = 0.0
        kept[6 * LANES : 7 * LANES] = -np.inf
        advance(spectra, row, squares, mask, flip, background, kept, coefficients)
        for lane in range(LANES):
            z = kept[lane::LANES]
            best, where = z[6], z[7]
            for pixel in range(squares * LANES, width):
                x = np.float64((spectra[row + lane, pixel] & mask) ^ flip) - background[pixel]
                y = z[0] + b0 * x
                z[0] = z[1] - a1 * y
                z[1] = z[2] + b2 * x - a2 * y
                z[2] = z[3] - a3 * y
                z[3] = z[4] + b4 * x - a4 * y
                z[4] = z[5] - a5 * y
                z[5] = b6 * x - a6 * y
                if y > best:
                    best, where = y, np.float64(pixel)
            modulation[row + lane] = best
            pixels[row + lane] = np.int32(where)
