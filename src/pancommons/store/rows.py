"""Many rows at once: ``executemany`` on SQLite, ``COPY`` on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def insert_rows(connection: Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that all have the keys of the first; columns not among them take their default.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        If a constraint is violated.
    """
    rows = list(rows)
    if not rows:
        return
    names = list(rows[0])
    writers = [_writer(connection, table.c[name]) for name in names]
    values = [[write(row[name]) for name, write in zip(names, writers, strict=True)] for row in rows]
    quote = connection.dialect.identifier_preparer.quote
    target = f"{quote(table.name)} ({', '.join(map(quote, names))})"
    if connection.dialect.name == "postgresql":
        _copy(connection, target, values)
    else:
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {target} VALUES ({marks})"  # noqa: S608  names of a declared table
        connection.exec_driver_sql(statement, [tuple(row) for row in values])


def _copy(connection: Connection, target: str, values: Sequence[Sequence[Any]]) -> None:
    import psycopg

    cursor: Any = connection.connection.cursor()
    try:
        with cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in values:
                copy.write_row(row)
    except psycopg.IntegrityError as error:
        raise sa.exc.IntegrityError(f"COPY {target}", None, error) from error
    finally:
        cursor.close()


def _writer(connection: Connection, column: sa.Column[Any]) -> Callable[[Any], Any]:
    dialect = connection.dialect
    implementation = column.type.dialect_impl(dialect)
    if isinstance(column.type, sa.JSON):
        import json

        return lambda value: None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)
    if dialect.name == "postgresql" and isinstance(column.type, (sa.LargeBinary, sa.Boolean)):
        return lambda value: value
    return implementation.bind_processor(dialect) or (lambda value: value)
