"""All of a database in one file, and back: every row of every table, the same on SQLite and PostgreSQL.

What belongs to one running portal is left out: sessions, tokens, sign-ins under way.

The file is gzip-compressed JSON lines. The first is the header: format, revision of the tables, rows of each. A
line ``{"table": ..., "columns": [...]}`` begins a table, each row is a list in the order of the columns, and the
last line is ``{"sha256": ...}`` of all before it. Moments are texts, bytes are base64.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from array import array
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.durable import replacing
from pancommons.base.errors import BadInput
from pancommons.catalogue import people  # noqa: F401  accounts are part of a dump
from pancommons.catalogue.ledger import counters
from pancommons.catalogue.tables import TEXTS
from pancommons.store.engine import Database
from pancommons.store.migrate import upgrade, version
from pancommons.store.rows import insert_rows
from pancommons.store.schema import METADATA, Instant
from pancommons.store.text import vector

FORMAT = 1
_NAME = "pancommons-dump"
_BATCH = 2000
_LINE = 256 * 2**20

Show = Callable[[int, int], None]


@dataclass(frozen=True)
class Dumped:
    """What a dump holds: the revision of its tables, and how many rows each has."""

    revision: str
    rows: dict[str, int]

    @property
    def total(self) -> int:
        """Return the number of rows of all tables."""
        return sum(self.rows.values())


def dump(database: Database, file: Path, show: Show = lambda done, total: None) -> Dumped:
    """Write every row of every table to a file, as they are at one moment, in bounded memory.

    Others may write meanwhile. The file is whole or not there.

    Parameters
    ----------
    show
        Called with the rows written and those there are.

    Raises
    ------
    BadInput
        If the database has no tables, or one that this program does not know.
    """
    revision = version(database)
    if revision is None:
        raise BadInput("the database has no tables", remedy="there is nothing to dump")
    with database.read() as connection, replacing(file) as beside, beside.open("wb") as raw:
        _check_known(connection)
        counts = {table.name: _count(connection, table) for table in kept()}
        dumped, done = Dumped(revision, counts), 0
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
            out = _Out(stream)
            out.line({_NAME: FORMAT, "revision": revision, "rows": counts})
            for table in kept():
                columns = _columns(table)
                out.line({"table": table.name, "columns": [column.name for column in columns]})
                writers = [_writer(column) for column in columns]
                for row in _rows(connection, table, columns):
                    out.line([write(value) for write, value in zip(writers, row, strict=True)])
                    done += 1
                    if done % _BATCH == 0:
                        show(done, dumped.total)
            out.line({"sha256": out.digest.hexdigest()})
        show(done, dumped.total)
    return dumped


def restore(database: Database, file: Path, show: Show = lambda done, total: None) -> Dumped:
    """Fill an empty database from a dump; one without tables gets them. It is filled whole or stays empty.

    Parameters
    ----------
    show
        Called with the rows put and those there are.

    Raises
    ------
    BadInput
        If the database is not empty, or the file is no dump, of another revision, cut short or changed.
    """
    with _opened(file) as stream:
        source = _In(stream, file)
        dumped = _header(source)
        _, head = upgrade(database)
        if dumped.revision != head:
            raise BadInput(
                f"holds tables of revision {dumped.revision}, and this release has {head}",
                file=file,
                remedy="restore it with the release that made it, and let this one upgrade that database",
            )
        with database.write() as connection:
            _check_empty(connection)
            connection.execute(sa.delete(counters))
            try:
                _fill(connection, source, dumped, show)
            except sa.exc.IntegrityError as error:
                raise source.bad(f"the rows contradict each other ({error.orig})") from None
    return dumped


def kept() -> list[sa.Table]:
    """Return the tables that a dump holds."""
    return [table for table in METADATA.sorted_tables if not table.info.get("transient")]


def head(file: Path) -> Dumped:
    """Return what a dump says of itself in its first line."""
    with _opened(file) as stream:
        return _header(_In(stream, file))


def _fill(connection: Connection, source: _In, dumped: Dumped, show: Show) -> None:
    done, filled = 0, []
    line = source.line()
    while isinstance(line, dict) and "table" in line:
        table, columns = _announced(line, source)
        if table.name in filled:
            raise source.bad(f"the table {table.name} comes twice")
        filled.append(table.name)
        count, inner = 0, _Inner(table)
        rows, ended = source.rows(), False
        while not ended:
            batch = []
            for one in islice(rows, _BATCH):
                if isinstance(one, dict):
                    line, ended = one, True
                    break
                batch.append(_row(table, columns, one, source, connection.dialect.name))
            insert_rows(connection, table, inner.without(batch))
            count += len(batch)
            show(done + count, dumped.total)
        inner.put_back(connection)
        done += count
        if count != dumped.rows.get(table.name):
            raise source.bad(f"the table {table.name} has {count} rows and not {dumped.rows.get(table.name)}")
    source.finish(line)
    if missing := {table.name for table in kept()} - set(filled):
        raise source.bad(f"the table {min(missing)} is missing")


class _Inner:
    """The references of a table's rows to others of the same table, put in once all of them are there."""

    def __init__(self, table: sa.Table) -> None:
        self.table = table
        self.columns = [key.parent for key in table.foreign_keys if key.column.table is table]
        self.pairs = {column.name: array("q") for column in self.columns}

    def without(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for name, pairs in self.pairs.items():
            for row in rows:
                if row[name] is not None:
                    pairs.extend((row["id"], row[name]))
                    row[name] = None
        return rows

    def put_back(self, connection: Connection) -> None:
        for column in self.columns:
            pairs = self.pairs[column.name]
            change = sa.update(self.table).where(self.table.c.id == sa.bindparam("key")).values(
                {column.name: sa.bindparam("other")}
            )  # fmt: skip
            for begin in range(0, len(pairs), 2 * _BATCH):
                part = pairs[begin : begin + 2 * _BATCH]
                connection.execute(change, [{"key": k, "other": o} for k, o in zip(part[::2], part[1::2], strict=True)])


class _Out:
    """Lines being written and digested."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self.stream, self.digest = stream, sha256()

    def line(self, value: object) -> None:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        self.digest.update(data)
        self.stream.write(data)


class _In:
    """Lines being read and digested."""

    def __init__(self, stream: gzip.GzipFile, file: Path) -> None:
        self.stream, self.file, self.number, self.digest = stream, file, 0, sha256()
        self.before = self.digest.hexdigest()

    def line(self) -> Any:
        self.before = self.digest.hexdigest()
        self.number += 1
        try:
            data = self.stream.readline(_LINE)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.bad(f"is cut short or damaged ({error})") from None
        if not data.endswith(b"\n"):
            raise self.bad("is cut short")
        self.digest.update(data)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise self.bad("is no JSON") from None

    def rows(self) -> Iterator[Any]:
        """Give rows, and at last the line that is none."""
        while True:
            value = self.line()
            yield value
            if isinstance(value, dict):
                return

    def finish(self, line: object) -> None:
        """Compare the digest of the last line with that of all before it."""
        if not isinstance(line, dict) or line.get("sha256") != self.before:
            raise self.bad("was changed after it was written: its digest is another")
        if self.stream.read(1):
            raise self.bad("goes on after its end")

    def bad(self, problem: str) -> BadInput:
        return BadInput(problem, file=self.file, field=f"line {self.number}", remedy="nothing was restored from it")


def _opened(file: Path) -> gzip.GzipFile:
    try:
        return gzip.GzipFile(file, "rb")
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=file) from None


def _header(source: _In) -> Dumped:
    line = source.line()
    if not isinstance(line, dict) or line.get(_NAME) != FORMAT:
        raise source.bad("is no dump of a catalogue, or one of a later release")
    rows, revision = line.get("rows"), line.get("revision")
    if not isinstance(rows, dict) or not all(isinstance(count, int) for count in rows.values()):
        raise source.bad("does not say how many rows there are")
    return Dumped(str(revision), rows)


def _announced(line: dict[str, Any], source: _In) -> tuple[sa.Table, list[sa.Column[Any]]]:
    known = {table.name: table for table in kept()}
    table = known.get(str(line["table"]))
    if table is None:
        raise source.bad(f"this release knows no table {str(line['table'])[:60]!r}")
    columns = _columns(table)
    if line.get("columns") != [column.name for column in columns]:
        raise source.bad(f"the table {table.name} has other columns in this release")
    return table, columns


def _row(table: sa.Table, columns: list[sa.Column[Any]], values: object, source: _In, dialect: str) -> dict[str, Any]:
    if not isinstance(values, list) or len(values) != len(columns):
        raise source.bad(f"is no row of the table {table.name}")
    try:
        row = {column.name: _read(column, value) for column, value in zip(columns, values, strict=True)}
    except (TypeError, ValueError) as error:
        raise source.bad(f"is no row of the table {table.name} ({error})") from None
    if dialect == "postgresql":
        if any(isinstance(value, str) and "\0" in value for value in row.values()):
            raise source.bad("a text holds a character with code 0, which PostgreSQL does not take")
        if table in _TEXT_TABLES:
            row["vector"] = vector(row["title"], row["body"])
    return row


_TEXT_TABLES = [index.table for index in TEXTS.values()]


def _columns(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns that are the same on both databases."""
    return [column for column in table.columns if not (table in _TEXT_TABLES and column.name == "vector")]


def _rows(connection: Connection, table: sa.Table, columns: list[sa.Column[Any]]) -> Iterator[Any]:
    asked = [sa.type_coerce(one, sa.Text) if isinstance(one.type, Instant) else one for one in columns]
    query = sa.select(*asked).order_by(*table.primary_key.columns)
    yield from connection.execute(query.execution_options(yield_per=_BATCH))


def _writer(column: sa.Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, sa.LargeBinary):
        return lambda value: None if value is None else b64encode(value).decode()
    if isinstance(column.type, sa.Double):
        return lambda value: value if value is None or math.isfinite(value) else str(value)
    return lambda value: value


def _read(column: sa.Column[Any], value: Any) -> Any:
    kind = column.type
    if value is None:
        return None
    if isinstance(kind, Instant):
        return datetime.fromisoformat(value)
    if isinstance(kind, sa.LargeBinary):
        return b64decode(value, validate=True)
    if isinstance(kind, sa.Double):
        return float(value)
    if isinstance(kind, sa.JSON):
        return value
    wanted = bool if isinstance(kind, sa.Boolean) else int if isinstance(kind, sa.Integer) else str
    if type(value) is not wanted:
        raise ValueError(f"{column.name} is not {wanted.__name__}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{column.name} is out of range")
    return value


def _count(connection: Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _check_known(connection: Connection) -> None:
    """Refuse to leave a table out."""
    indexes = tuple(name for index in TEXTS.values() for name in (index.words, index.grams))
    there = {name for name in sa.inspect(connection).get_table_names() if not name.startswith(indexes)}
    if unknown := there - {table.name for table in METADATA.sorted_tables} - {"alembic_version"}:
        raise BadInput(f"the database has a table {min(unknown)} that this release does not know", field="database")


def _check_empty(connection: Connection) -> None:
    for table in METADATA.sorted_tables:
        if table is not counters and connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise BadInput(
                f"the database is not empty: there are rows in {table.name}",
                field="database",
                remedy="restore into a new one",
            )
