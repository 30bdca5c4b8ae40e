"""What of that which was asked for is protected, and the lines of the audit that say who saw it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.catalogue import audit, parts
from pancommons.catalogue.identifiers import parse_identifier
from pancommons.catalogue.tables import RECORDS, datasets
from pancommons.runs.tables import runs
from pancommons.store.functions import among

_FILES_A_LINE = 200

Kind = Literal["file", "place", "dataset", "document", "instrument", "sample", "run", "question"]


class Note(NamedTuple):
    """Somebody asked for something, and got it or not.

    Attributes
    ----------
    by
        ``session`` or ``token`` with its number; None for whoever sits at the machine, and for anybody.
    what
        Of `audit.READS`.
    kind, key
        What was asked for, as it was named: an identifier or a PID; a root and a path in it, parted by NUL; a question.
    """

    who: str
    by: tuple[str, int] | None
    what: str
    kind: Kind
    key: str
    refused: bool = False


@dataclass(frozen=True)
class _Thing:
    """What was meant: the record, from when on anybody may have it, and the file of it."""

    kind: str | None
    identifier: str | None
    public_from: datetime | None = None
    findable_from: datetime | None = None
    file: tuple[str, str] | None = None
    pictured: bool = True

    def open(self, what: str, at: datetime) -> bool:
        since = self.findable_from if what == "metadata" else self.public_from
        return since is not None and since <= at


@dataclass
class Recognised:
    """What notes turned out to be.

    Attributes
    ----------
    lines
        For the audit, in the order of time.
    protected
        The notes that they tell of.
    open
        How often data that are open to everybody were asked for, by kind of access.
    """

    lines: list[audit.Told] = field(default_factory=list)
    protected: set[Note] = field(default_factory=set)
    open: Counter[str] = field(default_factory=Counter)


def recognise(connection: Connection, notes: Mapping[Note, datetime]) -> Recognised:
    """Find out which notes are about what not everybody may have, with a few queries for all of them.

    What is not there is left out, and so is what was deleted. The files of a dataset that somebody saw in the same
    way stand in one line.
    """
    known = _things(connection, notes)
    found = Recognised()
    together: defaultdict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    began: dict[tuple[Any, ...], datetime] = {}
    for note, at in notes.items():
        for thing in known.get((note.kind, note.key), ()):
            if thing.open(note.what, at) or (note.refused and note.what == "picture" and not thing.pictured):
                found.open[note.what] += not note.refused
                continue
            found.protected.add(note)
            asked = note.key if note.kind == "question" else None
            group = (note.who, note.by, note.what, note.refused, thing.kind, thing.identifier, asked)
            began[group] = min(at, began.get(group, at))
            together[group] |= dict([thing.file] if thing.file else [])
    for group, at in sorted(began.items(), key=lambda one: one[1]):
        found.lines += _lines(group, at, together[group])
    return found


def _lines(group: tuple[Any, ...], at: datetime, files: Mapping[str, str]) -> Iterator[audit.Told]:
    who, by, what, refused, kind, identifier, asked = group
    facts = {
        **({by[0]: by[1]} if by else {}),
        **({"access": what} if refused else {}),
        **({"asked": asked} if asked else {}),
    }
    word, named = audit.REFUSED if refused else what, list(files.items())
    for first in range(0, max(1, len(named)), _FILES_A_LINE):
        some = dict(named[first : first + _FILES_A_LINE])
        yield audit.Told(at, who, word, kind, identifier, facts | ({"files": some} if some else {}))


Known = dict[tuple[str, str], list[_Thing]]


def _things(connection: Connection, notes: Collection[Note]) -> Known:
    """Look up what all notes name; a place may be part of several datasets."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for note in notes:
        if "\0" not in note.key or note.kind == "place":
            keys[note.kind].add(note.key)
    known: Known = defaultdict(list)
    for name in keys["question"]:
        known["question", name].append(_Thing(None, None))
    _files(connection, keys["file"], known)
    _places(connection, keys["place"], known)
    _runs(connection, keys["run"], known)
    for kind in RECORDS:
        _records(connection, kind, keys[kind], known)
    return known


def _of_files() -> sa.Select[Any]:
    own, files = datasets.c, parts.files.c
    return (
        sa.select(
            files.identifier.label("file"), files.name, files.root, files.path, own.identifier, own.public_from,
            own.findable_from,
        )
        .join(datasets, own.id == files.dataset_id)
        .where(own.deleted_at.is_(None))
    )  # fmt: skip


def _file(row: Any) -> _Thing:
    return _Thing("dataset", row.identifier, row.public_from, row.findable_from, (row.file, row.name))


def _files(connection: Connection, keys: set[str], known: Known) -> None:
    if keys:
        for row in connection.execute(_of_files().where(among(parts.files.c.identifier, keys))):
            known["file", row.file].append(_file(row))


def _places(connection: Connection, keys: set[str], known: Known) -> None:
    by_root: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        root, _, path = key.partition("\0")
        by_root[root].add(path)
    for root, paths in by_root.items():
        here = (parts.files.c.root == root, among(parts.files.c.path, paths), parts.files.c.role == "data")
        for row in connection.execute(_of_files().where(*here)):
            known["place", f"{row.root}\0{row.path}"].append(_file(row))


def _runs(connection: Connection, keys: set[str], known: Known) -> None:
    if keys:
        query = sa.select(runs.c.identifier).where(among(runs.c.identifier, keys), runs.c.removed.is_(None))
        for name in connection.execute(query).scalars():
            known["run", name].append(_Thing("run", name))


def _records(connection: Connection, kind: str, keys: set[str], known: Known) -> None:
    """Find records by identifier, PID or a further PID, as `pancommons.catalogue.read.find` does one."""
    if not keys:
        return
    own, more = RECORDS[kind].c, parts.pids.c
    public, findable = ("public_from", "findable_from") if kind == "dataset" else ("open_from", "discoverable_from")
    pictured = sa.exists().where(parts.thumbnails.c.dataset_id == own.id) if kind == "dataset" else sa.true()
    shown = (own.id, own.identifier, own.pid, own[public].label("public"), own[findable].label("findable"))
    query = sa.select(*shown, pictured.label("pictured")).where(own.deleted_at.is_(None))
    typed = {key: parse_identifier(key) for key in keys}
    wanted = {name for name in typed.values() if name}
    further = sa.select(more.value, more.record_id).where(more.kind == kind, among(more.value, keys))
    named = {row.value: row.record_id for row in connection.execute(further.order_by(more.record_id.desc()))}
    ways = [among(own.pid, keys)]
    ways += [among(own.identifier, wanted)] if wanted else []
    ways += [among(own.id, set(named.values()))] if named else []
    rows = connection.execute(query.where(sa.or_(*ways))).all()
    by_name, by_pid, by_id = ({row[at]: row for row in rows} for at in (1, 2, 0))
    for key in keys:
        row = by_name.get(typed[key] or "") or by_pid.get(key) or by_id.get(named.get(key, 0))
        if row is not None:
            known[kind, key].append(_Thing(kind, row.identifier, row.public, row.findable, None, bool(row.pictured)))
