"""One run on one bank: weights of wavelengths and pixels, then counts over norm in bins of Q."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans import resolution
from pancommons.techniques.sans.binning import edges_around, rebin_distribution
from pancommons.techniques.sans.detector import (
    Pixels,
    Sector,
    kept_pixels,
    masked_times,
    pixels_of,
    solid_angles,
)
from pancommons.techniques.sans.instrument import Bank, Instrument
from pancommons.techniques.sans.kernel import sum_in_plane, sum_in_q
from pancommons.techniques.sans.monitors import Treatment, monitor
from pancommons.techniques.sans.resolution import Collimation
from pancommons.techniques.sans.rkh import Curve
from pancommons.techniques.sans.run import Run
from pancommons.techniques.sans.user_file import UserFile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """How runs are reduced, with everything settled.

    Attributes
    ----------
    user, instrument
        Masks and windows; positions.
    wavelengths
        float64 [wavelength + 1], edges, Angstrom.
    band
        int64 [wavelength], the band that each belongs to.
    q_edges, qxy_edges
        float64, edges, 1/Angstrom; the second None for no pattern in the plane.
    centre
        Of the beam on the detector, mm, in the user file's coordinates.
    gravity
        Whether neutrons fall.
    sector
        Directions that count, or None for all.
    collimation
        What spreads Q.
    """

    user: UserFile
    instrument: Instrument
    wavelengths: Floats
    band: NDArray[np.int64]
    q_edges: Floats
    qxy_edges: Floats | None
    centre: tuple[float, float] | None
    gravity: bool
    sector: Sector | None
    collimation: Collimation


@dataclass(frozen=True)
class Weighted:
    """The pixels of a bank that count, with their weights.

    Attributes
    ----------
    keep
        bool [pixel of the bank], those that count.
    pixels
        Those alone.
    weight, variance
        float64 [kept pixel], sr: solid angle times relative efficiency.
    angle_variance
        float64 [kept pixel], rad2.
    """

    keep: NDArray[np.bool_]
    pixels: Pixels
    weight: Floats
    variance: Floats
    angle_variance: Floats


def weigh_pixels(bank: Bank, recipe: Recipe, flat_cell: Curve | None) -> Weighted:
    """Place a bank's pixels, mask some, and weigh the rest by solid angle and flat cell.

    A pixel for which the flat cell says nothing, or zero, is left out.
    """
    pixels = pixels_of(bank, recipe.instrument, recipe.centre, recipe.user.sample_offset)
    keep = kept_pixels(bank, pixels, recipe.user, recipe.sector)
    efficiency, variance = np.ones(keep.size), np.zeros(keep.size)
    if flat_cell is not None and bank.has_flat_cell:
        efficiency, variance = _by_spectrum(flat_cell, bank.spectra)
        keep = keep & (efficiency > 0)
    if not keep.any():
        raise BadInput(
            f"every pixel of the {bank.title} is masked", file=recipe.user.path, remedy="correct L/R or the masks"
        )
    chosen = pixels.chosen(keep)
    solid = solid_angles(chosen)
    return Weighted(
        keep,
        chosen,
        solid * efficiency[keep],
        solid**2 * variance[keep],
        resolution.angle_variance(chosen, recipe.collimation),
    )


def _by_spectrum(flat_cell: Curve, spectra: NDArray[np.int64]) -> tuple[Floats, Floats]:
    numbers = flat_cell.x.astype(np.int64)
    place = np.minimum(np.searchsorted(numbers, spectra), numbers.size - 1)
    there = numbers[place] == spectra
    return np.where(there, flat_cell.y[place], 0.0), np.where(there, flat_cell.error[place] ** 2, 0.0)


def direct_ratio(direct: Curve, wavelengths: Floats) -> tuple[Floats, Floats]:
    """Return the detector's efficiency over the monitor's in bins of wavelength, and its variance.

    The points of the file are values of a curve: they are averaged over a bin, not added up.

    Raises
    ------
    BadInput
        If the file does not cover the wavelengths.
    """
    edges = edges_around(direct.x)
    if wavelengths[0] < edges[0] or wavelengths[-1] > edges[-1]:
        raise BadInput(
            f"the direct beam covers {edges[0]:.3g} to {edges[-1]:.3g} Angstrom, not "
            f"{wavelengths[0]:g} to {wavelengths[-1]:g}",
            field="wavelength-range",
            remedy="choose a smaller range",
        )
    return rebin_distribution(edges, direct.y, direct.error**2, wavelengths)


def weigh_wavelengths(
    run: Run, period: int, recipe: Recipe, direct: Curve, transmission: tuple[Floats, Floats] | None
) -> tuple[Floats, Floats]:
    """Return incident monitor times direct beam times transmission, float64 [wavelength], and the variance."""
    instrument = recipe.instrument
    number = instrument.incident_monitor
    treatment = Treatment.of(recipe.user, instrument)
    position = instrument.monitors[number]
    if instrument.monochromatic:
        incident = run.spectrum(number, period), np.zeros(1)
    else:
        incident = monitor(run, number, position, recipe.wavelengths, treatment, period)
    factors = [
        incident,
        direct_ratio(direct, recipe.wavelengths),
    ]
    if transmission is not None:
        factors.append(transmission)
    product = np.prod([values for values, _ in factors], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = sum(np.where(values > 0, variance / values**2, 0.0) for values, variance in factors)
    return product, product**2 * relative


def reduce_run(
    run: Run,
    period: int,
    bank: Bank,
    recipe: Recipe,
    weighted: Weighted,
    beam: tuple[Floats, Floats],
    *,
    in_plane: bool = False,
) -> Floats:
    """Sum a run's counts, and what they are to be divided by, over bins.

    Parameters
    ----------
    run, period, bank
        What was measured, and where.
    weighted, beam
        From `weigh_pixels` and `weigh_wavelengths`.
    in_plane
        Over cells of Qx and Qy in place of bins of Q.

    Returns
    -------
    float64 [4, band, Q] or [5, Qy, Qx]
        See `kernel.sum_in_q` and `kernel.sum_in_plane`.

    Raises
    ------
    BadInput
        If the run does not have the bank's spectra.
    """
    rows = run.places(weighted.pixels.spectra)
    if np.any(rows < 0):
        missing = int(np.count_nonzero(rows < 0))
        raise BadInput(
            f"run {run.number} lacks {missing} of {rows.size} spectra of the {bank.title}",
            file=run.path,
            remedy="give a scattering run of this instrument",
        )
    pixels = weighted.pixels
    spread = resolution.wavelength_variance(
        recipe.wavelengths, float(np.mean(pixels.flight)), recipe.collimation.moderator
    )
    given = (
        run.read(period), rows, run.times, masked_times(run.times, recipe.user.masked_times),
        pixels.x, pixels.y, pixels.z, pixels.flight, weighted.weight, weighted.variance,
        recipe.wavelengths, *beam, weighted.angle_variance, spread,
    )  # fmt: skip
    if in_plane:
        assert recipe.qxy_edges is not None  # noqa: S101 - the caller looked
        cells = recipe.qxy_edges.size - 1
        sums = np.zeros((5, cells, cells))
        sum_in_plane(*given, recipe.qxy_edges, recipe.gravity, sums)
    else:
        sums = np.zeros((4, int(recipe.band.max()) + 1, recipe.q_edges.size - 1))
        sum_in_q(*given, recipe.band, recipe.q_edges, recipe.gravity, sums)
    return sums


def absolute_scale(scale: float, area: float, thickness: float, *, over_pi: bool = True) -> float:
    """Return what counts over norm are multiplied by to give 1/cm.

    Parameters
    ----------
    scale
        The instrument's factor, from a standard of known scattering.
    area, thickness
        Of the sample in the beam, mm2 and mm.
    over_pi
        Whether the instrument counts its factor so.
    """
    return scale * 100 / (np.pi if over_pi else 1.0) / (area * thickness)
