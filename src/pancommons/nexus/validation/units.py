"""Whether a unit is of the category that a definition asks for, by its dimension."""

from __future__ import annotations

from pancommons.nexus import units

_ANY = frozenset({"", "NX_ANY"})

# A unit of each category; of several, one must be compatible. "" is a plain number.
_REFERENCES = {
    "NX_ANGLE": ("radian",), "NX_AREA": ("m^2",), "NX_CHARGE": ("coulomb",), "NX_COUNT": ("", "pixel"),
    "NX_CROSS_SECTION": ("m^2",), "NX_CURRENT": ("ampere",), "NX_DIMENSIONLESS": ("",), "NX_EMITTANCE": ("m",),
    "NX_ENERGY": ("eV",), "NX_FLUX": ("1/s/cm^2",), "NX_FREQUENCY": ("Hz",), "NX_LENGTH": ("m", "pixel"),
    "NX_MASS": ("g",), "NX_MASS_DENSITY": ("g/cm^3",), "NX_MOLECULAR_WEIGHT": ("g/mol",), "NX_PER_AREA": ("1/m^2",),
    "NX_PER_LENGTH": ("1/m",), "NX_PERIOD": ("s",), "NX_POWER": ("watt",), "NX_PRESSURE": ("Pa",),
    "NX_PULSES": ("",), "NX_SCATTERING_LENGTH_DENSITY": ("1/m^2",), "NX_SOLID_ANGLE": ("steradian",),
    "NX_TEMPERATURE": ("K",), "NX_TIME": ("s",), "NX_TIME_OF_FLIGHT": ("s",), "NX_TRANSFORMATION": ("m", ""),
    "NX_UNITLESS": ("", "pixel"), "NX_VOLTAGE": ("V",), "NX_VOLUME": ("m^3",), "NX_WAVELENGTH": ("m",),
    "NX_WAVENUMBER": ("1/m",),
}  # fmt: skip
_ANGULAR = frozenset({"NX_ANGLE", "NX_SOLID_ANGLE"})
_NEEDS_NONE = frozenset({"NX_COUNT", "NX_DIMENSIONLESS", "NX_PULSES", "NX_TRANSFORMATION", "NX_UNITLESS"})


def wants_unit(category: str) -> bool:
    """Say whether a quantity of a category means nothing without a unit."""
    return category not in _ANY | _NEEDS_NONE and (category in _REFERENCES or not category.startswith("NX_"))


def fits(unit: str, category: str) -> bool | None:
    """Say whether a unit's text is of a category; None where the text means nothing.

    Parameters
    ----------
    unit
        As the file has it.
    category
        NX_LENGTH and the like, or a unit that it must be convertible to. An unknown category takes anything.
        Pixels count as lengths, as in beam centres. Angles must be stated as such: a plain number is none.
    """
    if category in _ANY or (category not in _REFERENCES and category.startswith("NX_")):
        return True
    references = _REFERENCES.get(category, (category,))
    if any(units.compatible(unit, reference) for reference in references):
        return category not in _ANGULAR or _is_angle(unit)
    known = units.parse(unit) is not None and all(units.parse(reference) is not None for reference in references)
    return False if known else None


def _is_angle(unit: str) -> bool:
    quantity = units.parse(unit)
    return quantity is not None and "radian" in str(quantity.to_root_units().units)
