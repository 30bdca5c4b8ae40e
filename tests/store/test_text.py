"""Search by word and by substring finds the same on both databases, and what Python would."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pancommons.catalogue.tables import instruments, instruments_text
from pancommons.store.engine import Database
from pancommons.store.ranking import score
from pancommons.store.rows import insert_rows
from pancommons.store.text import text_rows, with_substring, with_words
from pancommons.store.words import folded, terms

words = st.sampled_from(
    [
        "Tomography",
        "tomographic",
        "X-ray",
        "lung",
        "LUNGS",
        "4.2",
        "K",
        "Ångström",
        "naïve",
        "Ω",
        "日本",
        "it's",
        'q"t',
        "a_b",
    ]
)
texts = st.lists(words, max_size=6).map(" ".join)
pieces = st.one_of(st.text("aALung%_\\\"'K .", min_size=1, max_size=5), words)


def fill(connection: sa.Connection, rows: list[tuple[str, str]]) -> None:
    connection.execute(sa.delete(instruments))
    common = {"data_class": "", "policy": "", "digest": "", "name": "", "facility": ""}
    common |= {"created_at": None, "updated_at": None}
    from datetime import UTC, datetime

    common |= {"created_at": datetime(2020, 1, 1, tzinfo=UTC), "updated_at": datetime(2020, 1, 1, tzinfo=UTC)}
    numbered = [{"id": n, "identifier": str(n), "pid": str(n), "sequence": n, **common} for n in range(len(rows))]
    insert_rows(connection, instruments, numbered)
    dialect = connection.dialect.name
    for n, (title, body) in enumerate(rows):
        for table, row in text_rows(dialect, instruments_text, n, title, body, [title, body]):
            insert_rows(connection, table, [row])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(texts, texts), max_size=5), query=texts, piece=pieces)
def test_both_find_what_python_finds(database: Database, rows: list[tuple[str, str]], query: str, piece: str) -> None:
    wanted = terms(query)
    with database.write() as connection:
        fill(connection, rows)
        dialect = connection.dialect.name
        if wanted:
            found = [(terms(title), terms(body)) for title, body in rows]
            for mode, test in (("all", all), ("any", any)):
                got = connection.execute(with_words(dialect, instruments_text, wanted, mode=mode)).scalars()  # type: ignore[arg-type]
                assert set(got) == {n for n, (a, b) in enumerate(found) if test(one in a + b for one in wanted)}
            got = connection.execute(with_words(dialect, instruments_text, wanted, title_only=True)).scalars()
            assert set(got) == {n for n, (a, _) in enumerate(found) if all(one in a for one in wanted)}
        got = connection.execute(with_substring(dialect, instruments_text, piece)).scalars()
        low = piece.lower()
        assert set(got) == {n for n, pair in enumerate(rows) if any(low in one.lower() for one in pair)}


def test_phrases_and_beginnings(database: Database) -> None:
    with database.write() as connection:
        fill(connection, [("x-ray tomography of lungs", ""), ("tomography by x ray", ""), ("tomograms", "ray x")])
        dialect = connection.dialect.name

        def find(*wanted: str, mode: str = "all") -> list[int]:
            found = with_words(dialect, instruments_text, wanted, mode=mode).order_by(sa.desc("id"))  # type: ignore[arg-type]
            return list(connection.execute(found).scalars())

        assert find("x", "rai", mode="phrase") == [1, 0]
        assert find("tomo*") == [2, 1, 0]
        assert find(*terms("tomography")) == [1, 0]


def test_the_index_follows_changes(database: Database) -> None:
    with database.write() as connection:
        fill(connection, [("old words", "")])
        dialect = connection.dialect.name
        for table, new in text_rows(dialect, instruments_text, 0, "new text", "", ["new text"]):
            connection.execute(sa.update(table).where(table.c.id == 0).values(new))
        assert connection.execute(with_words(dialect, instruments_text, ["old"])).all() == []
        assert connection.execute(with_substring(dialect, instruments_text, "old")).all() == []
        assert connection.execute(with_words(dialect, instruments_text, ["new"])).all() == [(0,)]
        connection.execute(sa.delete(instruments))
        assert connection.execute(with_words(dialect, instruments_text, ["new"])).all() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X-ray Tomographies, running", ["x", "rai", "tomographi", "run"]),
        ("4.2 K", ["4", "2", "k"]),
        ("Ångström naïve", ["angstrom", "naiv"]),
        ("", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@given(st.text(max_size=60))
def test_folding_settles(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(query=texts, title=texts, body=texts)
def test_scores_lie_between_0_and_1(query: str, title: str, body: str) -> None:
    wanted, in_title, in_body = terms(query), terms(title), terms(body)
    got = score(wanted, " ".join(in_title), " ".join(in_body))
    assert (0 < got < 1) if set(wanted) & set(in_title + in_body) else got == 0


def test_scores_order_as_a_reader_would() -> None:
    query = terms("tomography of lung")
    both, one, buried = (
        score(query, " ".join(terms(title)), " ".join(terms(body)))
        for title, body in (
            ("lung tomography", ""),
            ("tomography of the foot", ""),
            ("a title about other things", "tomography " + "filler " * 40),
        )
    )
    assert both > one > buried
