"""Parameters in SI: once, when they enter the catalogue, and once for a query."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from pancommons.catalogue.records import Parameter
from pancommons.nexus import units


def parameter(
    name: str, value: float | str | None, unit: str | None = None, *, original: str | None = None, derived: bool = False
) -> Parameter:
    """Make a parameter, with its value in SI where the unit is understood.

    A number that is not finite is refused with ValueError: it could be neither compared nor shown.
    """
    if not isinstance(value, (int, float)):
        return Parameter(name=name, value=value, unit=unit, original=original, derived=derived)
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    scale = to_si(unit or "")
    si, dimension = (None, None) if scale is None else (scale[0] * value + scale[1], scale[2])
    return Parameter(
        name=name, value=float(value), unit=unit, si=si, dimension=dimension, original=original, derived=derived
    )


@lru_cache(maxsize=4096)
def to_si(unit: str) -> tuple[float, float, str] | None:
    """Return factor, offset and base units, so that ``si = factor * value + offset``.

    Base units are written as ``kg*m^2/s^2``, in one order; empty for a pure number. None where the unit text
    is not understood.
    """
    read = units.parse(unit)
    if read is None:
        return None
    offset = _base_value(read, 0.0)
    factor = _base_value(read, 1.0) if offset == 0 else (_base_value(read, 1e6) - offset) / 1e6
    return factor, offset, _base_units(read)


def _base_value(unit: Any, value: float) -> float:
    return float(type(unit)(value * float(unit.magnitude), unit.units).to_base_units().magnitude)


def _base_units(unit: Any) -> str:
    found = f"{unit.to_base_units().units:~C}".replace("**", "^")
    return "" if found == "dimensionless" else found
