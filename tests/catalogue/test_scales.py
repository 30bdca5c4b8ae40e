"""Units of the search API: every unit with every prefix there and back, and against values worked out by hand."""

from __future__ import annotations

import pytest

from pancommons.catalogue.scales import PREFIXES, UNITS, scale

SPELLINGS = [prefix + unit for unit in UNITS for prefix in ("", *PREFIXES)]

# One of each unit in SI base units: SI brochure 9, CODATA 2018, and for psi and torr their definitions.
ONE = {
    "m": (1, "m"), "angstrom": (1e-10, "m"), "rad": (1, "rad"), "deg": (0.017453292519943295, "rad"),
    "grad": (0.015707963267948967, "rad"), "arcsec": (4.84813681109536e-6, "rad"),
    "arcmin": (2.908882086657216e-4, "rad"), "s": (1, "s"), "min": (60, "s"), "h": (3600, "s"), "day": (86400, "s"),
    "Hz": (1, "1/s"), "g": (1e-3, "kg"), "A": (1, "A"), "K": (1, "K"), "celsius": (274.15, "K"),
    "fahrenheit": (255.9277777777778, "K"), "mol": (1, "mol"), "cd": (1, "cd"), "N": (1, "kg*m/s^2"),
    "J": (1, "kg*m^2/s^2"), "erg": (1e-7, "kg*m^2/s^2"), "Wh": (3600, "kg*m^2/s^2"),
    "eV": (1.602176634e-19, "kg*m^2/s^2"), "W": (1, "kg*m^2/s^3"), "Pa": (1, "kg/m/s^2"),
    "psi": (6894.757293168362, "kg/m/s^2"), "atm": (101325, "kg/m/s^2"), "torr": (133.32236842105263, "kg/m/s^2"),
    "bar": (1e5, "kg/m/s^2"), "C": (1, "A*s"), "V": (1, "kg*m^2/A/s^3"), "ohm": (1, "kg*m^2/A^2/s^3"),
    "F": (1, "A^2*s^4/kg/m^2"), "Wb": (1, "kg*m^2/A/s^2"), "T": (1, "kg/A/s^2"), "H": (1, "kg*m^2/A^2/s^2"),
    "S": (1, "A^2*s^3/kg/m^2"), "bit": (1, "bit"), "byte": (8, "bit"),
}  # fmt: skip


def test_no_two_units_share_a_spelling():
    assert len(set(SPELLINGS)) == len(SPELLINGS) == 40 * 21


@pytest.mark.parametrize("unit", UNITS)
def test_one_of_a_unit_in_si(unit):
    found = scale(unit)
    expected, dimension = ONE[unit]
    assert found.to_si(1.0) == pytest.approx(expected, rel=1e-12)
    assert found.dimension == dimension


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_there_and_back(spelling):
    found = scale(spelling)
    for value in (0.0, 1.0, -3.25, 12.398, 1e6):
        back = found.from_si(found.to_si(value))
        # Rounding of the sum with the offset of a temperature, measured in the unit, is all that may be lost.
        lost = 4e-16 * abs(found.offset / found.factor)
        assert back == pytest.approx(value, rel=1e-13, abs=16 * lost)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("prefix", "power"), PREFIXES.items())
def test_a_prefix_is_a_power_of_ten(unit, prefix, power):
    plain, prefixed = scale(unit), scale(prefix + unit)
    assert prefixed.dimension == plain.dimension
    assert prefixed.to_si(1.0) - prefixed.offset == pytest.approx(plain.factor * 10.0**power, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "unit", "other", "expected"),
    [
        (20.0, "celsius", "fahrenheit", 68.0), (32.0, "fahrenheit", "celsius", 0.0), (0.0, "K", "celsius", -273.15),
        (0.93, "keV", "eV", 930.0), (1064.0, "nm", "um", 1.064), (1.0, "kbyte", "bit", 8000.0),
        (20000.0, "mcelsius", "K", 293.15), (90.0, "deg", "grad", 100.0), (1.0, "atm", "torr", 760.0),
    ],
)  # fmt: skip
def test_known_conversions_come_out_round(value, unit, other, expected):
    assert scale(other).from_si(scale(unit).to_si(value)) == expected


def test_other_spellings_are_left_to_pint():
    assert scale("1/angstrom").dimension == "1/m"
    assert scale("").dimension == ""
    assert scale("widgets per fortnight of joy") is None
