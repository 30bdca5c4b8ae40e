"""What both databases say differently means the same."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pancommons.store.engine import Database
from pancommons.store.functions import among, contains, fold, json_list, matches

letters = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
anywhere = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anywhere
@given(text=letters, part=letters)
def test_contains_is_literal(database: Database, text: str, part: str) -> None:
    with database.read() as connection:
        found = connection.execute(sa.select(contains(sa.literal(text, sa.Text()), part))).scalar()
        assert bool(found) == (part in text)


@pytest.mark.parametrize(
    ("text", "part"), [("X-Ray", "x-rAY"), ("ÄRGER Σας", "ärger"), ("50%_\\", "%_\\"), ("ßÉ", "é")]
)
def test_contains_without_case(database: Database, text: str, part: str) -> None:
    with database.read() as connection:
        column = sa.literal(text, sa.Text())
        assert connection.execute(sa.select(contains(column, part, ignore_case=True))).scalar()
        assert connection.execute(sa.select(fold(column))).scalar() == text.lower()


@pytest.mark.parametrize("values", [[], [3], list(range(5000)), ["a", "é'"], [f"x{n}" for n in range(40_000)]])
def test_among_takes_any_number(database: Database, values: list[int] | list[str]) -> None:
    column = sa.literal(3) if values and isinstance(values[0], int) else sa.literal("é'", sa.Text())
    with database.read() as connection:
        found = connection.execute(sa.select(sa.literal(1)).where(among(column, values))).scalar()
    assert bool(found) == bool(values and (3 in values or "é'" in values))


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [("Lung", "^L", True), ("lung", "^L", False), ("lung", "(?i)^L", True), ("a1b", r"\d", True), (None, "x", None)],
)
def test_regular_expressions(database: Database, text: str | None, pattern: str, found: bool | None) -> None:
    with database.read() as connection:
        assert connection.execute(sa.select(matches(sa.literal(text, sa.Text()), pattern))).scalar() == found


def test_rows_as_one_json_list(database: Database) -> None:
    rows = sa.union_all(
        *(
            sa.select(
                sa.literal(n).label("n"),
                sa.literal("it's").label("odd 'name'"),
                sa.literal(n > 1, sa.Boolean()).label("flag"),
                sa.literal({"a": [n]}, sa.JSON()).label("json"),
                sa.cast(sa.null(), sa.Double).label("none"),
            )
            for n in (2, 1)
        )
    ).subquery()
    with database.read() as connection:
        got = connection.execute(sa.select(json_list(sa.select(rows).order_by(rows.c.n)))).scalar()
        assert got == [
            {"n": 1, "odd 'name'": "it's", "flag": False, "json": {"a": [1]}, "none": None},
            {"n": 2, "odd 'name'": "it's", "flag": True, "json": {"a": [2]}, "none": None},
        ]
        assert connection.execute(sa.select(json_list(sa.select(rows).where(rows.c.n > 5)))).scalar() == []


def test_lists_nest(database: Database) -> None:
    inner = sa.select(sa.literal(1).label("x"))
    outer = sa.select(sa.literal("a").label("name"), json_list(inner).label("inner"))
    with database.read() as connection:
        assert connection.execute(sa.select(json_list(outer))).scalar() == [{"name": "a", "inner": [{"x": 1}]}]


def test_order_is_by_code_point(database: Database) -> None:
    from pancommons.catalogue.tables import techniques

    names = ["a", "B", "ä", "Z", "_", "0"]
    with database.write() as connection:
        connection.execute(
            sa.insert(techniques), [{"id": n, "pid": str(n), "name": name} for n, name in enumerate(names)]
        )
        got = connection.execute(sa.select(techniques.c.name).order_by(techniques.c.name)).scalars().all()
    assert got == sorted(names)
