"""How strong the rings of a slice are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from pancommons.techniques.tomography.rings import medians

WIDTH = 31
"""Pixels along the radius of the running median that takes the sample away; wider rings count as the sample's."""


SECTORS = 16
"""Parts of the full turn that are looked at by themselves, so that rings that do not close count as well."""


def ring_profiles(slice_: NDArray[np.float32], *, inner: float = 0.05, outer: float = 0.95) -> NDArray[np.float64]:
    """Return what is the same along an arc about the axis and changes quickly along the radius.

    The slice is taken in polar coordinates about its middle, a pixel apart along the radius and at the rim. A running
    median along the radius, `WIDTH` pixels long, is taken off; of what is left, the median over the directions of each
    sector is its profile, so that the sample, which is another one in each direction, hardly counts.

    Parameters
    ----------
    slice_
        float32 [y, x], square, with the axis in its middle.
    inner, outer
        Radii between which rings are looked for, in half widths.

    Returns
    -------
    float64 [sector, radius], in the unit of the slice.
    """
    half = len(slice_) / 2
    radius = np.arange(0, outer * half)
    each = max(1, round(2 * np.pi * outer * half / SECTORS))
    direction = np.arange(each * SECTORS) * (2 * np.pi / (each * SECTORS))
    middle = (len(slice_) - 1) / 2
    places = np.stack([middle - np.outer(radius, np.sin(direction)), middle + np.outer(radius, np.cos(direction))])
    polar = map_coordinates(np.asarray(slice_, np.float32), places, order=1, mode="nearest")
    smooth = np.empty_like(polar)
    medians.across(polar, WIDTH, smooth)
    profiles = np.median((polar - smooth).reshape(radius.size, SECTORS, each), axis=2).T
    found: NDArray[np.float64] = profiles[:, int(inner * half) :].astype(np.float64)
    return found


def ring_amplitude(slice_: NDArray[np.float32], *, inner: float = 0.05, outer: float = 0.95) -> float:
    """Return the root mean square of `ring_profiles`, in the unit of the slice.

    Where the slice without rings is known, take the amplitude of the difference.
    """
    return float(np.sqrt(np.mean(ring_profiles(slice_, inner=inner, outer=outer) ** 2)))
