"""The resolution of a whole bin of Q against neutrons followed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from pancommons.techniques.sans import kernel, resolution
from pancommons.techniques.sans.binning import PLANCK_OVER_NEUTRON_MASS, Binning, centres
from pancommons.techniques.sans.detector import pixels_of
from pancommons.techniques.sans.instrument import instrument
from pancommons.techniques.sans.merge import curve_of

NEUTRONS = 1_500_000


@pytest.mark.parametrize("growth", [0.03, 0.1])
def test_a_whole_bin_within_five_percent(growth: float) -> None:
    """Many pixels and wavelengths, each with a resolution of its own, fall into a bin, which has a width as well."""
    loq = instrument("LOQ", "2012-11-05")
    pixels = pixels_of(loq.banks["rear"], loq, (317.5, 317.5), 0.0)
    waves = Binning(2.2, 10.0, 0.035, True).edges()
    edges = Binning(0.01, 0.2, growth, True).edges()
    collimation = resolution.Collimation(0.02, 0.008, loq.collimation, 50e-6)
    one, beam = np.ones(pixels.x.size), centres(waves) ** -3.0
    sums = np.zeros((4, 1, edges.size - 1))
    flight = float(np.mean(pixels.flight))
    kernel.sum_in_q(
        np.ones((1, 1), np.int32), np.zeros(one.size, np.int64), np.array([1e3, 5e4]), np.zeros(1, np.bool_),
        pixels.x, pixels.y, pixels.z, pixels.flight, one, 0 * one, waves, beam, 0 * beam,
        resolution.angle_variance(pixels, collimation),
        resolution.wavelength_variance(waves, flight, collimation.moderator),
        np.zeros(waves.size - 1, np.int64), edges, False, sums,
    )  # fmt: skip
    spread = curve_of(sums[:, 0], 1.0, np.diff(edges)).spread

    random = np.random.default_rng(3)
    pixel = random.integers(pixels.x.size, size=NEUTRONS)
    wave = random.choice(beam.size, NEUTRONS, p=beam / beam.sum())
    x, y, z = pixels.x[pixel], pixels.y[pixel], pixels.z[pixel]
    nominal = momentum(x / z, y / z, centres(waves)[wave])
    place = np.searchsorted(edges, nominal, side="right") - 1
    inside = (place >= 0) & (place < edges.size - 1)
    source, sample = (disc(random, radius, NEUTRONS) for radius in (0.01, 0.004))
    wavelength = random.uniform(waves[wave], waves[wave + 1])
    wavelength -= random.normal(0, collimation.moderator, NEUTRONS) * PLANCK_OVER_NEUTRON_MASS / pixels.flight[pixel]
    slopes = [
        (at + side * random.uniform(-0.5, 0.5, NEUTRONS) - second) / z - (second - first) / collimation.length
        for at, side, first, second in zip((x, y), pixels.size[:2], source, sample, strict=True)
    ]
    true = momentum(*slopes, wavelength)
    counted = np.bincount(place[inside], minlength=edges.size - 1)
    known = np.array([true[place == at].std() for at in range(edges.size - 1)])
    enough = counted > 2500
    assert np.count_nonzero(enough) > 0.6 * enough.size
    np.testing.assert_allclose(spread[enough], known[enough], rtol=0.05)


def momentum(right: np.ndarray, up: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    return 4 * np.pi / wavelength * np.sin(np.arctan(np.hypot(right, up)) / 2)


def disc(random: np.random.Generator, radius: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    r, angle = radius * np.sqrt(random.random(count)), 2 * np.pi * random.random(count)
    return r * np.cos(angle), r * np.sin(angle)
