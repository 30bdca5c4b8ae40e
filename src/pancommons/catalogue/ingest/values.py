"""Parameters: the values that the rules of a mapping find, in the units they ask for, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pancommons.catalogue.ingest.mapping import ParameterRule
from pancommons.catalogue.ingest.tree import Hit, length_at, numbers_at, text_at
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Parameter
from pancommons.nexus import units
from pancommons.nexus.read import Measured

PLANCK_LIGHT = 12.398419843320026
"""h c in keV angstrom."""

NEUTRON_ENERGY = 81.80421031
"""h^2 / 2 m of a neutron in meV angstrom^2 (CODATA 2018)."""

_SAME = 1e-6


def found_by(rule: ParameterRule, hits: Iterable[Iterable[Hit]]) -> Parameter | None:
    """Return the value that a rule finds.

    Parameters
    ----------
    hits
        For each path of the rule what lies there. Where one path leads to numbers that differ, as with two
        detectors, nobody can say which is meant: then none is taken.
    """
    for there in hits:
        found = [one for hit in there if (one := _value(rule, hit)) is not None]
        if found and (rule.take == "text" or all(_agree(found[0], other) for other in found[1:])):
            return found[0]
        if found:
            return None
    return None


def _agree(one: Parameter, other: Parameter) -> bool:
    a, b = one.value, other.value
    if not isinstance(a, float) or not isinstance(b, float):
        return a == b
    return one.unit == other.unit and abs(a - b) <= _SAME * max(abs(a), abs(b))


def _value(rule: ParameterRule, hit: Hit) -> Parameter | None:
    if rule.take == "text":
        text = text_at(hit)
        return parameter(rule.name, text) if text else None
    if rule.take == "count":
        length = length_at(hit)
        return None if length is None or _low(rule, length) else parameter(rule.name, float(length))
    measured = numbers_at(hit)
    return None if measured is None else _number(rule, measured)


def _number(rule: ParameterRule, measured: Measured) -> Parameter | None:
    finite = measured.values[np.isfinite(measured.values)]
    if not finite.size:
        return None
    if rule.take == "span":
        value = float(finite.max() - finite.min())
    elif finite.max() - finite.min() <= _SAME * max(abs(finite.max()), abs(finite.min())):
        value = float(finite.flat[0])
    else:
        return None
    unit, original = measured.unit, None
    if rule.unit and unit is not None and unit != rule.unit:
        converted = _converted(value, unit, rule.unit, difference=rule.take == "span")
        if converted is None:
            return None if units.parse(unit) is not None else _kept(rule, value, unit)
        value, unit, original = converted, rule.unit, f"{value:.12g} {unit}"
    return _kept(rule, value, unit, original)


def _converted(value: float, unit: str, to: str, *, difference: bool) -> float | None:
    """Convert a value; of a difference, only the scale."""
    there = units.convert(value, unit, to)
    if there is None or not np.isfinite(there):
        return None
    zero = units.convert(0.0, unit, to) if difference else 0.0
    return float(f"{there - (zero or 0.0):.12g}")


def _kept(rule: ParameterRule, value: float, unit: str | None, original: str | None = None) -> Parameter | None:
    return None if _low(rule, value) else parameter(rule.name, value, unit, original=original)


def _low(rule: ParameterRule, value: float) -> bool:
    return rule.above is not None and value <= rule.above


def derived(found: dict[str, Parameter], probes: frozenset[str]) -> list[Parameter]:
    """Work out wavelength from energy and energy from wavelength, for photons and for neutrons.

    Parameters
    ----------
    found
        By name; ``incident_wavelength`` in angstrom, energies in keV and meV.
    probes
        What is known of the probe; nothing is derived where it is not known.
    """
    wavelength = _in(found.get("incident_wavelength"), "angstrom")
    more = []
    for probe, name, unit in (
        ("x-ray", "incident_photon_energy", "keV"),
        ("neutron", "incident_neutron_energy", "meV"),
    ):
        if probe not in probes:
            continue
        energy = _in(found.get(name), unit)
        if energy and not wavelength and "incident_wavelength" not in found:
            length = PLANCK_LIGHT / energy if probe == "x-ray" else (NEUTRON_ENERGY / energy) ** 0.5
            more.append(parameter("incident_wavelength", _rounded(length), "angstrom", derived=True))
        elif wavelength and not energy and name not in found:
            value = PLANCK_LIGHT / wavelength if probe == "x-ray" else NEUTRON_ENERGY / wavelength**2
            more.append(parameter(name, _rounded(value), unit, derived=True))
    return more


def _in(one: Parameter | None, unit: str) -> float | None:
    return one.value if one is not None and isinstance(one.value, float) and one.unit == unit else None


def _rounded(value: float) -> float:
    return float(f"{value:.8g}")
