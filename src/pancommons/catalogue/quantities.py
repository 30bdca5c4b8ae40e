"""Parameters in SI: once, when they enter the catalogue, and once for a query."""

from __future__ import annotations

import math

from pancommons.catalogue.records import Parameter
from pancommons.catalogue.scales import scale


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
    known = scale(unit or "")
    si = None if known is None else known.to_si(value)
    if si is not None and not math.isfinite(si):  # past what a number can hold in SI: kept as it is said
        si = None
    dimension = None if known is None or si is None else known.dimension
    return Parameter(
        name=name, value=float(value), unit=unit, si=si, dimension=dimension, original=original, derived=derived
    )
