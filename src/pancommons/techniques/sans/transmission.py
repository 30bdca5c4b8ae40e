"""The transmission of a sample: two monitors, with the sample and without it, and a smooth curve through the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.binning import centres
from pancommons.techniques.sans.instrument import Instrument
from pancommons.techniques.sans.monitors import Treatment, monitor
from pancommons.techniques.sans.run import Run
from pancommons.techniques.sans.user_file import Fit

Floats = NDArray[np.float64]
_TOLERATED = 0.02
"""A mean transmission may be above 1 by this much, if only by chance or a slightly different beam."""


@dataclass(frozen=True)
class Transmission:
    """A measured transmission: float64 [wavelength] each; `edges` has one more, Angstrom."""

    edges: Floats
    values: Floats
    variance: Floats

    def __post_init__(self) -> None:
        if not np.any(self.usable):
            raise ValueError("no wavelength with counts in all four monitors")

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Return bool [wavelength]: where it can be fitted."""
        return (self.values > 0) & (self.variance > 0) & np.isfinite(self.values) & np.isfinite(self.variance)

    @property
    def mean(self) -> tuple[float, float]:
        """Return the mean, weighted by 1 / variance, and its standard uncertainty."""
        weights = 1 / self.variance[self.usable]
        return float(np.average(self.values[self.usable], weights=weights)), float(weights.sum() ** -0.5)


def transmission(sample: Run, direct: Run, instrument: Instrument, edges: Floats, treatment: Treatment) -> Transmission:
    """Work out T = (S3 / D3) (D2 / S2): monitor 3 behind the sample over monitor 2 before it, against the direct beam.

    Parameters
    ----------
    sample, direct
        Transmission runs with and without the sample.
    edges
        float64 [wavelength + 1], Angstrom.

    Raises
    ------
    BadInput
        If a run is no transmission run of the instrument, lacks a monitor, or the result is above 1.
    """
    before, behind = instrument.incident_monitor, instrument.transmission_monitor
    counted = {}
    for name, run in (("sample", sample), ("direct", direct)):
        if run.spectra.size > instrument.most_transmission_spectra:
            raise BadInput(
                f"run {run.number} has {run.spectra.size} detector spectra, so it is a scattering run; "
                f"a transmission run was expected, in which monitor {behind} stands behind the sample",
                file=run.path,
                remedy="check which run has which role",
            )
        for number in (before, behind):
            counted[name, number] = monitor(run, number, instrument.monitors[number], edges, treatment)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (
            counted["sample", behind][0]
            / counted["direct", behind][0]
            * counted["direct", before][0]
            / counted["sample", before][0]
        )
        relative = sum(variance / counts**2 for counts, variance in counted.values())
        variance = values**2 * relative
    try:
        found = Transmission(edges, values, np.asarray(variance))
    except ValueError as error:
        raise BadInput(f"there is {error}", file=sample.path, remedy="check the transmission runs") from None
    not_above_one(*found.mean, sample.path, direct.path.name)
    return found


def not_above_one(mean: float, error: float, file: Path, against: str) -> None:
    """Refuse a transmission that is above 1 by more than chance.

    Raises
    ------
    BadInput
        If it is.
    """
    if mean - 3 * error > 1 + _TOLERATED:
        raise BadInput(
            f"the transmission against {against} is {mean:.3f} +- {error:.3f}, above 1",
            file=file,
            remedy="check that the runs are not swapped and were measured with the same beam",
        )


def fitted(measured: Transmission, fit: Fit, at: Floats) -> tuple[Floats, Floats]:
    """Return a smooth transmission, with its variance, at the middles of other bins.

    Parameters
    ----------
    measured
        What was measured.
    fit
        ``log``: a straight line through log10 T; ``polynomial`` of an order; ``none``: between the points.
    at
        float64 [wavelength + 1], Angstrom.

    Raises
    ------
    BadInput
        If there are too few points, or the curve leaves what a transmission can be.
    """
    x, wanted, use = centres(measured.edges), centres(at), measured.usable
    if fit.range is not None:
        use = use & (x >= fit.range[0]) & (x <= fit.range[1])
    values, variance = measured.values[use], measured.variance[use]
    if fit.method == "none":
        return np.interp(wanted, x[use], values), np.interp(wanted, x[use], variance)
    order = 1 if fit.method == "log" else fit.order
    if values.size <= order + 1:
        raise BadInput(f"{values.size} wavelengths are too few to fit the transmission to", field="transmission-fit")
    if fit.method == "log":
        scaled, error = np.log10(values), np.sqrt(variance) / values / np.log(10)
    else:
        scaled, error = values, np.sqrt(variance)
    coefficients, covariance = np.polyfit(x[use], scaled, order, w=1 / error, cov="unscaled")
    powers = np.vander(wanted, order + 1)
    curve, spread = powers @ coefficients, np.einsum("ij,jk,ik->i", powers, covariance, powers)
    if fit.method == "log":
        curve = 10**curve
        spread = spread * (curve * np.log(10)) ** 2
    if np.any(curve <= 0):
        raise BadInput(
            "the fitted transmission is not above 0 everywhere",
            field="transmission-fit",
            remedy="choose another fit or wavelength range",
        )
    return curve, spread
