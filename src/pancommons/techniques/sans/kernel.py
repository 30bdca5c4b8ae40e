"""From time of flight to wavelength to Q in one pass over the counts, with norm, variance and resolution.

For each pixel the edges of the wavelength bins are turned into times of flight and the counts between them summed, a
bin that lies across an edge in proportion. What a pixel and a wavelength contribute goes to the bin of their Q: counts
to the sum of counts, weights to the norm, so that I(Q) is sum over sum and not a mean of ratios. Bins of time that are
masked count nothing and lower the norm by the fraction of the wavelength bin that they cover.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pancommons.techniques.sans.binning import PLANCK_OVER_NEUTRON_MASS

COUNTS, NORM, NORM_VARIANCE, RESOLUTION = range(4)
"""What is summed; the variance of the counts is the counts."""
GRAVITY = 9.80665 / 2 / (PLANCK_OVER_NEUTRON_MASS**2)
"""How far a neutron falls, m, over its path in m squared and its wavelength in Angstrom squared."""

_Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"})
def sum_in_q(
    counts: NDArray[np.int32],
    rows: NDArray[np.int64],
    times: _Floats,
    masked: NDArray[np.bool_],
    x: _Floats,
    y: _Floats,
    z: _Floats,
    flight: _Floats,
    weight: _Floats,
    weight_variance: _Floats,
    wavelengths: _Floats,
    beam: _Floats,
    beam_variance: _Floats,
    angle_variance: _Floats,
    wavelength_variance: _Floats,
    band: NDArray[np.int64],
    q_edges: _Floats,
    gravity: bool,
    sums: NDArray[np.float64],
) -> None:
    """Add what the pixels of a bank counted to sums over bins of Q.

    Parameters
    ----------
    counts
        int32 [spectrum, time].
    rows
        int64 [pixel], where in `counts` a pixel's spectrum stands.
    times
        float64 [time + 1], edges, us.
    masked
        bool [time], bins that do not count.
    x, y, z
        float64 [pixel], position from the sample, m.
    flight
        float64 [pixel], m from moderator to pixel.
    weight, weight_variance
        float64 [pixel]: solid angle times efficiency, and the variance of the product.
    wavelengths
        float64 [wavelength + 1], edges, Angstrom.
    beam, beam_variance
        float64 [wavelength]: monitor times direct beam times transmission, and its variance.
    angle_variance
        float64 [pixel], variance of 2 theta in one direction, rad2; see `resolution`.
    wavelength_variance
        float64 [wavelength], relative variance of the wavelength.
    band
        int64 [wavelength], to which band of wavelengths a bin belongs, from 0.
    q_edges
        float64 [Q + 1], edges, 1/Angstrom.
    gravity
        Whether neutrons fall on their way.
    sums
        float64 [4, band, Q], added to: counts, norm, its variance, norm times variance of Q.
    """
    bins, steps, most = wavelengths.size - 1, times.size - 1, q_edges.size - 1
    to_time = 1e6 / PLANCK_OVER_NEUTRON_MASS
    inverse_width = 1.0 / (times[1:] - times[:-1])
    middle = 0.5 * (wavelengths[1:] + wavelengths[:-1])
    inverse = 1.0 / middle
    four_pi = 4 * math.pi
    for pixel in range(x.size):
        row = rows[pixel]
        slowness = flight[pixel] * to_time
        across, ahead = x[pixel] * x[pixel], z[pixel]
        square = across + y[pixel] * y[pixel]
        length = math.sqrt(square + ahead * ahead)
        factor = four_pi * math.sqrt(0.5 * square / (length * (length + ahead)))
        drop = GRAVITY * length * length
        spread = angle_variance[pixel] * (2 * math.pi) ** 2
        own, own_variance = weight[pixel], weight_variance[pixel]
        step = 0
        place = most - 1
        end = wavelengths[0] * slowness
        while step < steps and times[step + 1] <= end:
            step += 1
        for bin_ in range(bins):
            begin, end = end, wavelengths[bin_ + 1] * slowness
            inside = 0.0
            lost = 0.0
            low = begin
            while step < steps:  # all of the bins of time that end before this bin of wavelength does
                high = min(end, times[step + 1])
                part = high - max(low, times[step])
                if part > 0:
                    if masked[step]:
                        lost += part
                    else:
                        inside += counts[row, step] * part * inverse_width[step]
                low = high
                if times[step + 1] > end:
                    break
                step += 1
            if gravity:
                lower = y[pixel] + drop * middle[bin_] * middle[bin_]
                square = across + lower * lower
                reach = math.sqrt(square + ahead * ahead)
                factor = four_pi * math.sqrt(0.5 * square / (reach * (reach + ahead)))
            q = factor * inverse[bin_]
            while place > 0 and q < q_edges[place]:
                place -= 1
            while place < most - 1 and q >= q_edges[place + 1]:
                place += 1
            if q < q_edges[place] or q >= q_edges[place + 1]:
                continue
            left = 1.0 if lost == 0.0 else 1.0 - lost / (end - begin)
            norm = own * beam[bin_] * left
            group = band[bin_]
            sums[COUNTS, group, place] += inside
            sums[NORM, group, place] += norm
            sums[NORM_VARIANCE, group, place] += (
                (own * own * beam_variance[bin_] + own_variance * beam[bin_] * beam[bin_]) * left * left
            )
            sums[RESOLUTION, group, place] += norm * (
                spread * inverse[bin_] * inverse[bin_] + q * q * wavelength_variance[bin_]
            )


@njit(cache=True, nogil=True, error_model="numpy")
def sum_in_plane(
    counts: NDArray[np.int32],
    rows: NDArray[np.int64],
    times: _Floats,
    masked: NDArray[np.bool_],
    x: _Floats,
    y: _Floats,
    z: _Floats,
    flight: _Floats,
    weight: _Floats,
    weight_variance: _Floats,
    wavelengths: _Floats,
    beam: _Floats,
    beam_variance: _Floats,
    angle_variance: _Floats,
    wavelength_variance: _Floats,
    q_edges: _Floats,
    gravity: bool,
    sums: NDArray[np.float64],
) -> None:
    """Add what the pixels of a bank counted to sums over cells of Qx and Qy.

    Parameters are those of `sum_in_q`, but `q_edges` are evenly spaced and serve both axes, and

    Parameters
    ----------
    sums
        float64 [5, Qy, Qx], added to: counts, norm, its variance, norm times the variance of Q along Q, norm times that
        across it.
    """
    bins, steps, most = wavelengths.size - 1, times.size - 1, q_edges.size - 1
    to_time = 1e6 / PLANCK_OVER_NEUTRON_MASS
    pitch = (q_edges[most] - q_edges[0]) / most
    for pixel in range(x.size):
        slowness, ahead = flight[pixel] * to_time, z[pixel]
        length = math.sqrt(x[pixel] ** 2 + y[pixel] ** 2 + ahead * ahead)
        spread = angle_variance[pixel] * (2 * math.pi) ** 2
        step = 0
        end = wavelengths[0] * slowness
        while step < steps and times[step + 1] <= end:
            step += 1
        for bin_ in range(bins):
            begin, end = end, wavelengths[bin_ + 1] * slowness
            inside = 0.0
            lost = 0.0
            while step < steps:
                part = min(end, times[step + 1]) - max(begin, times[step])
                if part > 0:
                    if masked[step]:
                        lost += part
                    else:
                        inside += counts[rows[pixel], step] * part / (times[step + 1] - times[step])
                if times[step + 1] > end:
                    break
                step += 1
            middle = 0.5 * (wavelengths[bin_] + wavelengths[bin_ + 1])
            lower = y[pixel] + (GRAVITY * length * length * middle * middle if gravity else 0.0)
            square = x[pixel] ** 2 + lower * lower
            reach = math.sqrt(square + ahead * ahead)
            q = 4 * math.pi / middle * math.sqrt(0.5 * square / (reach * (reach + ahead)))
            radius = math.sqrt(square)
            if radius == 0.0:
                continue
            column = math.floor((q * x[pixel] / radius - q_edges[0]) / pitch)
            line = math.floor((q * lower / radius - q_edges[0]) / pitch)
            if column < 0 or column >= most or line < 0 or line >= most:
                continue
            left = 1.0 if lost == 0.0 else 1.0 - lost / (end - begin)
            norm = weight[pixel] * beam[bin_] * left
            sums[0, line, column] += inside
            sums[1, line, column] += norm
            sums[2, line, column] += (
                (weight[pixel] ** 2 * beam_variance[bin_] + weight_variance[pixel] * beam[bin_] ** 2) * left * left
            )
            sums[3, line, column] += norm * (spread / middle**2 + q * q * wavelength_variance[bin_])
            sums[4, line, column] += norm * spread / middle**2
