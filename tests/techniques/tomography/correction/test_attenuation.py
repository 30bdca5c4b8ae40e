"""Counts to line integrals, against the formula in double precision."""

import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.correction.attenuation import Repairs, attenuation, averaged, flat_field

ANGLES, ROWS, WIDTH = 12, 3, 21


def references(seed=0):
    random = np.random.default_rng(seed)
    flat = random.uniform(900, 1100, (ROWS, WIDTH)).astype(np.float32)
    dark = random.uniform(90, 110, (ROWS, WIDTH)).astype(np.float32)
    return flat, dark


def counts(dtype=np.uint16, top=900, seed=1):
    return np.random.default_rng(seed).integers(120, top, (ANGLES, ROWS, WIDTH)).astype(dtype)


def expected(values, flat, dark):
    transmission = (values.astype(np.float64) - dark) / (flat.astype(np.float64) - dark)
    return -np.log(transmission).transpose(1, 0, 2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "uint32", "float32", "float64", ">u2"])
def test_formula_and_order(dtype):
    flat, dark = references()
    values = counts(dtype, 250 if dtype == "uint8" else 900)
    result, repairs = attenuation(values, flat_field([flat], dark))
    assert result.shape == (ROWS, ANGLES, WIDTH)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected(values, flat, dark), atol=2e-6)  # float32 of numbers up to 4
    assert repairs == Repairs(values.size, 0, 0, 0)


def test_logarithm_over_its_whole_range():
    transmission = np.geomspace(1e-5, 1e6, 3001, dtype=np.float32)[None, None]
    result, _ = attenuation(transmission, flat_field([np.ones((1, 3001), np.float32)]))
    np.testing.assert_allclose(result[0, 0], -np.log(transmission[0, 0].astype(np.float64)), rtol=3e-7, atol=1e-7)


def test_averages():
    frames = np.full((5, ROWS, WIDTH), 1000, np.uint16)
    frames[2] = 0  # a closed shutter
    assert np.all(averaged(frames) == 800)
    assert np.all(averaged(frames, "median") == 1000)
    assert averaged(frames[0]).shape == (ROWS, WIDTH)
    with pytest.raises(BadInput, match="expected frames"):
        averaged(frames[:0])
    with pytest.raises(BadInput, match="there is no average"):
        averaged(frames, "mode")


def test_flats_are_interpolated_in_time():
    flat, dark = references()
    later = 1.2 * flat
    field = flat_field([later, flat], dark, [ANGLES - 0.5, -0.5])  # in any order
    values = counts()
    result, _ = attenuation(values, field)
    share = ((np.arange(ANGLES) + 0.5) / ANGLES)[:, None, None]
    np.testing.assert_allclose(result, expected(values, (1 - share) * flat + share * later, dark), atol=2e-6)
    # A part of the scan, into a part of a larger array, gives the same bits.
    whole = np.zeros((ROWS, ANGLES, WIDTH), np.float32)
    for start in (0, 5):
        part = slice(start, (start or 5) + (7 if start else 0))
        attenuation(values[part], field, first=start, out=whole[:, part])
    np.testing.assert_array_equal(whole, result)
    rows, _ = attenuation(values[:, 1:], field, rows=slice(1, None))
    np.testing.assert_array_equal(rows, result[1:])


def test_before_the_first_and_after_the_last_flat():
    flat = np.full((ROWS, WIDTH), 1000, np.float32)
    field = flat_field([flat, 2 * flat, 4 * flat], None, [2, 4, 6])
    values = np.full((9, ROWS, WIDTH), 1000, np.uint16)
    result, _ = attenuation(values, field)
    np.testing.assert_allclose(np.exp(result[0, :, 0]), [1, 1, 1, 1.5, 2, 3, 4, 4, 4], rtol=1e-6)


def test_zero_counts_are_clamped_and_counted():
    flat, dark = references()
    values = counts()
    values[3, 1, 4:7] = 0
    result, repairs = attenuation(values, flat_field([flat], dark), least=1e-3)
    assert repairs.clamped == 3
    np.testing.assert_allclose(result[1, 3, 4:7], -np.log(1e-3), rtol=1e-6)
    assert (repairs + repairs).clamped == 6


def test_dead_pixels_take_their_neighbours():
    flat, dark = references()
    flat[1, 0] = dark[1, 0]  # at the edge
    flat[1, 8:10] = 0  # two together
    flat[2, 5] = np.nan
    field = flat_field([flat], dark)
    assert field.dead_count == 4
    values = counts()
    result, repairs = attenuation(values, field)
    assert repairs.dead_pixels == 4
    assert repairs.clamped == 0
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(result[1, :, 0], result[1, :, 1])
    np.testing.assert_allclose(result[1, :, 8], (result[1, :, 7] + result[1, :, 10]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(result[1, :, 9], result[1, :, 8])


def test_counts_that_are_not_finite():
    flat, dark = references()
    values = counts(np.float32)
    values[2, 1, 5], values[3, 1, 6] = np.nan, np.inf
    result, repairs = attenuation(values, flat_field([flat], dark))
    assert (repairs.not_finite, repairs.clamped) == (2, 0)
    assert np.isfinite(result).all()
    assert result[1, 2, 5] == pytest.approx((result[1, 2, 4] + result[1, 2, 6]) / 2)
    values[0, 0] = np.nan  # a whole row: nothing to take it from
    result, _ = attenuation(values, flat_field([flat], dark))
    assert not result[0, 0].any()


def test_wrong_input_is_told():
    flat, dark = references()
    with pytest.raises(BadInput, match="nowhere above the dark field; check whether the two are swapped"):
        flat_field([dark], flat)
    with pytest.raises(BadInput, match="there is no flat field"):
        flat_field([])
    with pytest.raises(BadInput, match="not said when"):
        flat_field([flat, flat])
    with pytest.raises(BadInput, match="3 positions"):
        flat_field([flat, flat], dark, [1, 2, 3])
    with pytest.raises(BadInput, match="the dark field is"):
        flat_field([flat], dark[1:])
    with pytest.raises(BadInput, match="projections of"):
        attenuation(counts()[:, 1:], flat_field([flat], dark))
    with pytest.raises(BadInput, match="not between 0 and 1"):
        attenuation(counts(), flat_field([flat], dark), least=0)
