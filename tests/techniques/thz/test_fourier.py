"""The spectrum of known waves, and its noise."""

from __future__ import annotations

import numpy as np
import pytest

from pancommons.techniques.thz.fourier import spectrum
from pancommons.techniques.thz.quality import score

TIMES = np.arange(1000) * 0.02 + 350.01


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "tukey", "none"])
def test_a_wave_has_its_frequency_and_amplitude(window: str) -> None:
    found = spectrum(TIMES, 3 + 0.4 * np.cos(2 * np.pi * 0.83 * TIMES), np.full(1000, 0.01), window=window, padding=8)
    assert found is not None
    assert found.peak() == pytest.approx(0.83, abs=0.002)
    assert found.amplitude.max() == pytest.approx(0.4, rel=0.02)
    assert found.resolution == pytest.approx(0.05)


def test_noise_stands_where_it_is_expected() -> None:
    noise = np.random.default_rng(1).normal(0, 0.3, (60, 1000))
    found = [spectrum(TIMES, one, np.full(1000, 0.3)) for one in noise]
    mean = np.mean([one.amplitude[200:].mean() for one in found if one])
    assert found[0] is not None and mean == pytest.approx(found[0].noise, rel=0.05)


def test_gaps_and_tails() -> None:
    trace = np.cos(2 * np.pi * 0.7 * TIMES)
    trace[400:403] = np.nan
    trace[:60] = trace[-50:] = np.nan
    trace[5] = trace[-3] = 9.0
    found = spectrum(TIMES, trace, np.where(np.isfinite(trace), 0.1, np.nan))
    assert found is not None and found.filled == 3
    assert found.start == pytest.approx(TIMES[60] - 0.01) and found.stop == pytest.approx(TIMES[949] + 0.01)
    assert found.peak() == pytest.approx(0.7, abs=0.003)
    some = spectrum(TIMES, trace, np.full(1000, 0.1), limits=(355, 360))
    assert some is not None and some.resolution == pytest.approx(0.2, rel=0.02)
    assert spectrum(TIMES, np.full(1000, np.nan), np.full(1000, np.nan)) is None
    assert spectrum(TIMES[:5], trace[100:105], np.full(5, 0.1)) is None


def test_a_score_finds_scale_and_shift() -> None:
    random = np.random.default_rng(2)
    true_times = np.arange(340, 380, 0.005)

    def wave(times: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((times - 360) / 2) ** 2) * np.cos(4.4 * (times - 360))

    edges = np.arange(350, 370, 0.02)
    centres = (edges[1:] + edges[:-1]) / 2
    error = np.full(len(centres), 0.02)
    measured = 0.9 * wave(centres - 0.012) + 0.3 + random.normal(0, 0.02, len(centres))
    measured[::50] = np.nan
    found = score(edges, measured, error, true_times, wave(true_times))
    assert found is not None
    assert found.scale == pytest.approx(0.9, abs=0.01)
    assert found.shift == pytest.approx(0.012, abs=0.002)
    assert found.level == pytest.approx(0.3, abs=0.003)
    assert found.chi_squared == pytest.approx(1, abs=0.15)
