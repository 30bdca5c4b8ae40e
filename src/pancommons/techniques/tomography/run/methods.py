"""The methods of reconstruction a run can choose from: how each is made, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pancommons.techniques.tomography import fourier, iterative
from pancommons.techniques.tomography.fourier import FourierReconstruction, Region
from pancommons.techniques.tomography.iterative import IterativeReconstruction

if TYPE_CHECKING:
    from pancommons.techniques.tomography.pipeline import TomographyParameters

Reconstruction = FourierReconstruction | IterativeReconstruction


def settings(parameters: TomographyParameters, tv_weight: float | None) -> tuple[object, ...]:
    """Return the parameters that a method depends on, beside angles, width, centre and region."""
    p = parameters
    if p.method == "fourier":
        return p.method, p.mask, p.filter, p.padding
    return p.method, p.mask, p.iterations, p.non_negative, tv_weight if p.method == "tv" else None


def make(
    parameters: TomographyParameters,
    angles: NDArray[np.float64],
    width: int,
    centre: float,
    region: Region,
    tv_weight: float | None,
) -> Reconstruction:
    """Return the reconstruction of a geometry by the method chosen.

    Parameters
    ----------
    parameters
        Of the run.
    angles
        float64 [angle], radians.
    width, centre, region
        Columns of a sinogram, column of the axis, part of a slice, as in `FourierReconstruction`.
    tv_weight
        The weight of the total variation, given or found; only for the method ``tv``.
    """
    p, mask = parameters, parameters.mask or None
    if p.method == "fourier":
        return FourierReconstruction(
            angles, width, centre=centre, filter=p.filter, padding=p.padding, region=region, mask=mask
        )
    return IterativeReconstruction(
        angles, width, centre=centre, method=p.method, iterations=iterations(parameters),
        non_negative=p.non_negative, tv_weight=tv_weight, region=region, mask=mask,
    )  # fmt: skip


def iterations(parameters: TomographyParameters) -> int:
    """Return how many iterations there are at most; 0 for the method that has none."""
    if parameters.method == "fourier":
        return 0
    return iterative.ITERATIONS[parameters.method] if parameters.iterations == "auto" else parameters.iterations


def cost(parameters: TomographyParameters, width: int, angles: int, slices: int) -> tuple[int, float]:
    """Return the bytes that a batch takes, sinograms and result included, and about the seconds a slice takes."""
    method = parameters.method
    if method == "fourier":
        memory = fourier.working_bytes(width, angles, slices) + fourier.geometry_bytes(width, angles)
        return memory, 1.2e-8 * width * angles + 1.2e-8 * width * width
    memory = iterative.working_bytes(width, angles, slices, method=method) + iterative.geometry_bytes(width, angles)
    return memory, iterative.seconds(width, angles, iterations(parameters), method=method)
