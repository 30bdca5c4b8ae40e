"""Facets against a naive count: what each choice would leave, for everybody who may ask, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.catalogue import world

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, Principal, Role, allows
from pancommons.catalogue.parts import parameters
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import resource
from pancommons.catalogue.records import Dataset, Instrument, Record, Sample, Terms
from pancommons.catalogue.scales import scale
from pancommons.catalogue.search import choosing, facets, lasting, marking
from pancommons.catalogue.search.choosing import FACETS, Choice, Range, Slice, dataset_ids
from pancommons.catalogue.search.facets import Counting
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.listing import dataset_hits
from pancommons.catalogue.search.query import Sorting
from pancommons.catalogue.tables import (
    dataset_samples,
    dataset_techniques,
    datasets,
    datasets_text,
    documents,
    instruments,
    samples,
    technique_closure,
    techniques,
)
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load
from pancommons.store.engine import Database, TookTooLong
from pancommons.store.words import terms

NOW = datetime(2026, 6, 1, tzinfo=UTC)
COUNT = 240


def _records() -> Iterator[Record]:
    """Make the world with every state of access in it, over several years, and some datasets of two techniques."""
    opens = (NOW - timedelta(days=900), NOW + timedelta(days=90), None)
    for record in world.records(COUNT, technique_count=12):
        if isinstance(record, Dataset):
            number = int(record.pid.split("/")[1])
            seen = NOW - timedelta(days=800) if number % 7 else None
            state = opens[number * 5 % 3] if seen else None
            yield replace(
                record,
                creation_date=datetime(2015, 3, 1, tzinfo=UTC) + timedelta(days=17 * number),
                techniques=(*record.techniques, f"{world.PURL}0003")
                if number % 4 == 0 and record.techniques != (f"{world.PURL}0003",)
                else record.techniques,
                terms=Terms(
                    proposal=f"proposal/{number // 50}",
                    owner="ada" if number % 11 == 0 else None,
                    open_from=max(state, seen) if state and seen else None,
                    discoverable_from=seen,
                    fixed=True,
                ),
            )
        elif isinstance(record, Instrument | Sample):
            hidden = int(record.pid.split("/")[1]) % 5 == 2
            moment = None if hidden else NOW - timedelta(days=999)
            yield replace(record, terms=Terms(open_from=moment, discoverable_from=moment, fixed=True))
        else:
            yield record


@dataclass
class Naive:
    """The whole catalogue in memory, without anybody's view of it."""

    rows: list[dict[str, Any]]
    resources: dict[tuple[str, int], Any]
    names: dict[str, dict[int, Any]]

    @classmethod
    def of(cls, connection: sa.Connection) -> Naive:
        above: dict[int, set[str]] = {}
        closure = sa.select(technique_closure.c.descendant_id, techniques.c.pid).join(
            techniques, techniques.c.id == technique_closure.c.ancestor_id
        )
        for below, pid in connection.execute(closure):
            above.setdefault(below, set()).add(pid)
        texts = {
            row.id: {*row.title.split(), *row.body.split()}
            for row in connection.execute(sa.select(datasets_text.table))
        }
        measured: dict[int, list[Any]] = {}
        for row in connection.execute(sa.select(parameters).where(parameters.c.number.is_not(None))):
            measured.setdefault(row.dataset_id, []).append(row)
        rows = [dict(row._mapping) for row in connection.execute(sa.select(datasets))]
        for row in rows:
            of = dataset_techniques.c
            owned = connection.execute(sa.select(of.technique_id).where(of.dataset_id == row["id"])).scalars()
            row["techniques"] = set().union(*(above[key] for key in owned))
            has = dataset_samples.c
            row["samples"] = list(
                connection.execute(sa.select(has.sample_id).where(has.dataset_id == row["id"])).scalars()
            )
            row["words"], row["parameters"] = texts[row["id"]], measured.get(row["id"], [])
        kinds = {"dataset": datasets, "instrument": instruments, "sample": samples}
        return cls(
            rows,
            {
                (kind, key): resource(connection, kind, key)
                for kind, table in kinds.items()
                for key in connection.execute(sa.select(table.c.id)).scalars()
            },
            {
                kind: {row.id: row for row in connection.execute(sa.select(kinds[kind]))}
                for kind in ("instrument", "sample")
            },
        )

    def seen(self, kind: str, key: int | None, who: Principal) -> bool:
        return key is not None and allows(who, Action.DISCOVER, self.resources[kind, key], NOW)

    def values(self, row: dict[str, Any], facet: str, who: Principal) -> set[str]:
        """Return what a dataset is in a facet, for somebody."""
        place = (
            self.names["instrument"].get(row["instrument_id"])
            if self.seen("instrument", row["instrument_id"], who)
            else None
        )
        if facet == "technique":
            return set(row["techniques"])
        if facet == "facility":
            return {place.facility} if place else set()
        if facet == "instrument":
            return {place.pid} if place else set()
        if facet == "year":
            return {str(row["creation_date"].year)}
        if facet == "kind":
            return {row["kind"]}
        if facet == "sample":
            return {self.names["sample"][key].name for key in row["samples"] if self.seen("sample", key, who)}
        public = allows(ANONYMOUS, Action.READ, self.resources["dataset", row["id"]], NOW)
        state = "open" if public else "embargoed" if row["public_from"] else "restricted"
        mine = (who.person is not None and row["owner"] == who.person) or any(
            row["proposal_id"] in ids for ids in who.proposals.values()
        )
        return {state, *(["mine"] if mine else [])}

    def fits(self, row: dict[str, Any], choice: Choice, who: Principal) -> bool:
        if not self.seen("dataset", row["id"], who):
            return False
        if choice.words and not set(terms(choice.words)) & row["words"]:
            return False
        for one in choice.ranges:
            if not any(_lies(parameter, one) for parameter in row["parameters"]):
                return False
        return all(not choice.of(facet) or set(choice.of(facet)) & self.values(row, facet, who) for facet in FACETS)

    def count(self, choice: Choice, facet: str, who: Principal, share: int = 1) -> Counter[str]:
        rest = choice.without(facet)
        found = [row for row in self.rows if row["id"] % share == 0 and self.fits(row, rest, who)]
        return Counter({value: share * n for value, n in Counter(
            value for row in found for value in self.values(row, facet, who)).items()})  # fmt: skip


