"""The decision in Python and in SQL are one, and neither gives what it should not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pancommons.catalogue import bounds, parts
from pancommons.catalogue.access import (
    ANONYMOUS,
    LOCAL_USER,
    MAY,
    Action,
    Principal,
    Resource,
    Role,
    allows,
    visible,
)
from pancommons.catalogue.read import file_and_standing, file_place, resource, unreadable
from pancommons.catalogue.tables import RECORDS, datasets, documents, instruments, samples
from pancommons.store.engine import Database
from pancommons.store.rows import insert_rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
moments = st.one_of(st.none(), st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days)))
owners = st.sampled_from([None, "ada", "bob"])
PROPOSALS, INSTRUMENTS = (1, 2, 3), (11, 12)


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    open_from = draw(moments)
    discoverable = draw(moments)
    if open_from is not None and (discoverable is None or discoverable > open_from):
        discoverable = open_from
    return {
        "open_from": open_from,
        "discoverable_from": discoverable,
        "owner": draw(owners),
        "deleted_at": draw(st.sampled_from([None, None, None, NOW])),
    }


scoped = st.dictionaries(st.sampled_from(Role), st.frozensets(st.sampled_from(PROPOSALS)), max_size=3)
placed = st.dictionaries(st.sampled_from(Role), st.frozensets(st.sampled_from(INSTRUMENTS)), max_size=2)
principals = st.builds(
    Principal,
    person=owners,
    proposals=scoped,
    instruments=placed,
    everywhere=st.one_of(st.just(frozenset[Role]()), st.frozensets(st.sampled_from(Role), max_size=1)),
    scopes=st.one_of(st.none(), st.none(), st.frozensets(st.sampled_from(Action))),
)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Draw three proposals, two instruments, two samples, and datasets derived from any of those before them."""
    made: dict[str, list[dict[str, Any]]] = {"document": [], "instrument": [], "sample": [], "dataset": []}
    made["document"] = [{"id": key, "proposal_id": key, **draw(states())} for key in PROPOSALS]
    made["instrument"] = [{"id": key, "proposal_id": None, **draw(states())} for key in INSTRUMENTS]
    proposal = st.sampled_from([None, *PROPOSALS])
    made["sample"] = [{"id": key, "proposal_id": draw(proposal), **draw(states())} for key in (21, 22)]
    for key in range(31, 31 + draw(st.integers(1, 6))):
        made["dataset"].append(
            {
                "id": key,
                "proposal_id": draw(proposal),
                "instrument_id": draw(st.sampled_from([None, *INSTRUMENTS])),
                "lifted": draw(st.sampled_from([False, False, True])),
                "inputs": draw(st.frozensets(st.integers(31, 36), max_size=2)),
                **draw(states()),
            }
        )
    return made


def fill(connection: sa.Connection, world: dict[str, list[dict[str, Any]]]) -> None:
    """Replace all that a database holds by a world, each dataset with one part of every kind."""
    for table in (parts.relations, parts.files, parts.thumbnails, parts.parameters, parts.keywords, parts.members):
        connection.execute(sa.delete(table))
    for table in (datasets, samples, instruments, documents):
        connection.execute(sa.delete(table))
    present = {row["id"] for row in world["dataset"]}
    for kind, table in (
        ("document", documents),
        ("instrument", instruments),
        ("sample", samples),
        ("dataset", datasets),
    ):
        rows = []
        for row in world[kind]:
            common = {
                "identifier": str(row["id"]),
                "pid": str(row["id"]),
                "sequence": -row["id"],
                "data_class": "raw",
                "policy": "p",
                "digest": "",
                "created_at": NOW,
                "updated_at": NOW,
            }
            own = {
                "document": {"type": "proposal", "title": "t"},
                "instrument": {"name": "n", "facility": "f"},
                "sample": {"name": "n"},
                "dataset": {
                    "kind": "raw",
                    "title": "t",
                    "creation_date": NOW,
                    "public_from": row["open_from"],
                    "findable_from": row["discoverable_from"],
                },
            }[kind]
            rows.append(common | own | {name: value for name, value in row.items() if name != "inputs"})
        insert_rows(connection, table, rows)
    links = [(row["id"], target) for row in world["dataset"] for target in sorted(row["inputs"])]
    insert_rows(
        connection,
        parts.relations,
        [
            {
                "id": place,
                "dataset_id": key,
                "kind": "derived from",
                "target": str(target),
                "target_id": target if target in present else None,
            }
            for place, (key, target) in enumerate(links)
        ],
    )
    for place, key in enumerate(sorted(present)):
        parent = {"id": place, "dataset_id": key, "document_id": None}
        insert_rows(connection, parts.parameters, [{**parent, "name": "x", "number": 1.0, "derived": False}])
        insert_rows(connection, parts.members, [{**parent, "public": place % 2 == 0}])
        file = {"id": place, "dataset_id": key, "identifier": f"f{key}", "root": "r", "path": "p", "name": "p"}
        role = "linked" if place % 3 == 2 else "data"
        insert_rows(connection, parts.files, [{**file, "role": role, "missing": False}])
    bounds.renew(connection, present, NOW)


