"""Tomography against algotom: reconstruction per slice, the rotation axis, phase retrieval, and the accuracy of each.

The same sinograms for all, one thread unless said, compiled before the clock starts. The geometry's preparation, which
a scan needs once, is not counted for ours, as algotom's is not separable; it is given in the detail.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from benchmarks import Row, cpu_seconds
from pancommons.techniques.tomography.fourier import BATCH, FourierReconstruction, lanes
from pancommons.techniques.tomography.fourier.sizes import Sizes
from pancommons.techniques.tomography.geometry.centre import find_centre
from pancommons.techniques.tomography.phase import paganin
from pancommons.techniques.tomography.quality.truth import inside, psnr
from pancommons.techniques.tomography.simulation import phantom

WIDTH, ANGLES = 1024, 900
LARGE = 2048, 1500
_LINES = 64


def measure() -> Iterator[Row]:
    """Return the rows for tomography."""
    warnings.simplefilter("ignore")
    yield from _reconstruction()
    yield from _transforms()
    yield _two_threads()
    yield _large()
    yield from _centre()
    yield _phase()


def _reconstruction() -> Iterator[Row]:
    import algotom.rec.reconstruction as algotom

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

    for name, peer, bar, times in (("FBP", fbp, 60, 2), ("DFI", dfi, 30, 3)):
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


def _batch(width: int, angles: int, batches: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return angles and so many batches of one sinogram [slice, angle, column]."""
    theta = np.arange(angles) * np.pi / angles
    one = phantom.sinogram(phantom.cross_section(phantom.shepp_logan(0), 0, 1, width), theta, width)
    return theta, np.repeat(one[None], batches * BATCH, axis=0)


def _transforms() -> Iterator[Row]:
    """Compare a reconstruction with nothing but its Fourier transforms: by its own kernel in the cache, by scipy's."""
    theta, sinograms = _batch(WIDTH, ANGLES)
    geometry, sizes = FourierReconstruction(theta, WIDTH), Sizes.of(WIDTH)
    counts = {sizes.filter: 2 * ANGLES, sizes.spectrum: ANGLES, sizes.grid: sizes.grid + WIDTH}
    slices = geometry(sinograms)
    x, y = (lanes.aligned(sizes.buffer) for _ in range(2))
    stacks = {length: np.zeros((_LINES, length), np.complex64) for length in counts}

    def own() -> None:
        for length, count in counts.items():
            plan = lanes.plan(length)
            _again(x, y, plan.passes, plan.twiddles, count)

    def library() -> None:
        for length, count in counts.items():
            for _ in range(count * BATCH // 2 // _LINES):
                scipy.fft.fft(stacks[length], overwrite_x=True, workers=1)

    own()
    whole, alone, peer = [], [], []
    for _ in range(7):
        whole.append(cpu_seconds(lambda: geometry(sinograms, slices)))
        alone.append(cpu_seconds(own))
        peer.append(cpu_seconds(library))
    for name, seconds in (("its own transforms", alone), ("these by scipy.fft", peer)):
        ratio = median(one / two for one, two in zip(whole, seconds, strict=True))
        detail = f"{median(whole) / BATCH * 1e3:.2f} ms and {median(seconds) / BATCH * 1e3:.2f} ms"
        yield Row(f"{WIDTH} x {ANGLES}, time of a slice over {name}", ratio, 1.5, at_least=False, detail=detail)


@njit(nogil=True, error_model="numpy")
def _again(x, y, passes, twiddles, times):  # type: ignore[no-untyped-def]
    """Transform cells, which are zero lest they grow, so many times."""
    x[:] = 0
    for _ in range(times):
        lanes.transform(x, y, passes, twiddles, np.int64(0))


def _two_threads() -> Row:
    """Compare two threads with one, by the clock on the wall, in seven pairs of runs."""
    theta, sinograms = _batch(WIDTH, ANGLES, 4)
    geometry = FourierReconstruction(theta, WIDTH)
    slices = np.empty((len(sinograms), WIDTH, WIDTH), np.float32)
    starts = range(0, len(sinograms), BATCH)

    def seconds(threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            list(pool.map(lambda at: geometry(sinograms[at : at + BATCH], slices[at : at + BATCH]), starts))
            return time.perf_counter() - start

    seconds(2)
    gains = [seconds(1) / seconds(2) for _ in range(7)]
    spread = f"{min(gains):.2f} to {max(gains):.2f}"
    return Row(f"{WIDTH} x {ANGLES}, two threads over one, median of 7 pairs", median(gains), 1.5, detail=spread)


def _large() -> Row:
    import algotom.rec.reconstruction as algotom

    width, angles = LARGE
    theta, sinograms = _batch(width, angles)
    geometry = FourierReconstruction(theta, width)
    slices = geometry(sinograms)
    ours = cpu_seconds(lambda: geometry(sinograms, slices), 5) / BATCH

    def dfi() -> NDArray[np.float32]:
        return algotom.dfi_reconstruction(
            sinograms[0], (width - 1) / 2, angles=theta, ratio=None, filter_name="ramp", apply_log=False, ncore=1
        )

    dfi()
    theirs = cpu_seconds(dfi, 3)
    return Row(
        f"{width} x {angles}, times faster per slice than algotom DFI",
        theirs / ours,
        45,
        detail=f"{ours * 1e3:.1f} ms and {theirs * 1e3:.0f} ms",
    )


def _phase() -> Row:
    import algotom.prep.filtering as algotom

    projection = np.random.default_rng(1).uniform(0.5, 1, (WIDTH, WIDTH)).astype(np.float32)
    optics = {"pixel_size": 1e-6, "distance": 0.05, "energy": 20.0, "delta_beta": 100.0}
    frames = np.repeat(projection[None], 4, axis=0)

    def ours() -> None:
        paganin(frames, **optics, out=result)

    def theirs() -> None:
        algotom.fresnel_filter(projection, 100, dim=2, pad=150, apply_log=False)

    result = np.empty_like(frames)
    ours()
    theirs()
    own, peer = cpu_seconds(ours, 5) / len(frames), cpu_seconds(theirs, 5)
    return Row(
        f"{WIDTH} x {WIDTH}, phase of a projection, times faster than algotom's Fresnel filter",
        peer / own,
        5,
        detail=f"{own * 1e3:.1f} ms and {peer * 1e3:.0f} ms (150 pixels of padding)",
    )


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
        30,
        detail=f"{ours:.3f} s and {peer:.1f} s",
    )
    yield Row(
        "axis with noise and stripes, largest error, pixels",
        max(map(abs, own)),
        0.25,
        at_least=False,
        detail=f"ours {', '.join(f'{e:+.3f}' for e in own)}; algotom {', '.join(f'{e:+.3f}' for e in theirs)}",
    )
