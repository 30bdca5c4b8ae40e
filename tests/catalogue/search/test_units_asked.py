"""Every unit with every prefix through the database: a dataset for each, all with 3 of the plain unit."""

from __future__ import annotations

import pytest
from tests.catalogue.search.putting import NOW, dataset, has, pids, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.scales import PREFIXES, UNITS, scale
from pancommons.catalogue.search.asking import search

SPELLINGS = [(prefix, unit) for unit in UNITS for prefix in ("", *PREFIXES)]


@pytest.fixture(scope="module")
def measured(shared_database):
    records = []
    for prefix, unit in SPELLINGS:
        value = scale(prefix + unit).from_si(scale(unit).to_si(3.0))
        records.append(dataset(prefix + unit, parameters=(parameter(unit, value, prefix + unit),)))
    put(shared_database, records)
    with shared_database.read() as connection:
        yield connection


@pytest.mark.parametrize("unit", UNITS)
def test_every_prefix_is_found_and_returned_in_the_unit_of_the_query(measured, unit):
    found = search(measured, "Dataset", has(unit, {"between": [2.9, 3.1]}, unit), ANONYMOUS, NOW)
    assert set(pids(found)) == {prefix + unit for prefix in ("", *PREFIXES)}
    for one in found:
        [shown] = one["parameters"]
        assert shown["unit"] == unit
        # A thousandth of a billionth of a degree is lost beside the 273 K of the offset: see scales.
        assert shown["value"] == pytest.approx(3.0, rel=1e-12 if scale(unit).offset == 0 else 1e-10)


@pytest.mark.parametrize("unit", UNITS)
def test_the_wrong_dimension_matches_nothing(measured, unit):
    other = "mol" if unit != "mol" else "cd"
    for value in ({"gt": -1e300}, {"neq": 1}, {"lt": 1e300}):
        assert search(measured, "Dataset", has(unit, value, other), ANONYMOUS, NOW) == []


def test_every_spelling_can_be_asked_in(measured):
    for prefix, unit in SPELLINGS[::7]:
        three = scale(prefix + unit).from_si(scale(unit).to_si(3.0))
        one = has(unit, {"gte": three - abs(three), "lte": three + abs(three)}, prefix + unit)
        assert prefix + unit in pids(search(measured, "Dataset", one, ANONYMOUS, NOW))