def resources(world: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, int], Resource]:
    """Work out what bounds what by definition, apart from the catalogue's own way."""
    by_id = {row["id"]: row for row in world["dataset"]}

    def plain(row: dict[str, Any], inputs: tuple[Resource, ...] = ()) -> Resource:
        return Resource(
            row["proposal_id"],
            row.get("instrument_id"),
            row["owner"],
            row["open_from"],
            row["discoverable_from"],
            row["deleted_at"] is not None,
            inputs,
        )

    def above(key: int, seen: frozenset[int]) -> set[int]:
        found: set[int] = set()
        for target in by_id[key]["inputs"] if not by_id[key]["lifted"] else ():
            if target in by_id and target not in seen:
                found |= {target} | above(target, seen | {target})
        return found

    made = {(kind, row["id"]): plain(row) for kind in ("document", "instrument", "sample") for row in world[kind]}
    for key, row in by_id.items():
        made["dataset", key] = plain(row, tuple(plain(by_id[one]) for one in sorted(above(key, frozenset({key})))))
    return made


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking worlds takes longer than reading one
)
@given(world=worlds(), asking=st.lists(principals, min_size=2, max_size=2), days=st.integers(-4, 4))
def test_sql_equals_the_function(
    database: Database, world: dict[str, list[dict[str, Any]]], asking: list[Principal], days: int
) -> None:
    at = NOW + timedelta(days=days, milliseconds=-1 if days % 2 else 0)
    known = resources(world)
    with database.write() as connection:
        fill(connection, world)
        for principal in (*asking, ANONYMOUS, LOCAL_USER):
            for action in Action:
                may = {key for key, one in known.items() if allows(principal, action, one, at)}
                for kind, table in RECORDS.items():
                    seen = connection.execute(
                        sa.select(table.c.id).where(visible(table, principal, action, at))
                    ).scalars()
                    assert set(seen) == {key for of, key in may if of == kind}, (kind, action, principal)
                alias = datasets.alias()
                count = sa.select(sa.func.count()).select_from(alias).where(visible(alias, principal, action, at))
                assert connection.execute(count).scalar() == len([key for of, key in may if of == "dataset"])
            _parts_are_no_more_open(connection, principal, known, at)
            _one_question_is_as_good_as_two(connection, principal, world["dataset"], at)


def _parts_are_no_more_open(
    connection: sa.Connection, principal: Principal, known: dict[tuple[str, int], Resource], at: datetime
) -> None:
    may = {
        action: {key for (kind, key), one in known.items() if kind == "dataset" and allows(principal, action, one, at)}
        for action in (Action.DISCOVER, Action.READ)
    }

    def seen(table: sa.Table, action: Action = Action.DISCOVER) -> list[Any]:
        return list(connection.execute(sa.select(table).where(visible(table, principal, action, at))))

    data = may[Action.READ] & may[Action.DISCOVER]
    if principal.scopes is None or Action.DISCOVER in principal.scopes:
        data = may[Action.READ]
    assert {row.dataset_id for row in seen(parts.files)} == data
    assert {row.dataset_id for row in seen(parts.files, Action.READ)} == may[Action.READ]
    assert {row.dataset_id for row in seen(parts.parameters)} == may[Action.DISCOVER]
    for row in seen(parts.relations):
        assert row.dataset_id in may[Action.DISCOVER]
        assert row.target_id is None or row.target_id in may[Action.DISCOVER]
    members = seen(parts.members)
    assert {row.dataset_id for row in members if row.public} <= may[Action.DISCOVER]
    if principal == ANONYMOUS:
        assert all(row.public for row in members)


