"""Ring removal against algotom: time per sinogram, agreement of all stripes, and the chain from counts to slice.

The same sinograms for all, one thread, compiled before the clock starts; the best of several CPU times. The published
form of each method (without the guard) is what is compared; the detail gives the guarded one, the default, as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import Row, cpu_seconds
from pancommons.techniques.tomography.correction.attenuation import attenuation, flat_field
from pancommons.techniques.tomography.fourier import BATCH, FourierReconstruction
from pancommons.techniques.tomography.rings import METHODS, remove_rings
from pancommons.techniques.tomography.simulation import phantom

WIDTH, ANGLES, PHOTONS = 1024, 900, 20000


def measure() -> Iterator[Row]:
    """Return the rows for ring removal."""
    warnings.simplefilter("ignore")
    sinogram = _striped()
    yield from _methods(sinogram)
    yield _agreement(sinogram)
    yield _chain(sinogram)


def _striped() -> NDArray[np.float32]:
    """Return a sinogram [angle, column] with photon noise and small, large, dead and fluctuating stripes."""
    random = np.random.default_rng(1)
    angles = np.arange(ANGLES) * np.pi / ANGLES
    clean = phantom.sinogram(phantom.cross_section(phantom.shepp_logan(0), 0, 1, WIDTH), angles, WIDTH)
    gain = np.exp(random.normal(0, 0.02, WIDTH))
    gain[300:306] *= 0.7
    light = random.poisson(PHOTONS * np.exp(-2 / clean.max() * clean.astype(np.float64))) / PHOTONS * gain
    light[:, 600] = 0.4
    light[:, 700] *= np.exp(random.normal(0, 0.4, ANGLES))
    return -np.log(np.maximum(light, 1e-4)).astype(np.float32)


def _best(work: Callable[[], Any], times: int) -> float:
    return min(cpu_seconds(work) for _ in range(times))


def _methods(sinogram: NDArray[np.float32]) -> Iterator[Row]:
    import algotom.prep.removal as algotom

    peers: dict[str, tuple[Callable[[NDArray[np.float32]], Any], float]] = {
        "fourier-wavelet": (algotom.remove_stripe_based_wavelet_fft, 4),
        "titarenko": (algotom.remove_stripe_based_regularization, 4),
        "sorting": (algotom.remove_stripe_based_sorting, 5),
        "all": (algotom.remove_all_stripe, 5),
    }
    stack, transmission = sinogram[None], np.exp(-sinogram)
    for method in METHODS:
        peer, bar = peers[method]
        for guard in (True, False):
            remove_rings(stack, method, guard=guard)
        ours = _best(lambda m=method: remove_rings(stack, m, guard=False), 7)
        guarded = _best(lambda m=method: remove_rings(stack, m), 7)
        theirs = _best(lambda p=peer: p(transmission), 3)
        yield Row(
            f"{WIDTH} x {ANGLES}, {method}, times faster than algotom",
            theirs / ours,
            bar,
            detail=f"{ours * 1e3:.1f} ms (guarded {guarded * 1e3:.1f} ms) and {theirs * 1e3:.0f} ms",
        )


def _agreement(sinogram: NDArray[np.float32]) -> Row:
    import algotom.prep.removal as algotom

    theirs = algotom.remove_all_stripe(np.exp(-sinogram), snr=3.0, la_size=51, sm_size=21, drop_ratio=0.1)
    ours = np.exp(-remove_rings(sinogram[None], "all", guard=False)[0])
    apart = np.abs(ours - theirs) / np.ptp(theirs)
    return Row(
        "all stripes, largest difference in transmission, % of range",
        100 * float(apart.max()),
        1,
        at_least=False,
        detail=f"root mean square {100 * float(np.sqrt(np.mean(apart**2))):.4f} %, same parameters",
    )


def _chain(sinogram: NDArray[np.float32]) -> Row:
    import algotom.prep.correction as correction
    import algotom.prep.removal as removal
    import algotom.rec.reconstruction as reconstruction

    light = np.repeat(np.exp(-sinogram)[:, None], BATCH, axis=1)
    flat, dark = np.full((BATCH, WIDTH), PHOTONS + 100.0, np.float32), np.full((BATCH, WIDTH), 100.0, np.float32)
    counts = (light * PHOTONS + 100).astype(np.uint16)
    angles = np.arange(ANGLES) * np.pi / ANGLES
    field = flat_field([flat], dark)
    geometry = FourierReconstruction(angles, WIDTH)
    sinograms = np.empty((BATCH, ANGLES, WIDTH), np.float32)
    slices = np.empty((BATCH, WIDTH, WIDTH), np.float32)

    def ours() -> None:
        attenuation(counts, field, out=sinograms)
        remove_rings(sinograms, "fourier-wavelet", out=sinograms)
        geometry(sinograms, slices)

    def theirs() -> None:
        flattened = correction.flat_field_correction(counts[:, :1], flat[:1], dark[:1])[:, 0]
        cleaned = removal.remove_stripe_based_wavelet_fft(-np.log(np.clip(flattened, 1e-4, None)))
        reconstruction.fbp_reconstruction(
            cleaned, (WIDTH - 1) / 2, angles=angles, ratio=None, filter_name="ramp", apply_log=False, gpu=False, ncore=1
        )

    ours()
    theirs()
    own, peer = _best(ours, 5) / BATCH, _best(theirs, 2)
    return Row(
        "flat, log, Fourier-wavelet and slice, times faster than algotom",
        peer / own,
        15,
        detail=f"{own * 1e3:.1f} ms (guarded) and {peer * 1e3:.0f} ms with its FBP",
    )
