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

_TILE = 256
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
    light
        float64 [pulse], the sum of the spectrum without the background, in counts.
    """

    pixels: NDArray[np.int32]
    modulation: NDArray[np.float64]
    light: NDArray[np.float64]


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
    pixels, modulation, light = np.empty(count, np.int32), np.empty(count), np.empty(count)
    mask = _WITHOUT_FLAG if flagged and not as_notebook else _KEEP_ALL
    flip = _FLAG if flagged and as_notebook else np.uint16(0)
    b, a = band.b, band.a
    coefficients = (b[0], b[2], b[4], b[6], a[1], a[2], a[3], a[4], a[5], a[6])
    spectra = np.ascontiguousarray(spectra)
    _filter(spectra, mask, flip, np.ascontiguousarray(background), coefficients, pixels, modulation, light)
    return Arrivals(pixels, modulation, light)


@njit(nogil=True, cache=True, error_model="numpy")
def _filter(spectra, mask, flip, background, coefficients, pixels, modulation, light):
    count, width = spectra.shape
    tile = np.zeros(_TILE * LANES)
    state = np.empty(STATE * LANES)
    total = np.empty(LANES)
    for row in range(0, count, LANES):
        lanes = min(LANES, count - row)
        state[:] = 0.0
        state[6 * LANES : 7 * LANES] = -np.inf
        total[:] = 0.0
        for start in range(0, width, _TILE):
            size = min(_TILE, width - start)
            for lane in range(lanes):
                values = spectra[row + lane]
                together = 0.0
                for j in range(size):
                    value = np.float64((values[start + j] & mask) ^ flip) - background[start + j]
                    tile[j * LANES + lane] = value
                    together += value
                total[lane] += together
            advance(tile, size, state, coefficients)
        for lane in range(lanes):
            modulation[row + lane] = state[6 * LANES + lane]
            pixels[row + lane] = np.int32(state[7 * LANES + lane])
            light[row + lane] = total[lane]
