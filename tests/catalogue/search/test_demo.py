"""Each thing the search API can be asked, on the demo data of the reference server, with the answer known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.catalogue.search.demo import load_demo

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.search.asking import count, count_files, files, get, search
from pancommons.catalogue.search.errors import BadFilter

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SANS = "http://purl.org/pan-science/PaNET/PaNET01189"
ABSORPTION = "http://purl.org/pan-science/PaNET/PaNET01227"
ALL = "1 2 3 4"


@pytest.fixture(scope="module")
def demo(shared_database, shared_data):
    load_demo(shared_database, shared_data("panosc-search-demo/db.json"))
    with shared_database.read() as connection:
        yield connection


def numbers(found):
    """Name demo records by the number at the end of their title or PID."""
    return " ".join(one["pid"][-1] for one in found)


def names(found):
    return " ".join(one["name"] for one in found)


DATASETS = {
    "nothing": (None, ALL),
    "eq": ({"title": "PaNOSC Test Dataset 2"}, "2"),
    "eq spelled out": ({"title": {"eq": "PaNOSC Test Dataset 2"}}, "2"),
    "neq": ({"title": {"neq": "PaNOSC Test Dataset 2"}}, "1 3 4"),
    "null": ({"size": None}, ALL),
    "not null": ({"size": {"neq": None}}, ""),
    "a missing size is above nothing": ({"size": {"gt": -1}}, ""),
    "a missing size is not below either": ({"size": {"lte": 10**12}}, ""),
    "a missing size is unequal": ({"size": {"neq": 3}}, ALL),
    "gt": ({"pid": {"gt": "20.500.12269/panosc-dataset2"}}, "3 4"),
    "gte": ({"pid": {"gte": "20.500.12269/panosc-dataset2"}}, "2 3 4"),
    "lt": ({"pid": {"lt": "20.500.12269/panosc-dataset2"}}, "1"),
    "lte": ({"pid": {"lte": "20.500.12269/panosc-dataset2"}}, "1 2"),
    "gte and lt": ({"title": {"gte": "PaNOSC Test Dataset 2", "lt": "PaNOSC Test Dataset 4"}}, "2 3"),
    "between": ({"title": {"between": ["PaNOSC Test Dataset 2", "PaNOSC Test Dataset 3"]}}, "2 3"),
    "between the wrong way": ({"title": {"between": ["z", "a"]}}, ""),
    "inq": ({"title": {"inq": ["PaNOSC Test Dataset 1", "PaNOSC Test Dataset 4", "none"]}}, "1 4"),
    "inq of nothing": ({"title": {"inq": []}}, ""),
    "nin": ({"title": {"nin": ["PaNOSC Test Dataset 1", "PaNOSC Test Dataset 4"]}}, "2 3"),
    "nin of nothing": ({"title": {"nin": []}}, ALL),
    "like": ({"title": {"like": "set 3"}}, "3"),
    "like with per cent": ({"title": {"like": "%set 3%"}}, "3"),
    "like is literal": ({"title": {"like": "."}}, ""),
    "like minds the case": ({"title": {"like": "SET 3"}}, ""),
    "like with per cent inside": ({"title": {"like": "PaN%3"}}, ""),
    "nlike": ({"title": {"nlike": "set 3"}}, "1 2 4"),
    "ilike": ({"title": {"ilike": "SET 3"}}, "3"),
    "nilike": ({"title": {"nilike": "SET 3"}}, "1 2 4"),
    "regexp": ({"title": {"regexp": "[12]$"}}, "1 2"),
    "regexp with slashes and case": ({"title": {"regexp": "/^PANOSC.*[34]$/i"}}, "3 4"),
    "regexp with case inside": ({"title": {"regexp": "(?i)DATASET\\s\\d"}}, ALL),
    "text": ({"text": "test dataset 4"}, "4"),
    "text deep inside": ({"or": [{"and": [{"text": "SET 4"}]}, {"title": {"like": "1"}}]}, "1 4"),
    "and": ({"and": [{"title": {"like": "Test"}}, {"pid": {"like": "dataset1"}}]}, "1"),
    "or": ({"or": [{"title": {"like": "1"}}, {"title": {"like": "2"}}]}, "1 2"),
    "or of nothing": ({"or": []}, ""),
    "keys together": ({"title": {"like": "Test"}, "pid": {"like": "dataset1"}}, "1"),
    "public": ({"isPublic": True}, ALL),
    "not public": ({"isPublic": False}, ""),
    "date": ({"creationDate": "2020-05-05T15:01:02.341Z"}, ALL),
    "date elsewhere": ({"creationDate": {"gte": "2020-05-05T17:01:02.341+02:00"}}, ALL),
    "date after": ({"creationDate": {"gt": "2020-05-05T15:01:02.341Z"}}, ""),
    "day": ({"creationDate": {"between": ["2020-05-05", "2020-05-06"]}}, ALL),
}


@pytest.mark.parametrize("case", DATASETS)
def test_conditions(demo, case):
    where, expected = DATASETS[case]
    assert numbers(search(demo, "Dataset", {"where": where}, ANONYMOUS, NOW)) == expected
    assert count(demo, "Dataset", where, ANONYMOUS, NOW) == len(expected.split())


def _parameters(*conditions, relation="parameters"):
    return {"relation": relation, "scope": {"where": {"and": list(conditions)}}}


ENERGY = {"name": "photon_energy"}
COLD = {"name": "temperature"}
LIGHT = {"name": "wavelength"}
PARAMETERS = {
    "text": ([_parameters({"name": "chemical_formula"}, {"value": "Cu"})], "1"),
    "text with an empty unit": ([_parameters({"name": "chemical_formula"}, {"value": "Cu"}, {"unit": ""})], "1"),
    "both are there": ([_parameters({"value": "Cu"}), _parameters({"name": "sample_state"}, {"value": "solid"})], "1"),
    "not on one parameter": ([_parameters({"name": "sample_state"}, {"value": "Cu"})], ""),
    "name alone": ([_parameters(COLD)], "3"),
    "value without unit": ([_parameters(ENERGY, {"value": {"between": [900, 1000]}})], "2"),
    "same unit": ([_parameters(ENERGY, {"value": {"between": [880, 990]}}, {"unit": "eV"})], "2"),
    "other prefix": ([_parameters(ENERGY, {"value": 0.93}, {"unit": "keV"})], "2"),
    "other unit": ([_parameters(ENERGY, {"value": {"lt": 1.5e-16}}, {"unit": "J"})], "2"),
    "texts for numbers": ([_parameters(ENERGY, {"value": {"gte": "0.9", "lte": "1"}}, {"unit": "keV"})], "2"),
    "one side": ([_parameters(ENERGY, {"value": {"gt": "0.93"}}, {"unit": "keV"})], ""),
    "the end belongs to it": ([_parameters(ENERGY, {"value": {"gte": "0.93"}}, {"unit": "keV"})], "2"),
    "wrong dimension": ([_parameters(ENERGY, {"value": {"gt": 0}}, {"unit": "K"})], ""),
    "fahrenheit": ([_parameters(COLD, {"value": {"between": [67.9, 68.1]}}, {"unit": "fahrenheit"})], "3"),
    "kelvin": ([_parameters(COLD, {"value": 293.15}, {"unit": "K"})], "3"),
    "below": ([_parameters(COLD, {"value": {"lt": 80}}, {"unit": "celsius"})], "3"),
    "neq in a unit": ([_parameters(COLD, {"value": {"neq": 293.15}}, {"unit": "K"})], ""),
    "inq in a unit": ([_parameters(COLD, {"value": {"inq": [1, 293150]}}, {"unit": "mK"})], "3"),
    "energy as wavelength": ([_parameters(ENERGY, {"value": {"between": [1.33, 1.34]}}, {"unit": "nm"})], "2"),
    "wavelength as energy, whose is not said": ([_parameters(LIGHT, {"value": {"gt": 0}}, {"unit": "eV"})], ""),
    "wavelength as energy of photons": (
        [_parameters({"name": {"inq": ["photon_energy", "wavelength"]}}, {"value": {"gt": 1.1}}, {"unit": "eV"})],
        "2 4",
    ),
    "or": (
        [{"relation": "parameters", "scope": {"where": {"or": [COLD, {"and": [ENERGY, {"value": {"gt": 1}}]}]}}}],
        "2 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PARAMETERS)
def test_parameters(demo, case):
    include, expected = PARAMETERS[case]
    assert numbers(search(demo, "Dataset", {"include": include}, ANONYMOUS, NOW)) == expected


@pytest.mark.parametrize(
    ("condition", "unit", "value"),
    [
        (ENERGY, "keV", 0.93),
        (ENERGY, "eV", 930),
        (ENERGY, "meV", 930000),
        (COLD, "K", 293.15),
        (COLD, "fahrenheit", 68),
        (LIGHT, "um", 1.064),
        (LIGHT, "angstrom", 10640),
    ],
)
def test_a_value_is_returned_in_the_unit_of_the_query(demo, condition, unit, value):
    include = [_parameters(condition, {"value": {"gt": 0}}, {"unit": unit})]
    [found] = search(demo, "Dataset", {"include": include}, ANONYMOUS, NOW)
    [shown] = found["parameters"]
    assert (shown["value"], shown["unit"], type(shown["value"])) == (value, unit, type(value))


def test_photon_energy_is_returned_as_wavelength_where_asked(demo):
    include = [_parameters(ENERGY, {"value": {"between": [1, 2]}}, {"unit": "nm"})]
    [found] = search(demo, "Dataset", {"include": include}, ANONYMOUS, NOW)
    assert found["parameters"][0]["value"] == pytest.approx(12398.419843320026 / 9300, rel=1e-13)  # hc in eV angstrom


def test_all_parameters_are_shown_beside_the_one_that_matched(demo):
    [found] = search(demo, "Dataset", {"include": [_parameters({"value": "Cu"})]}, ANONYMOUS, NOW)
    assert names(found["parameters"]) == "chemical_formula sample_state"
    [found] = search(
        demo,
        "Document",
        {"include": [{"relation": "datasets", "scope": {"include": [_parameters({"value": "Cu"})]}}]},
        ANONYMOUS,
        NOW,
    )
    assert [names(one["parameters"]) for one in found["datasets"]] == ["chemical_formula"]


RELATIONS = {
    ("Dataset", "documents"): ({"type": "proposal"}, "3 4"),
    ("Dataset", "document"): ({"type": "publication"}, "1 2"),
    ("Dataset", "techniques"): ({"name": "x-ray absorption"}, "3 4"),
    ("Dataset", "instrument"): ({"name": "ODIN"}, "2"),
    ("Dataset", "files"): ({"text": "FILE1"}, "1"),
    ("Dataset", "samples"): ({"name": {"like": "copper"}}, ALL),
    ("Dataset", "parameters"): ({"name": "temperature"}, "3"),
    ("Document", "datasets"): ({"title": {"like": "4"}}, "2"),
    ("Document", "parameters"): ({"name": "wavelength"}, "1"),
    ("Document", "members"): ({"role": "owner"}, "1 2"),
}


@pytest.mark.parametrize("relation", RELATIONS, ids=".".join)
def test_relations_are_inner_joins(demo, relation):
    (model, name), (where, expected) = relation, RELATIONS[relation]
    joined = search(demo, model, {"include": [{"relation": name, "scope": {"where": where}}]}, ANONYMOUS, NOW)
    assert numbers(joined) == expected
    assert all(one[name] for one in joined)
    everything = search(demo, model, {"include": [name]}, ANONYMOUS, NOW)
    assert len(everything) == count(demo, model, None, ANONYMOUS, NOW)
    assert all(name in one for one in everything)


def test_instruments_by_their_datasets(demo):
    include = [{"relation": "datasets", "scope": {"where": {"title": {"like": "3"}}}}]
    assert names(search(demo, "Instrument", {"include": include}, ANONYMOUS, NOW)) == "FREIA"
    assert count(demo, "Instrument", {"facility": "ESS"}, ANONYMOUS, NOW) == 15
    assert count(demo, "Instrument", {"text": "MAG"}, ANONYMOUS, NOW) == 1


def test_every_relation_of_the_deeper_models(demo):
    """Follow File.dataset, Parameter.dataset and .document, Sample, Technique, Member, Person and Affiliation back."""
    chain = {"relation": "datasets", "scope": {"where": {"title": {"like": "1"}}}}
    for first in ("samples", "techniques"):
        include = [{"relation": first, "scope": {"include": [chain]}}]
        found = search(demo, "Dataset", {"include": include}, ANONYMOUS, NOW)
        assert numbers(found) == (ALL if first == "samples" else "1 2")
        assert [numbers(one["datasets"]) for one in found[0][first]] == ["1"]
    for first in ("files", "parameters"):
        include = [{"relation": first, "scope": {"include": [{**chain, "relation": "dataset"}]}}]
        found = search(demo, "Dataset", {"include": include}, ANONYMOUS, NOW)
        assert numbers(found) == "1"
        assert found[0][first][0]["dataset"]["pid"].endswith("dataset1")
    publication = {"relation": "document", "scope": {"where": {"type": "publication"}}}
    include = [{"relation": "parameters", "scope": {"include": [publication]}}]
    assert numbers(search(demo, "Document", {"include": include}, ANONYMOUS, NOW)) == "1"
    for end in ("person", "affiliation"):
        back = {"relation": end, "scope": {"include": [{"relation": "members", "scope": {"where": {"role": "owner"}}}]}}
        found = search(
            demo, "Document", {"include": [{"relation": "members", "scope": {"include": [back]}}]}, ANONYMOUS, NOW
        )
        assert [one["role"] for one in found[0]["members"][0][end]["members"]] == ["owner"] * (
            1 if end == "person" else 2
        )
    include = [{"relation": "members", "scope": {"include": [publication]}}]
    assert numbers(search(demo, "Document", {"include": include}, ANONYMOUS, NOW)) == "1"


def test_two_techniques_are_both_needed(demo):
    both = [{"relation": "techniques", "scope": {"where": {"pid": pid}}} for pid in (SANS, ABSORPTION)]
    assert search(demo, "Dataset", {"include": both}, ANONYMOUS, NOW) == []
    assert numbers(search(demo, "Dataset", {"include": both[:1]}, ANONYMOUS, NOW)) == "1 2"


def test_the_members_of_the_reference(demo):
    person = {"relation": "person", "scope": {"where": {"fullName": "James Chadwick"}}}
    members = {"relation": "members", "scope": {"where": {"role": "principal investigator"}, "include": [person]}}
    [found] = search(
        demo, "Document", {"where": {"type": "proposal"}, "include": ["datasets", members]}, ANONYMOUS, NOW
    )
    assert numbers(found["datasets"]) == "3 4"
    [member] = found["members"]
    assert {**member, "id": ""} == {
        "id": "",
        "role": "principal investigator",
        "person": {"id": "panosc-person2", "fullName": "James Chadwick"},
    }
    assert isinstance(member["id"], str)


def test_limits_come_after_filtering(demo):
    technique = {"include": [{"relation": "techniques", "scope": {"where": {"pid": ABSORPTION}}}]}
    for skip, limit, expected in ((0, 1, "3"), (1, 1, "4"), (2, 1, ""), (0, 0, "3 4"), (1, 0, "4")):
        found = search(demo, "Dataset", {**technique, "skip": skip, "limit": limit}, ANONYMOUS, NOW)
        assert numbers(found) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("title DESC", "4 3 2 1"),
        ("title", ALL),
        (["creationDate ASC", "title DESC"], "4 3 2 1"),
        ("creationDate ASC", ALL),
        ("size DESC", "4 3 2 1"),
    ],
)
def test_order(demo, order, expected):
    assert numbers(search(demo, "Dataset", {"order": order}, ANONYMOUS, NOW)) == expected


def test_only_what_is_included_is_there_and_nothing_of_ours(demo):
    [first, *_] = search(demo, "Dataset", {"limit": 1}, ANONYMOUS, NOW)
    assert first == {
        "pid": "20.500.12269/panosc-dataset1",
        "title": "PaNOSC Test Dataset 1",
        "isPublic": True,
        "creationDate": "2020-05-05T15:01:02.341Z",
        "score": 0.0,
    }
    [first, *_] = search(demo, "Dataset", {"fields": ["title"], "include": ["instrument"]}, ANONYMOUS, NOW)
    assert first["instrument"]["name"] == "LoKI"
    assert set(first) == {"title", "instrument"}
    [first, *_] = search(demo, "Dataset", {"fields": {"pid": False, "score": False}}, ANONYMOUS, NOW)
    assert set(first) == {"title", "isPublic", "creationDate"}


def test_one_by_its_pid_keeps_itself_whatever_its_partners(demo):
    pid = "20.500.12269/panosc-dataset1"
    filter_ = {"include": [{"relation": "techniques", "scope": {"where": {"pid": ABSORPTION}}}, "files"]}
    found = get(demo, "Dataset", pid, filter_, ANONYMOUS, NOW)
    assert (found["techniques"], len(found["files"])) == ([], 1)
    assert get(demo, "Dataset", "nothing", None, ANONYMOUS, NOW) is None
    assert get(demo, "Document", pid, None, ANONYMOUS, NOW) is None
    assert get(demo, "Instrument", "a\0b", None, ANONYMOUS, NOW) is None


def test_files_of_a_dataset(demo):
    pid = "20.500.12269/panosc-dataset1"
    [file] = files(demo, pid, None, ANONYMOUS, NOW)
    assert (file["name"], type(file["id"])) == ("panosc-file1.hdf", str)
    assert files(demo, pid, {"where": {"text": "file2"}}, ANONYMOUS, NOW) == []
    assert files(demo, "nothing", None, ANONYMOUS, NOW) is None
    assert count_files(demo, pid, None, ANONYMOUS, NOW) == 1
    assert count_files(demo, pid, {"text": "file2"}, ANONYMOUS, NOW) == 0
    assert count_files(demo, "nothing", None, ANONYMOUS, NOW) is None


def test_a_query_on_what_has_no_text_is_refused(demo):
    with pytest.raises(BadFilter, match="no text to rank by"):
        files(demo, "20.500.12269/panosc-dataset1", {"query": "a"}, ANONYMOUS, NOW)


def test_what_the_portal_sends(demo):
    """The form of the PaNOSC portal: one-sided ranges as texts, members with person and affiliation, limit 50."""
    filter_ = {
        "limit": 50,
        "query": "",
        "include": [
            {"relation": "datasets", "scope": {"include": [
                _parameters({"name": "wavelength"}, {"value": {"gte": "1000"}}, {"unit": "nm"}),
                "samples", "techniques",
            ]}},
            {"relation": "members", "scope": {"include": ["person", "affiliation"]}},
        ],
    }  # fmt: skip
    [found] = search(demo, "Document", filter_, ANONYMOUS, NOW)
    assert found["pid"].endswith("document2")
    assert numbers(found["datasets"]) == "4"
    assert found["members"][0]["affiliation"] == {
        "id": "1", "name": "ESS", "address": "Odarslövsvägen 113", "city": "Lund", "country": "Sweden",
    }  # fmt: skip
