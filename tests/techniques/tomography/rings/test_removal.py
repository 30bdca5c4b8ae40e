"""Each method against the stripes it is made for, in slices: simulated ones, whose truth is known, and real ones."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.fourier import FourierReconstruction
from pancommons.techniques.tomography.geometry.centre import find_centre
from pancommons.techniques.tomography.quality.truth import psnr
from pancommons.techniques.tomography.rings import METHODS, RingMethod, remove_rings, warm, working_bytes
from pancommons.techniques.tomography.rings.amplitude import ring_amplitude
from pancommons.techniques.tomography.simulation import phantom

WIDTH, ANGLES = 384, 360
PHOTONS = 20000


@cache
def geometry() -> FourierReconstruction:
    return FourierReconstruction(np.arange(ANGLES) * np.pi / ANGLES, WIDTH)


def slice_of(sinogram: np.ndarray) -> np.ndarray:
    return geometry()(np.ascontiguousarray(sinogram[None], np.float32))[0]


@cache
def clean() -> tuple[np.ndarray, np.ndarray]:
    """A sinogram with photon noise and no stripes, and the true slice."""
    ellipses = phantom.cross_section(phantom.shepp_logan(0), 0, 1, WIDTH)
    sinogram = phantom.sinogram(ellipses, np.arange(ANGLES) * np.pi / ANGLES, WIDTH).astype(np.float64)
    factor = 2 / sinogram.max()
    light = np.random.default_rng(3).poisson(PHOTONS * np.exp(-factor * sinogram)) / PHOTONS
    return -np.log(light).astype(np.float32), phantom.image(ellipses, WIDTH) * np.float32(factor)


def stripes(kind: str) -> np.ndarray:
    """Line integrals that stripes add: float32 [angle, column]."""
    random = np.random.default_rng(5)
    added = np.zeros((ANGLES, WIDTH))
    if kind == "gain":  # every pixel a little wrong
        added += random.normal(0, 0.02, WIDTH)
    elif kind == "few":  # some pixels wrong by ten per cent and more
        for column in range(20, WIDTH - 20, 17):
            added[:, column] += random.choice([-1, 1]) * random.uniform(0.1, 0.2)
    elif kind == "large":  # broad and strong
        for column in (80, 150, 260):
            added[:, column : column + 5] += random.choice([-1, 1]) * random.uniform(0.2, 0.4)
    elif kind == "dead":  # no relation to the light
        for column in (90, 170, 250, 300):
            added[:, column] += random.normal(0.3, 0.4, ANGLES)
    return added.astype(np.float32)


@pytest.mark.parametrize(
    ("method", "kind"), [("fourier-wavelet", "gain"), ("titarenko", "gain"), ("sorting", "few"), ("all", "dead")]
)
def test_rings_are_cut_by_ten(method: RingMethod, kind: str) -> None:
    """The same noise with and without stripes goes through the method: what differs is what is left of the rings."""
    sinogram, _ = clean()
    striped = sinogram + stripes(kind)
    rings = ring_amplitude(slice_of(striped) - slice_of(sinogram))
    corrected = remove_rings(np.stack([striped, sinogram]), method)
    left = ring_amplitude(slice_of(corrected[0]) - slice_of(corrected[1]))
    assert rings > 10 * left


@pytest.mark.parametrize("method", METHODS)
def test_a_sinogram_without_stripes_loses_less_than_a_decibel(method: RingMethod) -> None:
    sinogram, truth = clean()
    before = psnr(slice_of(sinogram), truth, register=False)
    after = psnr(slice_of(remove_rings(sinogram[None], method)[0]), truth, register=False)
    assert before - after < 1


@pytest.mark.parametrize("method", METHODS)
def test_the_published_methods_take_more_from_the_sample(method: RingMethod) -> None:
    sinogram, truth = clean()
    guarded, published = (remove_rings(sinogram[None], method, guard=guard)[0] for guard in (True, False))
    assert psnr(slice_of(published), truth, register=False) < psnr(slice_of(guarded), truth, register=False)


@pytest.mark.parametrize("method", METHODS)
def test_rings_of_a_neutron_scan_fade_to_a_fifth(method: RingMethod, shared_data: Callable[[str], Path]) -> None:
    light = tifffile.imread(shared_data("tomography/sinogram_360_neutron.tif")).astype(np.float32)
    sinogram = -np.log(np.maximum(light / np.percentile(light, 99), 1e-4))
    angles = np.arange(len(sinogram)) * 2 * np.pi / (len(sinogram) - 1)
    centre = find_centre(sinogram, angles).value
    reconstruct = FourierReconstruction(angles, sinogram.shape[1], centre=centre, padding="edge")
    before, after = reconstruct(np.concatenate([sinogram[None], remove_rings(sinogram[None], method)]))
    assert ring_amplitude(after) <= 0.2 * ring_amplitude(before)


def test_amplitude_is_that_of_rings_and_not_of_what_is_no_ring() -> None:
    y, x = np.indices((201, 201)) - 100
    radius = np.hypot(x, y)
    ring = np.exp(-((radius - 60) ** 2) / 2).astype(np.float32)
    # A Gaussian profile of unit width has the mean square sqrt(pi); sampled between pixels it is a little lower.
    assert ring_amplitude(ring) == pytest.approx(np.sqrt(np.sqrt(np.pi) / 90), rel=0.1)
    assert ring_amplitude(3 * ring) == pytest.approx(3 * ring_amplitude(ring), rel=1e-5)
    half = np.where(y < 0, ring, 0).astype(np.float32)
    assert ring_amplitude(half) == pytest.approx(ring_amplitude(ring) / np.sqrt(2), rel=0.05)
    line = np.exp(-((x - 40) ** 2) / 2).astype(np.float32)
    assert ring_amplitude(line) < 0.4 * ring_amplitude(ring)


@pytest.mark.parametrize("method", METHODS)
def test_a_sinogram_is_treated_by_itself_bitwise(method: RingMethod) -> None:
    sinograms = np.stack([clean()[0] + stripes(kind) for kind in ("gain", "few", "large", "dead")])[:, ::3]
    together = remove_rings(sinograms, method)
    results: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        results[index] = remove_rings(sinograms[index : index + 1], method)[0]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(4):
        np.testing.assert_array_equal(results[index], together[index])
    kept = np.ascontiguousarray(sinograms)
    assert remove_rings(kept, method, out=kept) is kept
    np.testing.assert_array_equal(kept, together)


@pytest.mark.parametrize("method", METHODS)
def test_memory_is_what_was_announced(method: RingMethod) -> None:
    warm(method)
    sinograms = np.random.default_rng(1).random((3, 300, 400), np.float32)
    announced = working_bytes(method, 300, 400)
    tracemalloc.start()
    try:
        remove_rings(sinograms, method, out=sinograms)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= announced + (1 << 20)


@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_and_the_plainest_sinograms_pass(method: RingMethod) -> None:
    for sinograms in (np.zeros((1, 8, 8)), np.full((1, 9, 31), 2.0), np.zeros((0, 40, 40))):
        result = remove_rings(sinograms, method)
        np.testing.assert_allclose(result, sinograms, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"width": 4}, "odd"),
        ({"levels": 0}, "less than 1"),
        ({"dropped": 0.95}, "too little"),
        ({"out": np.empty((1, 8, 8), np.float64)}, "contiguous"),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        remove_rings(np.zeros((1, 8, 8)), "all", **given)  # type: ignore[arg-type]


def test_wrong_sinograms_and_methods_are_refused() -> None:
    with pytest.raises(BadInput, match="angle, column"):
        remove_rings(np.zeros((8, 8)), "all")
    with pytest.raises(BadInput, match="no method"):
        remove_rings(np.zeros((1, 8, 8)), "none")  # type: ignore[arg-type]
