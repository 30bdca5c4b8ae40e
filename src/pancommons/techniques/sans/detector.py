"""The detector as the beam sees it: where its pixels are, which of them count, and the solid angle of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pancommons.techniques.sans.instrument import Bank, Instrument
from pancommons.techniques.sans.user_file import UserFile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pixels:
    """Pixels of a bank in the frame of the beam: the sample is the origin, z points along the beam, y up.

    Attributes
    ----------
    spectra
        int64 [pixel].
    x, y, z
        float64 [pixel], m.
    flight
        float64 [pixel], metres from moderator to pixel by way of the sample.
    size
        Width, height and depth of a pixel, m.
    turn
        Of the bank about the vertical, radians, from z towards x.
    box
        What the solid angle is that of, as `size`.
    """

    spectra: NDArray[np.int64]
    x: Floats
    y: Floats
    z: Floats
    flight: Floats
    size: tuple[float, float, float]
    turn: float = 0.0
    box: tuple[float, float, float] | None = None

    def chosen(self, keep: NDArray[np.bool_]) -> Pixels:
        """Return some of the pixels; `keep` is bool [pixel]."""
        return replace(
            self, spectra=self.spectra[keep], x=self.x[keep], y=self.y[keep], z=self.z[keep], flight=self.flight[keep]
        )


def pixels_of(bank: Bank, instrument: Instrument, centre: tuple[float, float] | None, sample_offset: float) -> Pixels:
    """Place a bank's pixels about the beam.

    Parameters
    ----------
    bank, instrument
        The geometry.
    centre
        Where the beam meets the detector, in the user file's coordinates, mm; None for the instrument's axis.
    sample_offset
        How far the sample stands behind its place, mm.
    """
    move_x, move_y = 0.0, 0.0
    if centre is not None and bank.moves:
        move_x, move_y = (
            (origin - where) / 1e3 for origin, where in zip(instrument.centre_origin, centre, strict=True)
        )
    x, y = bank.x + move_x, bank.y + move_y
    sample = instrument.sample_z + sample_offset / 1e3
    z = np.zeros(x.size) + bank.z + bank.behind - sample
    flight = sample + np.sqrt(x**2 + y**2 + z**2)
    if instrument.monochromatic:
        flight = np.full(x.size, instrument.monitors[instrument.incident_monitor])
    return Pixels(bank.spectra, x, y, z, flight, bank.size, bank.turn, bank.box)


def solid_angles(pixels: Pixels) -> Floats:
    """Return the solid angle of each pixel seen from the sample, sr, float64 [pixel].

    A pixel is a box: its face exactly, its two visible sides to first order in the depth.
    """
    width, height, depth = pixels.box or pixels.size
    cosine, sine = np.cos(pixels.turn), np.sin(pixels.turn)
    x, y, z = cosine * pixels.x - sine * pixels.z, pixels.y, sine * pixels.x + cosine * pixels.z

    def corner(right: Floats, up: Floats) -> Floats:
        return np.asarray(np.arctan(right * up / (z * np.sqrt(right**2 + up**2 + z**2))))

    left, right, down, up = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    face = corner(right, up) - corner(left, up) - corner(right, down) + corner(left, down)
    sides = depth * (height * np.abs(x) + width * np.abs(y)) / (x**2 + y**2 + z**2) ** 1.5
    return np.asarray(face + sides)


def kept_pixels(bank: Bank, pixels: Pixels, user: UserFile, sector: Sector | None = None) -> NDArray[np.bool_]:
    """Return bool [pixel]: those that no mask of the user file and no sector leaves out."""
    radius = np.hypot(pixels.x, pixels.y) * 1e3
    keep = np.ones(radius.size, bool)
    if user.radius is not None:
        keep &= (radius >= user.radius[0]) & (radius <= user.radius[1])
    for first, last in user.masked_spectra:
        keep &= (pixels.spectra < first) | (pixels.spectra > last)
    for mask in user.masks:
        keep &= ~mask.covers(bank, pixels.x, pixels.y)
    return keep if sector is None else keep & sector.holds(pixels)


@dataclass(frozen=True)
class Sector:
    """Directions about the beam from `start` to `stop`, degrees from x towards y; with `mirror` the opposite too."""

    start: float
    stop: float
    mirror: bool = True

    def holds(self, pixels: Pixels) -> NDArray[np.bool_]:
        """Return bool [pixel]: those that lie in the sector."""
        width = (self.stop - self.start) % 360 or 360.0
        turn = (np.rad2deg(np.arctan2(pixels.y, pixels.x)) - self.start) % 360
        inside = turn <= width
        return inside | ((turn - 180) % 360 <= width) if self.mirror else inside


def masked_times(edges: Floats, windows: tuple[tuple[float, float], ...]) -> NDArray[np.bool_]:
    """Return bool [time]: bins that a window touches are masked whole."""
    masked = np.zeros(edges.size - 1, bool)
    for low, high in windows:
        masked |= (edges[1:] > low) & (edges[:-1] < high)
    return masked
