"""Curves by which a reconstruction is judged in the report: resolution, and the convergence of an iteration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from pancommons.pipelines.declaration import Figure, Found
from pancommons.pipelines.job import Job
from pancommons.techniques.tomography.quality.resolution import odd_and_even

_BLUE, _RED = "#1f5f99", "#b3401f"
_LEAST_ANGLES, _LEAST_PIXELS = 8, 32

Reconstruct = Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.float32]]


def resolution(
    reconstruct: Reconstruct, sinograms: NDArray[np.float32], angles: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[dict[str, Found], dict[str, NDArray[np.float64]]]:
    """Return what a run finds out about its resolution: a value in pixels, if there is one, and the curve.

    Parameters
    ----------
    reconstruct
        Makes slices of sinograms and angles.
    sinograms
        float32 [slice, angle, column], of some rows.
    angles
        float64 [angle], radians.
    shape
        Rows and columns of a slice. Nothing is found out of less than 8 projections or 32 pixels.
    """
    if angles.size < _LEAST_ANGLES or min(shape) < _LEAST_PIXELS:
        return {}, {}
    found = odd_and_even(reconstruct, sinograms, angles)
    arrays = {"resolution": np.stack([found.frequency, found.correlation, found.threshold])}
    if found.pixels is None:
        return {}, arrays
    method = f"odd and even projections of {len(sinograms)} rows, half-bit threshold"
    return {"resolution": Found(found.pixels, method, None, "pixel")}, arrays


def resolution_figure(job: Job, folder: Path) -> list[Figure]:
    """Draw the Fourier ring correlation, where it was worked out."""
    if "resolution" not in job.arrays:
        return []
    frequency, correlation, threshold = job.arrays["resolution"]
    drawing = Drawing(figsize=(11, 3.4), layout="constrained")
    axis = drawing.subplots()
    axis.plot(frequency, correlation, color=_BLUE, lw=1.4, label="odd against even projections")
    axis.plot(frequency, threshold, color=_RED, lw=1.2, ls="--", label="half-bit threshold")
    axis.axhline(0.143, color="#777777", lw=0.9, ls=":", label="0.143")
    words = "It stays above, or below, all along."
    if "resolution" in job.found:
        pixels = float(job.found["resolution"].value)
        axis.axvline(1 / pixels, color="#777777", lw=0.9)
        size = job.value("pixel_size")
        length = "" if size == "auto" else f", {pixels * float(size):.3g} um"
        words = f"The resolution is {pixels:.2f} pixels{length}."
    axis.set(xlabel="spatial frequency (1/pixel)", ylabel="Fourier ring correlation", xlim=(0, 0.5), ylim=(-0.15, 1.05))
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, loc="lower left")
    drawing.savefig(folder / "resolution.png", dpi=110)
    return [
        Figure(
            "resolution.png",
            "Resolution",
            f"Slices of the odd and of the even projections compared, frequency by frequency. {words}",
            f"A curve falling from 1 with the spatial frequency, and a threshold. {words}",
        )
    ]


def convergence_figure(job: Job, folder: Path) -> list[Figure]:
    """Draw the residual of a slice against the iteration, where there was one."""
    if "residuals" not in job.arrays:
        return []
    residuals = job.arrays["residuals"]
    residuals = residuals[np.isfinite(residuals)]
    if residuals.size == 0:
        return []
    drawing = Drawing(figsize=(11, 3.0), layout="constrained")
    axis = drawing.subplots()
    axis.plot(np.arange(1, residuals.size + 1), np.maximum(residuals, 1e-4), color=_BLUE, lw=1.4, marker=".", ms=4)
    axis.set(xlabel="iteration", ylabel="residual", yscale="log")
    axis.grid(alpha=0.3, which="both")
    drawing.savefig(folder / "convergence.png", dpi=110)
    text = f"after {residuals.size} iterations {residuals[-1]:.2g} of the measurement is not explained"
    return [
        Figure(
            "convergence.png",
            "Convergence",
            f"The distance of a middle row's projections to its sinogram, relative to the sinogram: {text}.",
            f"A falling curve: {text}.",
        )
    ]
