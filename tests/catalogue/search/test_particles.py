"""Energy asked as wavelength and back: at one angstrom photons have 12.398 keV, neutrons 81.804 meV (CODATA 2018)."""

from __future__ import annotations

import pytest
from tests.catalogue.search.putting import NOW, dataset, has, pids, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.search.asking import search


@pytest.fixture(scope="module")
def beams(shared_database):
    values = [
        ("photons", "incident_photon_energy", 12.398419843320026, "keV"),
        ("neutrons", "incident_neutron_energy", 81.80421, "meV"),
        ("either", "incident_wavelength", 1.0, "angstrom"),
        ("nothing", "incident_photon_energy", 0.0, "keV"),
    ]
    put(shared_database, [dataset(pid, parameters=(parameter(*rest),)) for pid, *rest in values])
    with shared_database.read() as connection:
        yield connection


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("incident_photon_energy", {"between": [0.9999, 1.0001]}, "angstrom", ["photons"]),
        ("incident_photon_energy", 1, "angstrom", ["photons"]),
        ("incident_photon_energy", {"gt": 1}, "angstrom", []),
        ("incident_photon_energy", {"gte": 1}, "angstrom", ["photons"]),
        ("incident_photon_energy", {"lt": 0.11}, "nm", ["photons"]),
        ("incident_photon_energy", {"gt": -1}, "nm", ["photons"]),
        ("incident_photon_energy", {"lt": -1}, "nm", []),
        ("incident_neutron_energy", {"between": [0.9999, 1.0001]}, "angstrom", ["neutrons"]),
        ("incident_wavelength", {"between": [0.9999, 1.0001]}, "angstrom", ["either"]),
        ("incident_wavelength", {"gt": 0}, "eV", []),
        (
            ["incident_photon_energy", "incident_wavelength"],
            {"between": [12.39, 12.4]},
            "keV",
            ["photons", "either"],
        ),
        (["incident_neutron_energy", "incident_wavelength"], {"between": [81, 82]}, "meV", ["neutrons", "either"]),
        (
            ["incident_neutron_energy", "incident_photon_energy", "incident_wavelength"],
            {"between": [0.9999, 1.0001]},
            "angstrom",
            ["photons", "neutrons", "either"],
        ),
    ],
)
def test_energy_and_wavelength(beams, name, value, unit, expected):
    name = {"inq": name} if isinstance(name, list) else name
    found = search(beams, "Dataset", has(name, value, unit), ANONYMOUS, NOW)
    assert pids(found) == expected
    for one in found:
        shown = one["parameters"][0]
        assert shown["unit"] == unit
        one_angstrom = {"angstrom": 1, "nm": 0.1, "keV": 12.398419843320026, "meV": 81.80421}[unit]
        assert shown["value"] == pytest.approx(one_angstrom, rel=1e-8)


def test_an_empty_unit_is_none(shared_database):
    values = [("without", "cycles", 3.0, None), ("empty", "cycles", 3.0, ""), ("other", "cycles", 3.0, "K")]
    put(shared_database, [dataset(pid, parameters=(parameter(*rest),)) for pid, *rest in values])
    with shared_database.read() as connection:
        assert pids(search(connection, "Dataset", has("cycles", 3, ""), ANONYMOUS, NOW)) == ["without", "empty"]
