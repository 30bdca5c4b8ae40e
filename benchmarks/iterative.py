"""Iterative tomography: a hundred iterations of one slice of full size, and the gain where projections are missing.

CPU seconds of one thread, compiled before the clock starts. The geometry's preparation, which a scan needs once, is in
the detail. The documentation of TomoPy gives 6.5 hours of a CPU and 40 s of a V100 for a hundred iterations of SIRT at
this size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import Row, cpu_seconds
from pancommons.techniques.tomography.fourier import reconstruct
from pancommons.techniques.tomography.iterative import METHODS, IterativeReconstruction, Method, reconstruct_iteratively
from pancommons.techniques.tomography.quality.truth import psnr
from pancommons.techniques.tomography.simulation import phantom

WIDTH, ANGLES, ITERATIONS = 2048, 1500, 100


def measure() -> Iterator[Row]:
    """Return the rows for iterative tomography."""
    yield from _time()
    yield from _quality()


def _time() -> Iterator[Row]:
    angles = np.arange(ANGLES) * np.pi / ANGLES
    ellipses = phantom.cross_section(phantom.shepp_logan(0), 0, 1, WIDTH)
    sinogram = phantom.sinogram(ellipses, angles, WIDTH, supersampling=2)[None]
    truth = phantom.image(ellipses, WIDTH)
    for method in METHODS:
        yield _hundred(method, sinogram, angles, truth)


def _hundred(
    method: Method, sinogram: NDArray[np.float32], angles: NDArray[np.float64], truth: NDArray[np.float32]
) -> Row:
    def geometry(iterations: int) -> IterativeReconstruction:
        return IterativeReconstruction(
            angles, WIDTH, method=method, iterations=iterations, non_negative=method != "cgls", tv_weight=0.003,
            tolerance=0.0,
        )  # fmt: skip

    geometry(2)(sinogram)
    preparation = cpu_seconds(lambda: geometry(2))
    solve, residuals = geometry(ITERATIONS), np.empty((1, ITERATIONS), np.float32)
    slices = np.empty((1, WIDTH, WIDTH), np.float32)
    spent = cpu_seconds(lambda: solve(sinogram, slices, residuals=residuals))
    return Row(
        f"{WIDTH} x {ANGLES}, {ITERATIONS} iterations of {method}, one slice alone, s",
        spent,
        20 if method == "cgls" else 40,
        at_least=False,
        detail=f"{preparation:.1f} s before; residual {residuals[0, -1]:.1e}, {psnr(slices[0], truth):.1f} dB",
    )


def _quality() -> Iterator[Row]:
    width = 256
    ellipses = phantom.cross_section(phantom.shepp_logan(0), 0, 1, width)
    truth = phantom.image(ellipses, width)
    random = np.random.default_rng(1)
    cases = {
        "60 degrees missing": (np.deg2rad(np.arange(30, 150)), 0.0, 3.0),
        "45 angles": (np.arange(45) * np.pi / 45, 0.0, 10.0),
        "45 angles, 1 % noise": (np.arange(45) * np.pi / 45, 0.01, 10.0),
    }
    for name, (angles, noise, bar) in cases.items():
        clean = phantom.sinogram(ellipses, angles, width)
        measured = (clean + random.normal(0, noise * clean.max(), clean.shape)).astype(np.float32)[None]
        fbp = psnr(reconstruct(measured, angles)[0], truth)
        found = {m: psnr(reconstruct_iteratively(measured, angles, method=m).slices[0], truth) for m in METHODS}
        yield Row(
            f"{name}, {width} pixels: TV over FBP, dB",
            found["tv"] - fbp,
            bar,
            detail=f"FBP {fbp:.1f}, " + ", ".join(f"{method} {value:.1f}" for method, value in found.items()),
        )
