"""What was counted is kept for whom it was counted, until something changes or opens."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Principal, Role
from pancommons.catalogue.ledger import Reached, reached, take
from pancommons.catalogue.ontology.stored import kept_ontology
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import find
from pancommons.catalogue.records import Dataset, Document, Relation, Sample, Technique, Terms
from pancommons.catalogue.search import facets, lasting, marking
from pancommons.catalogue.search.choosing import Choice
from pancommons.catalogue.search.facets import Counting
from pancommons.catalogue.search.lasting import Lasting
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import delete, load, put
from pancommons.store.engine import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PAST, SOON, LATER = NOW - timedelta(days=9), NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)
MOMENT = timedelta(milliseconds=1)


def terms(opens: datetime | None, seen: datetime | None = PAST, proposal: str | None = None) -> Terms:
    return Terms(open_from=opens, discoverable_from=seen, fixed=True, proposal=proposal)


def scan(pid: str, given: Terms, **more: object) -> Dataset:
    told: dict[str, object] = {"kind": "raw", "title": pid, "creation_date": PAST, "techniques": ("t/low",)}
    return Dataset(pid=pid, terms=given, **(told | more))  # type: ignore[arg-type]


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as connection:
        told = [Technique(pid="t/high", name="high"), Technique(pid="t/low", name="low", parents=("t/high",))]
        put_techniques(connection, told, by=LOCAL_USER, at=NOW)
    records = [
        Document(pid="p", type="proposal", title="p", terms=terms(None)),
        Sample(pid="s", name="lung", terms=terms(LATER, LATER)),
        scan("open", terms(PAST), samples=("s",)),
        scan("embargoed", terms(SOON)),
        scan("hidden", terms(LATER, LATER)),
    ]
    load(database, records, policy=read_policy(), by=LOCAL_USER, at=NOW)
    return database


def keep(database: Database, *records: Dataset) -> None:
    load(database, records, policy=read_policy(), by=LOCAL_USER, at=NOW)


def total(database: Database, who: Principal = ANONYMOUS, at: datetime = NOW, choice: Choice | None = None) -> int:
    return Counting(database, who, at, choice or Choice()).total().counts.get("all", 0)


def test_nothing_is_counted_twice(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(at: datetime) -> list[object]:
        counting = Counting(filled, ANONYMOUS, at, Choice())
        return [counting.total(), counting.kinds(), counting.techniques(), counting.samples(), counting.quantities()]

    first = told(NOW)

    def again(*_: object, **__: object) -> object:
        raise AssertionError("counted again")

    monkeypatch.setattr(facets, "fitting", again)
    for what in ("fitting_ids", "read_columns", "read_more", "read_sight"):
        monkeypatch.setattr(marking, what, again)
    assert told(NOW + 5 * MOMENT) == first
    with filled.write() as connection:
        take(connection, "id", 7)  # as for lines of the audit
    assert told(NOW + 5 * MOMENT) == first
    with pytest.raises(AssertionError):
        told(NOW - MOMENT)  # before it was counted nobody knows


def test_what_is_put_changed_or_deleted_counts_at_once(filled: Database) -> None:
    assert total(filled) == 2
    keep(filled, scan("more", terms(PAST)))
    assert total(filled) == 3
    keep(filled, scan("more", terms(PAST), kind="processed"))
    assert Counting(filled, ANONYMOUS, NOW, Choice()).kinds().counts == {"raw": 2, "processed": 1}
    with filled.write() as connection:
        delete(connection, "dataset", "more", by=LOCAL_USER, at=NOW)
    assert total(filled) == 2


def test_results_that_stay_closed_change_nothing_for_others(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with filled.read() as connection:
        proposal = find(connection, "document", "p")
    assert proposal is not None
    member = Principal("ada", proposals={Role.MEMBER: frozenset({proposal})})
    assert (total(filled), total(filled, member), total(filled, LOCAL_USER)) == (2, 2, 3)
    counted = []

    def noted(read: Callable[..., object]) -> Callable[..., object]:
        def reading(*given: object) -> object:
            counted.append(given)
            return read(*given)

        return reading

    for what in (marking.read_columns, marking.read_more):
        monkeypatch.setattr(marking, what.__name__, noted(what))
    keep(filled, scan("one", terms(None, None)), scan("two", terms(None, None)))
    keep(filled, scan("three", terms(None, None)))
    assert (total(filled), total(filled, member), len(counted)) == (2, 2, 0)
    assert (total(filled, LOCAL_USER), len(counted)) == (6, 1)
    keep(filled, scan("of the team", terms(None, None, "p")))
    assert (total(filled), len(counted)) == (2, 1)
    assert (total(filled, member), len(counted)) == (3, 2)
    keep(filled, scan("four", terms(None, None)), scan("open", terms(PAST, PAST), kind="processed"))
    assert Counting(filled, ANONYMOUS, NOW, Choice()).kinds().counts == {"raw": 1, "processed": 1}
    keep(filled, scan("four", terms(PAST, PAST)))
    assert total(filled) == 3, "it was closed, and is put again"
    keep(filled, scan("five", terms(None, None)), scan("six", terms(SOON, SOON)))
    assert [total(filled, at=at) for at in (SOON, NOW)] == [4, 3]
    assert total(filled, member) == 4
    keep(filled, scan("of the team", terms(None, None)))
    assert total(filled, member) == 3, "it was the team's, and is nobody's"


def test_a_dataset_that_opens_later_counts_then(filled: Database) -> None:
    hour = timedelta(hours=1)
    assert total(filled, at=LATER) == 3, "nothing opens after that"
    keep(filled, scan("six", terms(LATER + hour, LATER + hour)))
    assert [total(filled, at=at) for at in (LATER, LATER + hour)] == [3, 4]


def test_a_closed_result_is_seen_by_its_team_once_its_input_opens(filled: Database) -> None:
    with filled.read() as connection:
        proposal = find(connection, "document", "p")
    assert proposal is not None
    member = Principal("ada", proposals={Role.MEMBER: frozenset({proposal})})
    keep(filled, scan("input", terms(SOON, SOON)))
    assert [total(filled, member, at) for at in (SOON, NOW)] == [3, 2]
    input_of = (Relation(kind="derived from", target="input"),)
    keep(filled, scan("result", terms(None, None, "p"), relations=input_of))
    assert [total(filled, member, at) for at in (NOW, SOON)] == [2, 4]


def test_what_is_given_up_counts_for_nobody(filled: Database) -> None:
    assert total(filled) == 2
    with pytest.raises(ZeroDivisionError), filled.write() as connection:
        put(connection, scan("never", terms(PAST)), policy=read_policy(), by=LOCAL_USER, at=NOW)
        raise ZeroDivisionError
    assert total(filled) == 2
    keep(filled, scan("instead", terms(None, None)))
    assert total(filled) == 2


def test_what_opens_counts_from_its_moment_on(filled: Database) -> None:
    is_open = Choice(access=("open",))
    assert [total(filled, at=at, choice=is_open) for at in (NOW, SOON - MOMENT, SOON, LATER)] == [1, 1, 2, 3]
    assert [total(filled, at=at) for at in (NOW, LATER - MOMENT, LATER)] == [2, 2, 3]
    found = [Counting(filled, ANONYMOUS, at, Choice()).samples().counts for at in (NOW, LATER)]
    assert found == [{}, {"lung": 1}]


def test_what_opens_to_a_team_counts_from_its_moment_on(filled: Database) -> None:
    """A result is bounded by data that only their team may find; nothing else opens at its moment."""
    before = NOW + timedelta(seconds=0.5)
    keep(
        filled,
        scan("team", terms(None, None, "p")),
        scan("result", terms(before, before), relations=(Relation(kind="derived from", target="team"),)),
    )
    with filled.read() as connection:
        proposal = find(connection, "document", "p")
    assert proposal is not None
    member = Principal("ada", proposals={Role.MEMBER: frozenset({proposal})})
    assert [total(filled, member, at) for at in (NOW, before - MOMENT, before)] == [3, 3, 4]
    assert total(filled, at=before) == 2


def test_nobody_is_given_what_was_counted_for_another(filled: Database) -> None:
    assert [total(filled, who) for who in (LOCAL_USER, ANONYMOUS, Principal("ada"), LOCAL_USER)] == [3, 2, 2, 3]


def test_techniques_are_those_of_now(filled: Database) -> None:
    assert Counting(filled, ANONYMOUS, NOW, Choice()).techniques().counts == {"t/low": 2, "t/high": 2}
    with filled.read() as connection:
        assert kept_ontology(connection) is kept_ontology(connection)
        known = kept_ontology(connection)
    keep(filled, scan("more", terms(PAST)))
    with filled.read() as connection:
        assert kept_ontology(connection) is known, "a dataset came, no technique"
    with filled.write() as connection:
        delete(connection, "dataset", "more", by=LOCAL_USER, at=NOW)
        put_techniques(connection, [Technique(pid="t/low", name="alone")], by=LOCAL_USER, at=NOW)
    assert Counting(filled, ANONYMOUS, NOW, Choice()).techniques().counts == {"t/low": 2}
    with filled.read() as connection:
        low = kept_ontology(connection).get("t/low")
    assert low is not None
    assert (low.name, low.parents) == ("alone", ())


def test_what_many_ask_for_at_once_is_made_once(filled: Database) -> None:
    made: list[object] = []

    def make() -> tuple[object, bool]:
        made.append(object())
        time.sleep(0.1)  # for as long the others wait
        return made[-1], True

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: Lasting(filled, ANONYMOUS, NOW).get("something", make), range(8)))
    assert (len(made), set(given)) == (1, set(made))


def test_a_request_asks_once_how_far_the_catalogue_is(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def noted(connection: Connection) -> Reached:
        asked.append(reached(connection))
        return asked[-1]

    monkeypatch.setattr(lasting, "reached", noted)
    counting = Counting(filled, ANONYMOUS, NOW, Choice(words="lung"))
    for one in (counting, counting.of(Choice())):
        one.total(), one.techniques(), one.samples(), one.quantities(), one.facilities()
    counting.lasting.of(LOCAL_USER).get("something", lambda: (1, True))
    assert len(asked) == 1
    assert (counting.total().counts, counting.of(Choice()).total().counts) == ({"all": 0}, {"all": 2})
    keep(filled, scan("more", terms(PAST)))
    assert (total(filled), len(asked)) == (3, 2)


def test_what_began_before_a_change_takes_what_was_made_after_it(filled: Database) -> None:
    before = Lasting(filled, ANONYMOUS, NOW)
    assert before.get("something", lambda: ("before", True)) == "before"
    keep(filled, scan("more", terms(PAST)))
    after = Lasting(filled, ANONYMOUS, NOW)
    assert after.get("something", lambda: ("after", True)) == "after"
    assert before.get("something", lambda: ("again", True)) == "after"
    assert after.get("something", lambda: ("again", True)) == "after"