def _lies(parameter: Any, asked: Range) -> bool:
    if parameter.name != asked.name:
        return False
    if not asked.unit:
        low, high, value = asked.low, asked.high, parameter.number
    else:
        unit = scale(asked.unit)
        assert unit is not None
        if unit.dimension != parameter.dimension:
            return False
        low, high = (None if one is None else unit.to_si(one) for one in (asked.low, asked.high))
        value = parameter.si
    return (low is None or value >= low * (1 - 1e-9)) and (high is None or value <= high * (1 + 1e-9))


@pytest.fixture(scope="module")
def filled(shared_database: Database) -> tuple[Database, Naive, dict[str, Principal]]:
    with shared_database.write() as connection:
        put_techniques(connection, world.techniques(12), by=LOCAL_USER, at=NOW)
    load(shared_database, _records(), policy=read_policy(None), by=LOCAL_USER, at=NOW)
    with shared_database.read() as connection:
        naive = Naive.of(connection)
        proposals = dict(connection.execute(sa.select(documents.c.pid, documents.c.id)).all())
        places = dict(connection.execute(sa.select(instruments.c.pid, instruments.c.id)).all())
    people = {
        "anybody": ANONYMOUS,
        "ada": Principal("ada", proposals={Role.MEMBER: frozenset({proposals["proposal/1"], proposals["proposal/3"]})}),
        "scientist": Principal("bob", instruments={Role.INSTRUMENT_SCIENTIST: frozenset({places["instrument/2"]})}),
        "all": LOCAL_USER,
    }
    return shared_database, naive, people


some = {
    "technique": [f"{world.PURL}{n:04d}" for n in (0, 3, 7, 11)],
    "facility": list(world.FACILITIES),
    "instrument": ["instrument/0", "instrument/2", "instrument/4"],
    "year": ["2015", "2019", "2024", "1999"],
    "access": ["open", "embargoed", "restricted", "mine"],
    "kind": ["raw", "processed", "simulated"],
}
ranges = st.sampled_from(
    [
        Range("incident_photon_energy", 10_000, 30_000, "eV"),
        Range("incident_photon_energy", None, 22, "keV"),
        Range("sample_temperature", 0, None, "celsius"),
        Range("sample_temperature", unit="K"),
        Range("sample_pressure", 1, 50),
        Range("sample_temperature", 1, 2, "keV"),
    ]
)
choices = st.builds(
    Choice,
    words=st.sampled_from(["", "", "sample", "sample basax", "nothing-like-this"]),
    ranges=st.lists(ranges, max_size=2).map(tuple),
    **{  # type: ignore[arg-type]
        facet: st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple) | st.just(())
        for facet, values in some.items()
    },
)


