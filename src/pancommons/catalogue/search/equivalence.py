"""Energy and wavelength of photons and neutrons, one read as the other: an extension of the search API.

A parameter is read in another dimension only where it is known which particle it speaks of: by its own name,
or, for a plain wavelength or energy, by another name that the same condition asks for.
"""

from __future__ import annotations

import math

from pancommons.catalogue.scales import Scale
from pancommons.catalogue.search.query import Reading, Unit

_PLANCK = 6.62607015e-34  # J s
_LIGHT = 299792458.0  # m/s
_NEUTRON = 1.67492749804e-27  # kg, CODATA 2018
_PHOTON_ENERGY_LENGTH = _PLANCK * _LIGHT  # E = h c / wavelength
_NEUTRON_ENERGY_LENGTH2 = _PLANCK**2 / (2 * _NEUTRON)  # E = h^2 / (2 m wavelength^2)

LENGTH, ENERGY = "m", "kg*m^2/s^2"

PHOTON = frozenset(
    {"photon_energy", "incident_photon_energy", "photon_wavelength", "incident_photon_wavelength", "xray_energy"}
)
NEUTRON = frozenset({"neutron_energy", "incident_neutron_energy", "neutron_wavelength", "incident_neutron_wavelength"})
EITHER = frozenset({"wavelength", "incident_wavelength", "energy", "incident_energy"})
"""Names that do not say of which particle they speak."""


def asked(name: str, scale: Scale, names: frozenset[str] | None) -> Unit:
    """Say how parameters are read in a unit.

    Parameters
    ----------
    names
        The parameters that the condition asks for by name; None where it does not.
    """
    readings = [Reading(scale.dimension)]
    other = {LENGTH: ENERGY, ENERGY: LENGTH}.get(scale.dimension)
    if other is not None:
        for particle, coefficient, power in (
            (PHOTON, _PHOTON_ENERGY_LENGTH, -1.0),
            (NEUTRON, _NEUTRON_ENERGY_LENGTH2, -2.0),
        ):
            telling = particle | (EITHER if names is not None and _only(names, particle) else frozenset())
            speaking = frozenset(
                one
                for one in (telling if names is None else telling & names)
                if one.endswith("energy") == (other == ENERGY)
            )
            if speaking:
                if other == ENERGY:
                    coefficient, power = math.pow(coefficient, -1 / power), 1 / power
                readings.append(Reading(other, speaking, coefficient, power))
    return Unit(name, scale, tuple(readings))


def _only(names: frozenset[str], particle: frozenset[str]) -> bool:
    """Say whether the names that tell of a particle all tell of this one."""
    telling = names & (PHOTON | NEUTRON)
    return bool(telling) and telling <= particle