def _one_question_is_as_good_as_two(
    connection: sa.Connection, principal: Principal, records: list[dict[str, Any]], at: datetime
) -> None:
    """All files of these worlds lie at one place."""
    kept_back = bool(unreadable(connection, [("r", "p")], principal, at))
    for name in (*(f"f{row['id']}" for row in records), "none"):
        place = file_place(connection, name, principal, at)
        both = file_and_standing(connection, name, principal, at)
        assert both == (None if place is None else (place, kept_back)), (name, principal)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(world=worlds())
def test_what_is_kept_of_inputs_is_what_bounds(database: Database, world: dict[str, list[dict[str, Any]]]) -> None:
    with database.write() as connection:
        fill(connection, world)
        for (kind, key), by_definition in resources(world).items():
            kept = resource(connection, kind, key)
            assert sorted(map(repr, kept.inputs)) == sorted(repr(one) for one in by_definition.inputs)


@given(principal=principals, action=st.sampled_from(Action))
def test_nobody_outside_reads_before_the_day(principal: Principal, action: Action) -> None:
    secret = Resource(proposal=9, instrument=19, owner="eve", open_from=NOW, discoverable_from=NOW)
    before = allows(principal, action, secret, NOW - timedelta(milliseconds=1))
    assert before == (
        any(action in MAY[role] for role in principal.everywhere)
        and (principal.scopes is None or action in principal.scopes)
    )


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (Role.COLLABORATOR, "discover read"),
        (Role.MEMBER, "discover read run"),
        (Role.INSTRUMENT_SCIENTIST, "discover read run edit"),
        (Role.PRINCIPAL_INVESTIGATOR, "discover read run edit publish"),
        (Role.DATA_MANAGER, "discover read run edit publish administer"),
        (Role.ADMINISTRATOR, "discover read run edit publish administer"),
    ],
)
def test_what_a_role_gives(role: Role, actions: str) -> None:
    member = Principal("ada", proposals={role: frozenset({1})})
    assert " ".join(action for action in Action if allows(member, action, Resource(proposal=1), NOW)) == actions
    assert not any(allows(member, action, Resource(proposal=2), NOW) for action in Action)


def test_what_an_open_record_gives() -> None:
    opened = Resource(open_from=NOW, discoverable_from=NOW)
    assert [action for action in Action if allows(ANONYMOUS, action, opened, NOW)] == [Action.DISCOVER, Action.READ]
    assert allows(Principal("ada"), Action.RUN, opened, NOW)
    assert not allows(Principal("ada", scopes=frozenset({Action.DISCOVER})), Action.READ, opened, NOW)


def test_derived_is_never_more_open_than_its_inputs() -> None:
    result = Resource(owner="ada", open_from=NOW, discoverable_from=NOW, inputs=(Resource(proposal=1),))
    assert not allows(ANONYMOUS, Action.DISCOVER, result, NOW)
    assert not allows(Principal("ada"), Action.READ, result, NOW)
    member = Principal("ada", proposals={Role.MEMBER: frozenset({1})})
    assert allows(member, Action.READ, result, NOW)


def test_sub_millisecond_moments_are_cut_alike(database: Database) -> None:
    at = NOW + timedelta(microseconds=1500)
    opened = {"open_from": NOW + timedelta(milliseconds=1), "discoverable_from": NOW, "owner": None}
    with database.write() as connection:
        fill(
            connection,
            {
                "document": [{"id": 1, "proposal_id": 1, "deleted_at": None, **opened}],
                "instrument": [],
                "sample": [],
                "dataset": [],
            },
        )
        seen = connection.execute(sa.select(documents.c.id).where(visible(documents, ANONYMOUS, Action.READ, at)))
        assert bool(seen.all()) == allows(ANONYMOUS, Action.READ, resource(connection, "document", 1), at)
