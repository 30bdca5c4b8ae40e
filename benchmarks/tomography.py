"""Tomography against algotom: reconstruction per slice, the rotation axis, and the accuracy of both.

The same sinograms for all, one thread, compiled before the clock starts. The geometry's preparation, which a scan needs
once, is not counted for ours, as algotom's is not separable; it is given in the detail.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import Row, cpu_seconds
from pancommons.techniques.tomography.fourier import BATCH, FourierReconstruction
from pancommons.techniques.tomography.geometry.centre import find_centre
from pancommons.techniques.tomography.quality.truth import inside, psnr
from pancommons.techniques.tomography.simulation import phantom

WIDTH, ANGLES = 1024, 900


def measure() -> Iterator[Row]:
    """Return the rows for tomography."""
    yield from _reconstruction()
    yield from _centre()


def _reconstruction() -> Iterator[Row]:
    import algotom.rec.reconstruction as algotom

    warnings.simplefilter("ignore")
    angles = np.arange(ANGLES) * np.pi / ANGLES
    bodies = phantom.shepp_logan(0)
    shape = (2 * BATCH, WIDTH)
    rows = range(BATCH // 2, BATCH // 2 + BATCH)
    sinograms = phantom.sinograms(bodies, angles, rows, shape, supersampling=2)
    ellipses = phantom.cross_section(bodies, 0, 1, WIDTH)
    sinograms[0] = phantom.sinogram(ellipses, angles, WIDTH)
    truth = phantom.image(ellipses, WIDTH)
    middle = (WIDTH - 1) / 2

    geometry = FourierReconstruction(angles, WIDTH)
    preparation = cpu_seconds(lambda: FourierReconstruction(angles, WIDTH))
    slices = geometry(sinograms)
    ours = cpu_seconds(lambda: geometry(sinograms, slices), 7) / BATCH

    def fbp(index: int = 0) -> NDArray[np.float32]:
        return algotom.fbp_reconstruction(
            sinograms[index], middle, angles=angles, ratio=None, filter_name="ramp", apply_log=False, gpu=False, ncore=1
        )

    def dfi(index: int = 0) -> NDArray[np.float32]:
        return algotom.dfi_reconstruction(
            sinograms[index], middle, angles=angles, ratio=None, filter_name="ramp", apply_log=False, ncore=1
        )

    for name, peer, bar, times in (("FBP", fbp, 50, 2), ("DFI", dfi, 30, 3)):
        theirs = peer()
        seconds = cpu_seconds(peer, times)
        yield Row(
            f"{WIDTH} x {ANGLES}, times faster per slice than algotom {name}",
            seconds / ours,
            bar,
            detail=f"{ours * 1e3:.2f} ms and {seconds * 1e3:.0f} ms (preparation {preparation:.2f} s once); "
            f"{psnr(slices[0], truth):.2f} dB and {psnr(theirs, truth):.2f} dB",
        )
    yield Row("PSNR inside 0.95, plain ramp, dB", psnr(slices[0], truth), 40.5)
    disc = phantom.sinogram(phantom.disc(1.0, 0.8), angles, WIDTH)
    mean = float(geometry(disc[None])[0][inside(WIDTH, 0.7)].mean(dtype=np.float64))
    yield Row("mean of a uniform disc, % off", 100 * abs(mean - 1), 0.5, at_least=False)
    changed = sinograms.copy()
    changed[1] = sinograms[7, ::-1]
    talk = float(np.abs(geometry(changed)[0] - slices[0]).max() / slices[0].max())
    yield Row("cross-talk of a pair, of the maximum", talk, 1e-5, at_least=False)


def _centre() -> Iterator[Row]:
    import algotom.prep.calculation as algotom

    random = np.random.default_rng(1)
    angles = np.linspace(0, np.pi, ANGLES + 1)
    ellipses = phantom.cross_section(phantom.shepp_logan(3), 0, 1, WIDTH)
    ratios, own, theirs = [], [], []
    for centre in (511.5, 530.25, 497.0):
        clean = phantom.sinogram(ellipses, angles, WIDTH, centre=centre)
        clean *= 2 / clean.max()
        counts = random.poisson(1000 * np.exp(-clean))
        stripes = random.normal(0, 0.02, WIDTH)
        sinogram = (-np.log(np.maximum(counts, 0.5) / 1000) + stripes).astype(np.float32)
        found = find_centre(sinogram, angles)
        ours = cpu_seconds(lambda s=sinogram: find_centre(s, angles), 5)
        start = cpu_seconds(lambda s=sinogram: theirs.append(algotom.find_center_vo(s, ncore=1)))
        theirs[-1] -= centre
        ratios.append((start / ours, ours, start))
        own.append(found.value - centre)
    ratio, ours, peer = min(ratios)
    yield Row(
        f"{WIDTH} x {ANGLES + 1}, times faster than algotom find_center_vo (worst of 3)",
        ratio,
        20,
        detail=f"{ours:.3f} s and {peer:.1f} s",
    )
    yield Row(
        "axis with noise and stripes, largest error, pixels",
        max(map(abs, own)),
        0.25,
        at_least=False,
        detail=f"ours {', '.join(f'{e:+.3f}' for e in own)}; algotom {', '.join(f'{e:+.3f}' for e in theirs)}",
    )
