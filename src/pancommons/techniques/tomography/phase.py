"""Phase contrast of free propagation: fringes on the way to the detector, and one distance back to thickness.

A sample of one material, with refractive index 1 - delta + i beta, leaves in the plane behind it the transmission
exp(-mu t) and a phase of -(delta / 2 beta) mu t. Over a distance the phase turns into intensity, fringes at edges.
"""

from __future__ import annotations

from math import ceil, pi

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from pancommons.base.errors import BadInput

PADDING_WIDTHS = 4.0
"""Widths of the kernel by which projections are continued at their edges: e^-4 = 2 % of it reach further."""

_KEV_METRES = 12.398419843320026e-10  # h c, CODATA 2018, exact


def wavelength(energy: float) -> float:
    """Return the wavelength in metres of photons of an energy in keV."""
    return _KEV_METRES / energy


def kernel_width(pixel_size: float, distance: float, energy: float, delta_beta: float) -> float:
    """Return the length, in pixels, over which Paganin's filter smooths: its line spread is exp(-|x| / width)."""
    return float(np.sqrt(distance * wavelength(energy) * delta_beta / (4 * pi))) / pixel_size


def paganin(
    projections: ArrayLike,
    *,
    pixel_size: float,
    distance: float,
    energy: float,
    delta_beta: float,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Take the fringes of free propagation off projections of a sample of one material.

    The intensity is divided, in Fourier space, by 1 + (distance delta / mu) k^2, k in radians per length (D. Paganin
    et al., J. Microsc. 206, 33 (2002), doi:10.1046/j.1365-2818.2002.01010.x). What is left is exp(-mu t), so that
    minus its logarithm over mu is the thickness, and reconstructs to mu.

    Parameters
    ----------
    projections
        float [projection, row, column] or [row, column]: whole frames of transmission, divided by flat fields,
        dimensionless. The filter reaches over many rows and columns.
    pixel_size, distance
        At the sample, and from it to the detector, metres.
    energy
        Of the photons, keV.
    delta_beta
        Decrement of the refractive index over absorption index, dimensionless. (Where a program asks for "alpha" in
        cycles, as TomoPy does, delta / beta is 1 / (4 pi^2 alpha).)
    out
        float32 of the same shape for the result; may be the projections themselves.

    Returns
    -------
    float32, same shape: transmission as if seen right behind the sample, dimensionless. Beyond its edges a projection
    is continued with their values, over `PADDING_WIDTHS` widths of the kernel (at most its own size).

    Raises
    ------
    BadInput
        A length, the energy or the ratio is not positive, or the projections have no two dimensions.
    """
    for name, value in (
        ("pixel size", pixel_size),
        ("distance", distance),
        ("energy", energy),
        ("delta/beta", delta_beta),
    ):
        if not 0 < value < np.inf:
            raise BadInput(f"{value} is no positive number", field=name)
    stack = np.asarray(projections)
    if stack.ndim not in (2, 3) or 0 in stack.shape:
        raise BadInput(f"expected projections [projection, row, column], not {stack.shape}", field="projections")
    result = np.empty(stack.shape, np.float32) if out is None else out
    if result.shape != stack.shape or result.dtype != np.float32:
        raise BadInput(f"expected float32 {stack.shape}, not {result.dtype} {result.shape}", field="out")
    width = kernel_width(pixel_size, distance, energy, delta_beta)
    rows, columns = stack.shape[-2:]
    (above, height), (before, length) = (_padded(size, width) for size in (rows, columns))
    down, across = scipy.fft.fftfreq(height), scipy.fft.rfftfreq(length)
    response = 1 / (1 + (2 * pi * width) ** 2 * (down[:, None] ** 2 + across**2))
    response = response.astype(np.float32)
    wide = np.empty((rows, length), np.float32)
    spectrum = np.empty((height, across.size), np.complex64)
    for source, target in zip(stack.reshape(-1, rows, columns), result.reshape(-1, rows, columns), strict=True):
        wide[:, before : before + columns] = source
        wide[:, :before] = source[:, :1]
        wide[:, before + columns :] = source[:, -1:]
        # Rows continued above and below are those at the edge again, and so are their transforms.
        spectrum[above : above + rows] = scipy.fft.rfft(wide, axis=1)
        spectrum[:above] = spectrum[above]
        spectrum[above + rows :] = spectrum[above + rows - 1]
        filtered = scipy.fft.fft(spectrum, axis=0)
        filtered *= response
        kept = scipy.fft.ifft(filtered, axis=0, overwrite_x=True)[above : above + rows]
        target[:] = scipy.fft.irfft(kept, length, axis=1)[:, before : before + columns]
    return result


def working_bytes(rows: int, columns: int, width: float) -> int:
    """Return the bytes that `paganin` needs beside projections and result; width of the kernel in pixels."""
    height, length = _padded(rows, width)[1], _padded(columns, width)[1]
    return height * (length // 2 + 1) * (8 * 3 + 4 + 8) + 12 * rows * length


def _padded(size: int, width: float) -> tuple[int, int]:
    """Return how far an axis is continued before its beginning, and its length with both ends."""
    length = scipy.fft.next_fast_len(size + 2 * min(size, ceil(PADDING_WIDTHS * width)), real=True)
    return (length - size) // 2, length


def propagated(
    integrals: NDArray[np.floating],
    *,
    pixel_size: float,
    distance: float,
    energy: float,
    delta_beta: float,
    supersampling: int = 1,
) -> NDArray[np.float64]:
    """Return the intensity that a sample of one material gives at a distance, by Fresnel's integral.

    Parameters
    ----------
    integrals
        float [projection, row, column], line integrals of the attenuation coefficient, dimensionless, on a grid that
        is `supersampling` times as fine as the detector's along rows and columns.
    pixel_size, distance, energy, delta_beta
        As for `paganin`; the pixel size is the detector's.
    supersampling
        Points per pixel along each axis.

    Returns
    -------
    float64 [projection, row, column], intensity over that of the beam, averaged over the detector's pixels.
    """
    fine = pixel_size / supersampling
    rows, columns = integrals.shape[1:]
    # A wave of the highest frequency is carried this far sideways.
    reach = ceil(wavelength(energy) * distance / (2 * fine**2)) + 8 * supersampling
    above, before = min(rows, reach), min(columns, reach)
    height, length = (scipy.fft.next_fast_len(size) for size in (rows + 2 * above, columns + 2 * before))
    down, across = scipy.fft.fftfreq(height, fine)[:, None], scipy.fft.fftfreq(length, fine)
    turn = np.exp(-1j * pi * wavelength(energy) * distance * (down**2 + across**2))
    shape = (rows // supersampling, supersampling, columns // supersampling, supersampling)
    result = np.empty((len(integrals), shape[0], shape[2]))
    rims = ((above, height - rows - above), (before, length - columns - before))
    for target, integral in zip(result, integrals, strict=True):
        wave = np.exp(-0.5 * (1 + 1j * delta_beta) * np.pad(integral.astype(np.float64), rims, mode="edge"))
        wave = scipy.fft.ifft2(scipy.fft.fft2(wave) * turn)
        intensity = np.abs(wave[above : above + rows, before : before + columns]) ** 2
        target[:] = intensity.reshape(shape).mean((1, 3))
    return result
