"""The resolution in Q of a pinhole instrument by time of flight (D. F. R. Mildner, J. M. Carpenter, 1984).

Two round apertures and the pixel spread the angle, the width of a bin of wavelength and the moderator's pulse spread
the wavelength. The variance of Q is (2 pi / lambda)^2 times that of the angle plus (Q / lambda)^2 times that of the
wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pancommons.techniques.sans.binning import PLANCK_OVER_NEUTRON_MASS, centres
from pancommons.techniques.sans.detector import Pixels

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Collimation:
    """What spreads Q.

    Attributes
    ----------
    source, sample
        Diameters of the two apertures, m.
    length
        Metres between them.
    moderator
        Standard deviation of the time at which neutrons leave the moderator, s.
    """

    source: float
    sample: float
    length: float
    moderator: float


def angle_variance(pixels: Pixels, collimation: Collimation) -> Floats:
    """Return the variance of the angle in one direction, rad2, float64 [pixel].

    A round aperture of radius R spreads a coordinate by R^2 / 4, a pixel of width d by d^2 / 12.
    """
    distance = np.sqrt(pixels.x**2 + pixels.y**2 + pixels.z**2)
    source = (collimation.source / 2) ** 2 / 4 / collimation.length**2
    sample = (collimation.sample / 2) ** 2 / 4 * (1 / collimation.length + 1 / distance) ** 2
    pixel = (pixels.size[0] ** 2 + pixels.size[1] ** 2) / 2 / 12 / distance**2
    return source + sample + pixel


def wavelength_variance(edges: Floats, flight: float, moderator: float) -> Floats:
    """Return the relative variance of the wavelength, float64 [wavelength], of bins given in Angstrom.

    Parameters
    ----------
    flight
        Metres from moderator to detector.
    moderator
        Standard deviation of the time of departure, s.
    """
    delay = moderator * PLANCK_OVER_NEUTRON_MASS / flight
    return np.asarray((np.diff(edges) ** 2 / 12 + delay**2) / centres(edges) ** 2)
