"""Units as scales on SI: those of the search API with every prefix, and whatever else pint understands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from pancommons.nexus import units

UNITS = (
    "m", "angstrom", "rad", "deg", "grad", "arcsec", "arcmin", "s", "min", "h", "day", "Hz", "g", "A", "K",
    "celsius", "fahrenheit", "mol", "cd", "N", "J", "erg", "Wh", "eV", "W", "Pa", "psi", "atm", "torr", "bar",
    "C", "V", "ohm", "F", "Wb", "T", "H", "S", "bit", "byte",
)  # fmt: skip
"""The units of the PaNOSC search API, spelled as it spells them."""

PREFIXES = {
    "y": -24, "z": -21, "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "c": -2, "d": -1,
    "da": 1, "h": 2, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21, "Y": 24,
}  # fmt: skip
"""Prefixes and their powers of ten; micro is ``u``."""

_FAR = 1e6
_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a unit lies on SI: ``si = factor * value + offset``.

    Attributes
    ----------
    factor, offset
        In SI base units; the offset is zero but for temperatures.
    dimension
        The SI base units, written as ``kg*m^2/s^2`` in one order, with ``rad`` and ``bit``; empty for a pure
        number.
    """

    factor: float
    offset: float
    dimension: str

    def to_si(self, value: float) -> float:
        """Return a value in SI base units."""
        return self.factor * value + self.offset

    def from_si(self, si: float) -> float:
        """Return a value in this unit, without the digits that two conversions make up."""
        value = (si - self.offset) / self.factor
        largest = max(abs(value), abs(self.offset / self.factor))
        if not math.isfinite(value) or largest == 0:
            return value
        return round(value, _DIGITS - 1 - math.floor(math.log10(largest)))


@lru_cache(maxsize=4096)
def scale(unit: str) -> Scale | None:
    """Return the scale of a unit text; None where it means nothing.

    The spellings of the search API come first, letter by letter: ``A`` is the ampere, ``mmin`` a thousandth
    of a minute. All else is read as `pancommons.nexus.units.parse` reads it.
    """
    listed = _listed().get(unit.strip())
    return listed or _read(units.parse(unit))


@cache
def _listed() -> dict[str, Scale]:
    """Make the scales of every unit of the list with every prefix; no two of them share a spelling."""
    scales: dict[str, Scale] = {}
    for unit in UNITS:
        found = _read(units.parse(_PINT.get(unit, unit)))
        if found is None:
            raise LookupError(f"pint does not know {unit}")
        scales[unit] = found
        for prefix, power in PREFIXES.items():
            scales[prefix + unit] = Scale(found.factor * float(f"1e{power}"), found.offset, found.dimension)
    return scales


_PINT = {"A": "ampere", "C": "coulomb", "F": "farad", "h": "hour", "S": "siemens", "H": "henry", "T": "tesla"}


def _read(unit: Any) -> Scale | None:
    if unit is None:
        return None
    offset = _base_value(unit, 0.0)
    factor = _base_value(unit, 1.0) if offset == 0 else (_base_value(unit, _FAR) - offset) / _FAR
    dimension = f"{unit.to_base_units().units:~C}".replace("**", "^")
    return Scale(factor, offset, "" if dimension == "dimensionless" else dimension)


def _base_value(unit: Any, value: float) -> float:
    return float(type(unit)(value * float(unit.magnitude), unit.units).to_base_units().magnitude)
