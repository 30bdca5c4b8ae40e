"""Following rays of a simulated measurement from the first aperture to pixel and time of flight."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.stats import norm, qmc

Floats = NDArray[np.float64]
H_OVER_M = 3956.0340
"""m/s Angstrom."""
_GRAVITY = 9.80665


def draw_rays(count: int, source: float, sample: float, moderator: float, seed: int) -> Floats:
    """Draw rays, float64 [count, 4, 8]: points in both apertures, in the pixel, and in time.

    The first four numbers are m, the next two widths of the pixel, then comes the delay at the moderator, s, and the
    place in the bin of time, widths of it from its middle.

    Each is mirrored left and right, up and down, so that on the whole they point nowhere.

    Parameters
    ----------
    source, sample
        Diameters of the apertures, m.
    moderator
        Standard deviation of the delay, s.
    """
    drawn = qmc.Halton(8, rng=seed).random(count)
    rays = np.empty((count, 8))
    for place, diameter in ((0, source), (2, sample)):
        radius, angle = diameter / 2 * np.sqrt(drawn[:, place]), 2 * np.pi * drawn[:, place + 1]
        rays[:, place], rays[:, place + 1] = radius * np.cos(angle), radius * np.sin(angle)
    rays[:, 4:6] = drawn[:, 4:6] - 0.5
    rays[:, 6] = moderator * norm.ppf(drawn[:, 6])
    rays[:, 7] = drawn[:, 7] - 0.5
    mirrors = [(right, up) for right in (1, -1) for up in (1, -1)]
    signs = np.array([[right, up, right, up, right, up, right * up, right * up] for right, up in mirrors])
    return np.asarray(rays[:, None] * signs)


@njit(cache=True, nogil=True, error_model="numpy")
def trace(
    x: Floats,
    y: Floats,
    z: float,
    flight: Floats,
    rays: Floats,
    own: int,
    collimation: float,
    width: float,
    height: float,
    edges: Floats,
    gravity: bool,
    first_wavelength: float,
    wavelength_step: float,
    seen: Floats,
    q_step: float,
    scattering: Floats,
) -> Floats:
    """Follow rays to each pixel at each time and average what they bring.

    Parameters
    ----------
    x, y, z, flight
        Pixels from the sample, and from the moderator, m: float64 [pixel] and a number.
    rays, own
        From `draw_rays`, and how many of them a pixel takes: each goes on where the one before it stopped, so that
        pixels are not all spread alike by the chance of a few rays.
    collimation, width, height
        Distance of the apertures, size of a pixel, m.
    edges
        float64 [time + 1], us.
    gravity
        Whether neutrons fall behind the sample.
    first_wavelength, wavelength_step, seen
        What the detector sees of the beam per Angstrom, on even steps of wavelength.
    q_step, scattering
        1/cm, on even steps of Q from 0.

    Returns
    -------
    float64 [pixel, time]
        What is seen times scattering, per solid angle and thickness.
    """
    counts = np.zeros((x.size, edges.size - 1))
    for pixel in range(x.size):
        to_wavelength = H_OVER_M / flight[pixel]
        for time in range(edges.size - 1):
            middle = 0.5e-6 * (edges[time] + edges[time + 1])
            length = 1e-6 * (edges[time + 1] - edges[time])
            total = 0.0
            for number in range(4 * own):
                ray = rays[(pixel * own + number // 4) % rays.shape[0], number % 4]
                wavelength = (middle + ray[7] * length - ray[6]) * to_wavelength
                fall = 0.5 * _GRAVITY * (wavelength * z / H_OVER_M) ** 2 if gravity else 0.0
                right = (x[pixel] + ray[4] * width - ray[2]) / z
                up = (y[pixel] + ray[5] * height + fall - ray[3]) / z
                right -= (ray[2] - ray[0]) / collimation
                up -= (ray[3] - ray[1]) / collimation
                cosine = 1 / np.sqrt(1 + right * right + up * up)
                q = 4 * np.pi / wavelength * np.sqrt(0.5 * (1 - cosine)) / q_step
                at = min(int(q), scattering.size - 2)
                amount = scattering[at] + (q - at) * (scattering[at + 1] - scattering[at])
                place = (wavelength - first_wavelength) / wavelength_step
                low = min(max(int(place), 0), seen.size - 2)
                total += amount * (seen[low] + (place - low) * (seen[low + 1] - seen[low]))
            counts[pixel, time] = total / (4 * own) * length * to_wavelength
    return counts
