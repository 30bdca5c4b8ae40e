"""The text index: a table of terms beside a table of records, searched by word and by substring.

SQLite indexes it by FTS5 (the stemmed terms through ``unicode61``, the letters through ``trigram``), kept up by
triggers; PostgreSQL by a ``tsvector`` that is handed over ready made and by ``pg_trgm``. Neither splits, folds
or stems by itself: `pancommons.store.words` did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.selectable import Select

from pancommons.store.functions import contains
from pancommons.store.schema import METADATA, Key, Text
from pancommons.store.words import terms as split

SEPARATOR = "\n"
"""Stands between the fields of a folded text, so that no substring reaches from one into the next."""


@dataclass(frozen=True)
class TextIndex:
    """The text of one kind of record.

    Attributes
    ----------
    table
        ``id`` (that of the record), ``title`` and ``body`` (stemmed terms parted by spaces), and ``vector`` on
        PostgreSQL.
    letters
        ``id`` and ``folded`` (the searched fields in lower case, parted by line ends): a narrow table, because
        PostgreSQL looks at each text again that its index finds.
    """

    table: sa.Table
    letters: sa.Table

    @property
    def words(self) -> str:
        """Return the name of SQLite's index of terms."""
        return f"{self.table.name}_words"

    @property
    def grams(self) -> str:
        """Return the name of SQLite's index of letters."""
        return f"{self.table.name}_grams"


def text_index(records: sa.Table) -> TextIndex:
    """Declare the text index of a table of records."""
    table = sa.Table(
        f"{records.name}_text",
        METADATA,
        _id(records),
        sa.Column("title", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("vector", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")),
    )
    letters = sa.Table(f"{records.name}_letters", METADATA, _id(records), sa.Column("folded", Text, nullable=False))
    for column, operators in ((table.c.vector, {}), (letters.c.folded, {"folded": "gin_trgm_ops"})):
        name = f"ix_{column.table.name}_{column.name}"
        sa.Index(name, column, postgresql_using="gin", postgresql_ops=operators).ddl_if(dialect="postgresql")
    return TextIndex(table, letters)


def _id(records: sa.Table) -> sa.Column[int]:
    key = sa.ForeignKey(records.c.id, ondelete="CASCADE")
    return sa.Column("id", Key, key, primary_key=True, autoincrement=False)


def text_rows(
    dialect: str, index: TextIndex, key: int, title: str, body: str, fields: Sequence[str | None]
) -> list[tuple[sa.Table, dict[str, Any]]]:
    """Make the rows of a record, each with its table.

    Parameters
    ----------
    key
        The record's id.
    title, body
        What is searched by word; a word in the title counts for more.
    fields
        What is searched by substring.
    """
    in_title, in_body = split(title), split(body)
    folded = SEPARATOR.join(field.lower().replace(SEPARATOR, " ") for field in fields if field)
    words = {
        "id": key,
        "title": _clean(" ".join(in_title)),
        "body": _clean(" ".join(in_body)),
        "vector": _vector(in_title, in_body) if dialect == "postgresql" else None,
    }
    return [(index.table, words), (index.letters, {"id": key, "folded": _clean(folded)})]


def vector(title: str, body: str) -> str:
    """Make the value of PostgreSQL's column ``vector`` of the two columns it follows from."""
    return _vector(title.split(), body.split())


def _clean(text: str) -> str:
    return text.replace("\0", "")


def _vector(title: Sequence[str], body: Sequence[str]) -> str:
    places: dict[str, list[str]] = {}
    for place, term in enumerate(title, 1):
        places.setdefault(term, []).append(f"{min(place, 16383)}A")
    for place, term in enumerate(body, len(title) + 2):
        places.setdefault(term, []).append(f"{min(place, 16383)}")
    return " ".join(f"'{term}':{','.join(listed[:255])}" for term, listed in places.items())


def with_words(
    dialect: str,
    index: TextIndex,
    terms: Sequence[str],
    *,
    mode: Literal["all", "any", "phrase"] = "all",
    title_only: bool = False,
) -> Select[tuple[int]]:
    """Select the ids of the records that have the terms.

    Parameters
    ----------
    dialect
        ``sqlite`` or ``postgresql``, as `Database.dialect` says.
    terms
        At least one, as `pancommons.store.words.terms` gives them; a ``*`` at the end stands for any ending.
    mode
        All of them, any of them, or one after the other.
    title_only
        Look at the titles only.

    Returns
    -------
    select
        One column ``id``. ``ORDER BY id DESC LIMIT n`` on it stops early, however common the term.
    """
    if dialect == "sqlite":
        hits = sa.table(index.words, sa.column("rowid", Key))
        found = sa.literal_column(index.words).op("MATCH")(_fts5(terms, mode, title_only))
        return sa.select(hits.c.rowid.label("id")).where(found)
    query = sa.cast(_tsquery(terms, mode, title_only), postgresql.TSQUERY)
    return sa.select(index.table.c.id).where(index.table.c.vector.op("@@")(query))


def with_substring(dialect: str, index: TextIndex, literal: str) -> Select[tuple[int]]:
    """Select the ids of the records one of whose searched fields contains a text, whatever the case.

    Nothing in the text is special. At least three letters use the trigram index; fewer read every row.
    """
    literal = literal.lower()
    if len(literal) < _GRAM:
        return sa.select(index.letters.c.id).where(contains(index.letters.c.folded, literal))
    if dialect == "sqlite":
        hits = sa.table(index.grams, sa.column("rowid", Key))
        quoted = '"' + literal.replace('"', '""') + '"'
        return sa.select(hits.c.rowid.label("id")).where(sa.literal_column(index.grams).op("MATCH")(quoted))
    return sa.select(index.letters.c.id).where(index.letters.c.folded.contains(literal, autoescape=True))


_GRAM = 3


def _fts5(terms: Sequence[str], mode: str, title_only: bool) -> str:
    quoted = [f'"{term.rstrip("*")}"{" *" if term.endswith("*") else ""}' for term in terms]
    joined = {"all": " AND ", "any": " OR ", "phrase": " + "}[mode].join(quoted)
    return f"{{title}} : ({joined})" if title_only else joined


def _tsquery(terms: Sequence[str], mode: str, title_only: bool) -> str:
    quoted = []
    for term in terms:
        flags = ("*" if term.endswith("*") else "") + ("A" if title_only else "")
        quoted.append(f"'{term.rstrip('*')}'" + (f":{flags}" if flags else ""))
    return {"all": " & ", "any": " | ", "phrase": " <-> "}[mode].join(quoted)