def _counted(database: Database, choice: Choice, who: Principal) -> dict[str, dict[str, int]]:
    counting = Counting(database, who, NOW, choice, each=30)
    return {
        "technique": dict(counting.techniques().counts),
        "facility": dict(counting.facilities().counts),
        "instrument": dict(counting.instruments()[0].counts),
        "year": dict(counting.years().counts),
        "access": dict(counting.access().counts),
        "kind": dict(counting.kinds().counts),
    }


@pytest.fixture(params=["in memory", "in the database"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count as in a catalogue that is not very large, and as in one that is."""
    if request.param == "in the database":
        monkeypatch.setattr(marking, "read_columns", lambda *_: None)
    monkeypatch.setattr(lasting, "MOST", 0)


@pytest.mark.usefixtures("way")
def test_facets_count_as_a_naive_evaluator_for_everybody(filled):
    database, naive, people = filled

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(choices, st.sampled_from(sorted(people)))
    def compare(choice, name):
        who = people[name]
        assert _counted(database, choice, who) == {facet: dict(naive.count(choice, facet, who)) for facet in some}
        fitting = {row["id"] for row in naive.rows if naive.fits(row, choice, who)}
        assert Counting(database, who, NOW, choice).total().counts == {"all": len(fitting)}
        with database.read() as connection:
            ground = Ground(connection.dialect.name, who, NOW)
            newest = Slice(Sorting("creationDate", descending=True), limit=1000)
            assert set(dataset_ids(choice, newest, ground, connection)) == fitting
            best = dataset_ids(choice, Slice(None, limit=1000), ground, connection)
            assert (set(best), len(best)) == (fitting, len(fitting))

    compare()


def test_the_best_answers_are_those_that_the_database_finds(filled, monkeypatch):
    database, _, people = filled
    monkeypatch.setattr(lasting, "MOST", 0)
    monkeypatch.setattr(choosing, "CANDIDATES", 6)  # so that most choices have more than are scored
    compared: Counter[bool] = Counter()
    asked = st.sampled_from(["sample", "sample bebox", "technique sample", "the"])
    places = st.sampled_from([(0, 3), (2, 4), (5, 10)])

    @settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(choices, asked, st.sampled_from(sorted(people)), places)
    def compare(choice, words, name, place):
        choice = replace(choice, words=words)
        wanted = Slice(None, *place)
        known = Counting(database, people[name], NOW, choice, each=30).candidates(wanted)
        assert known is not None
        with database.read() as connection:
            ground = Ground(connection.dialect.name, people[name], NOW)
            found = dataset_ids(choice, wanted, ground, connection, known)
            assert found == dataset_ids(choice, wanted, ground, connection)
        compared[len(known) >= 6] += bool(found)

    compare()
    assert compared[True] > 5
    assert compared[False] > 5


def test_what_takes_too_long_in_memory_is_left_to_the_database(filled, monkeypatch):
    database, _, _ = filled

    def late(*_: Any) -> None:
        raise TookTooLong("too long")

    monkeypatch.setattr(lasting, "MOST", 0)
    monkeypatch.setattr(choosing, "CANDIDATES", 6)
    monkeypatch.setattr(marking, "worded_ids", late)
    counting = Counting(database, LOCAL_USER, NOW, Choice(words="sample"), each=30)
    assert counting.candidates(Slice(None, limit=5)) is None


@pytest.mark.usefixtures("way")
def test_samples_are_counted_by_name_and_only_those_that_may_be_seen(filled):
    database, naive, people = filled
    for who in people.values():
        for choice in (Choice(), Choice(kind=("processed",)), Choice(sample=("nowhere",))):
            found = Counting(database, who, NOW, choice).samples().counts
            expected = naive.count(choice, "sample", who)
            assert found == {name: expected[name] for name in found}
            best = sorted(expected.values(), reverse=True)[: facets.MOST_SAMPLES]
            assert sorted(found.values(), reverse=True) == best


def test_many_datasets_are_estimated_from_an_even_share(filled, monkeypatch):
    database, naive, people = filled
    for module in (facets, marking):
        monkeypatch.setattr(module, "ALL", 20)
    monkeypatch.setattr(facets, "SHARE", 50)
    total = Counting(database, LOCAL_USER, NOW, Choice()).total()
    assert total == facets.Tally({"all": COUNT})
    share = 5  # the next prime of 240 // 50
    years = Counting(database, LOCAL_USER, NOW, Choice()).years()
    assert not years.exact
    assert years.counts == naive.count(Choice(), "year", LOCAL_USER, share)
    found = Counting(database, people["ada"], NOW, Choice()).techniques()
    assert found.counts == naive.count(Choice(), "technique", people["ada"], share)


def test_what_takes_too_long_is_estimated(filled, monkeypatch):
    database, naive, _ = filled
    slow = iter([True, True, False])
    real = facets.fitting

    def fitting(*given: Any, **named: Any) -> Any:
        if next(slow, False):
            raise TookTooLong("too long")
        return real(*given, **named)

    monkeypatch.setattr(facets, "fitting", fitting)
    monkeypatch.setattr(marking, "read_columns", lambda *_: None)
    monkeypatch.setattr(facets, "_USUAL_SHARE", 7)
    monkeypatch.setattr(lasting, "MOST", 0)
    kinds = Counting(database, LOCAL_USER, NOW, Choice()).kinds()  # neither the count nor all of them in time
    assert kinds == facets.Tally({}, exact=False)
    kinds = Counting(database, LOCAL_USER, NOW, Choice()).kinds()
    assert kinds.exact
    slow = iter([True])
    kinds = Counting(database, LOCAL_USER, NOW, Choice()).kinds()
    assert kinds == facets.Tally(naive.count(Choice(), "kind", LOCAL_USER, 7), exact=False)


def test_what_cannot_be_marked_in_time_is_left_to_the_database(filled, monkeypatch):
    database, naive, people = filled

    def late(*_: Any) -> Any:
        raise TookTooLong("too long")

    monkeypatch.setattr(lasting, "MOST", 0)
    choice = Choice(words="sample", kind=("raw",))
    for what in ("fitting_ids", "read_columns", "read_sight"):
        monkeypatch.setattr(marking, what, late)
        years = Counting(database, people["ada"], NOW, choice, each=30).years()
        assert years == facets.Tally(dict(naive.count(choice, "year", people["ada"])))


def test_quantities_are_those_of_datasets_that_may_be_seen(filled):
    database, naive, people = filled
    for who in people.values():
        choice = Choice(kind=("processed",), ranges=(Range("sample_temperature", 1, 2, "K"),))
        found = {one.name: one for one in Counting(database, who, NOW, choice).quantities()}
        rows = [row for row in naive.rows if naive.fits(row, Choice(kind=("processed",)), who)]
        assert set(found) == {parameter.name for row in rows for parameter in row["parameters"]}
        assert found["incident_photon_energy"].units == ("keV",)
        assert found["incident_photon_energy"].dimensions == ("kg*m^2/s^2",)


def test_a_list_shows_what_may_be_seen_of_each(filled):
    database, naive, people = filled
    by_id = {row["identifier"]: row for row in naive.rows}
    for who in people.values():
        with database.read() as connection:
            ground = Ground(connection.dialect.name, who, NOW)
            every = [row["id"] for row in naive.rows]
            hits = dataset_hits(every, ground, connection)
        assert {one.identifier for one in hits} == {
            row["identifier"] for row in naive.rows if naive.seen("dataset", row["id"], who)
        }
        for hit in hits:
            row = by_id[hit.identifier]
            assert ({hit.facility} - {None}) == naive.values(row, "facility", who)
            assert set(hit.samples) == naive.values(row, "sample", who)
            assert {pid for pid, _ in hit.techniques} <= row["techniques"]
            assert hit.open == ("open" in naive.values(row, "access", who))
            later = f"dataset/{int(row['pid'].split('/')[1]) + 1}"
            derived = [one for one in naive.rows if one["pid"] == later and one["kind"] == "processed"]
            assert hit.derived == sum(naive.seen("dataset", one["id"], who) for one in derived)
