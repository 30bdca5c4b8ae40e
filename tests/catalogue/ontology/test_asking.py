from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pancommons.base.errors import BadInput
from pancommons.catalogue.ontology.asking import count, expand, technique, techniques
from pancommons.catalogue.ontology.graph import PANET, Ontology, core
from pancommons.catalogue.ontology.reading import read_ontology

XES = "01200"
SMALL_ANGLE = (
    "01124 01107 01127 01133 01240 01241 01274 01275 01099 01276 01189 "
    "01277 01278 01279 01280 01188 01281 01273 01282 01162 01287 01286"
)
MAGNETISM = "00207 01141 01137 01221 01252 01253 01142 01259 01143 01301 01313"


@pytest.fixture(scope="module")
def panet(shared_data: Callable[[str], Path]) -> Ontology:
    return read_ontology(shared_data("panet/PaNET-1.3.0.owl")).techniques_only()


def _pids(numbers: str) -> set[str]:
    return {f"{PANET}PaNET{number}" for number in numbers.split()}


def _sets(expanded: dict[str, Any]) -> Any:
    """Write an expansion with sets in place of lists, to compare whatever the order."""
    [[key, value]] = expanded.items()
    if key in ("and", "or"):
        return {key: [_sets(one) for one in value]}
    [[operator, pids]] = value.items()
    assert len(set(pids)) == len(pids)
    return {operator: set(pids)}


@pytest.mark.real
def test_the_cases_of_the_panet_service(panet: Ontology) -> None:
    """Its public cases; where those show an older PaNET (x-ray probe), ours shows the file's closure."""
    small, magnetism, xes = _pids(SMALL_ANGLE), _pids(MAGNETISM), _pids(XES)
    x_ray = set(panet.closure[panet.named("x-ray probe")[0].pid])
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"name": "x-ray emission spectroscopy"}, {"inq": xes}),
        ({"name": "small angle scattering"}, {"inq": small}),
        ({"name": {"neq": "x-ray emission spectroscopy"}}, {"nin": xes}),
        ({"name": {"neq": "small angle scattering"}}, {"nin": small}),
        ({"pid": f"{PANET}PaNET01200"}, {"inq": xes}),
        ({"name": "XES"}, {"inq": xes}),
    ]
    for key, other, expected in [
        ("and", "magnetism technique", {"inq": magnetism}),
        ("or", "magnetism technique", {"inq": magnetism}),
        ("and", "x-ray probe", {"inq": x_ray}),
        ("or", "x-ray probe", {"inq": x_ray}),
        ("and", {"neq": "x-ray probe"}, {"nin": x_ray}),
        ("and", {"neq": "magnetism technique"}, {"nin": magnetism}),
    ]:
        where = {key: [{"name": "small angle scattering"}, {"name": other}]}
        cases.append((where, {key: [{"inq": small}, expected]}))
    assert len(cases) == 12
    for where, expected in cases:
        assert _sets(expand(panet, where)) == expected, where


def test_an_unknown_technique_selects_nothing() -> None:
    assert expand(core(), {"name": "astrology"}) == {"pid": {"inq": []}}
    assert expand(core(), {"name": {"neq": "astrology"}}) == {"pid": {"nin": []}}


def test_further_operators_expand_and_negate() -> None:
    sas = {one.pid for one in core() if "small angle" in one.name}
    assert set(expand(core(), {"name": {"like": "small angle"}})["pid"]["inq"]) == sas
    assert set(expand(core(), {"name": {"nilike": "SMALL ANGLE"}})["pid"]["nin"]) == sas
    assert set(expand(core(), {"name": {"inq": ["SAS"]}})["pid"]["inq"]) == sas
    assert set(expand(core(), {"name": {"nin": ["SAS", "nothing"]}})["pid"]["nin"]) == sas
    assert set(expand(core(), {"name": {"regexp": "/^SMALL/i"}})["pid"]["inq"]) == sas


def test_conditions_side_by_side_are_all_wanted() -> None:
    both = expand(core(), {"name": "SAS", "pid": {"neq": f"{PANET}PaNET01188"}})
    assert [next(iter(part["pid"])) for part in both["and"]] == ["inq", "nin"]
    nested = expand(core(), {"or": [{"and": [{"name": "SAS"}, {"name": "SANS"}]}, {"name": "SFX"}]})
    assert len(nested["or"][0]["and"]) == 2


def test_everything_beneath_is_everything_for_an_empty_where() -> None:
    assert set(expand(core(), {})["pid"]["inq"]) == {one.pid for one in core()}


def test_lists_filter_sort_cut_and_select_fields() -> None:
    everything = techniques(core())
    assert len(everything) == len(core()) == count(core())
    assert count(core(), {"synonym": "SAXS"}) == 1
    assert count(core(), {"synonym": {"neq": "SAXS"}}) == len(core()) - 1
    names = [one["name"] for one in techniques(core(), {"order": "name DESC", "fields": ["name"]})]
    assert names == sorted(names, reverse=True)
    page = techniques(core(), {"order": ["name ASC"], "skip": 2, "limit": 3, "fields": {"pid": False}})
    assert [one["name"] for one in page] == sorted(names)[2:5]
    assert "pid" not in page[0]
    assert techniques(core(), {"where": {"name": {"ilike": "%PTYCHO%"}}, "limit": 0})[0]["pid"].endswith("01212")


def test_one_technique_by_either_identifier() -> None:
    whole = technique(core(), f"{PANET}PaNET01124")
    assert whole == technique(core(), "PaNET01124")
    assert whole is not None
    assert set(whole["children"]) == _pids("01188 01189")
    assert technique(core(), "PaNET99999") is None


@pytest.mark.parametrize(
    ("filter_", "names"),
    [
        ({"where": {"colour": "red"}}, "colour"),
        ({"where": {"name": {"near": "x"}}}, "name"),
        ({"where": {"name": {"inq": "x"}}}, "name"),
        ({"where": {"name": {"regexp": "("}}}, "name"),
        ({"where": {"name": 3}}, "name"),
        ({"where": {"and": {}}}, "and"),
        ({"where": []}, "where"),
        ({"limit": -1}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"order": "colour"}, "order"),
        ({"fields": ["colour"]}, "fields"),
        ({"fields": [[]]}, "fields"),
        ({"include": []}, "include"),
        ([], "filter"),
    ],
)
def test_nonsense_is_refused_by_name(filter_: Any, names: str) -> None:
    with pytest.raises(BadInput) as error:
        techniques(core(), filter_)
    assert error.value.field == names


def test_nesting_is_bounded() -> None:
    where: dict[str, Any] = {"name": "x"}
    for _ in range(2000):
        where = {"and": [where]}
    with pytest.raises(BadInput, match="too deep"):
        expand(core(), where)
    with pytest.raises(BadInput, match="too deep"):
        count(core(), where)
