"""Techniques and what lies below each: the ontology as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue import audit
from pancommons.catalogue.access import Principal
from pancommons.catalogue.ledger import numbers, take
from pancommons.catalogue.records import Technique
from pancommons.catalogue.tables import technique_closure, technique_parents, technique_synonyms, techniques
from pancommons.store.functions import among
from pancommons.store.rows import insert_rows


def put_techniques(connection: Connection, given: Iterable[Technique], *, by: Principal, at: datetime) -> None:
    """Add techniques or bring them up to date; an old name becomes a synonym, old synonyms stay.

    Parents are among those given or there already. Two that are each other's parent mean the same: what
    lies below one lies below the other.

    Raises
    ------
    BadInput
        If a parent is unknown.
    """
    new = {one.pid: one for one in given}
    there = {row.pid: row for row in connection.execute(sa.select(techniques))}
    ids = {pid: row.id for pid, row in there.items()}
    free = numbers(connection, "id", block=max(1, len(new)))
    synonyms = {(row.technique_id, row.synonym) for row in connection.execute(sa.select(technique_synonyms))}
    for pid, one in new.items():
        if pid not in ids:
            ids[pid] = next(free)
            connection.execute(
                sa.insert(techniques).values(id=ids[pid], pid=pid, name=one.name, definition=one.definition)
            )
        else:
            connection.execute(
                sa.update(techniques)
                .where(techniques.c.id == ids[pid])
                .values(name=one.name, definition=one.definition)
            )
        old = [there[pid].name] if pid in there and there[pid].name != one.name else []
        more = {(ids[pid], text) for text in (*one.synonyms, *old) if text != one.name} - synonyms
        insert_rows(
            connection, technique_synonyms, [{"technique_id": key, "synonym": text} for key, text in sorted(more)]
        )
    _set_parents(connection, new, ids)
    _renew_closure(connection, list(ids.values()))
    take(connection, "sequence", 1)  # whoever keeps what was read or counted learns of it, see `ledger.reached`
    audit.record(connection, by, "load", at, kind="technique", facts={"techniques": len(new)})


def _set_parents(connection: Connection, new: dict[str, Technique], ids: dict[str, int]) -> None:
    mine = [ids[pid] for pid in new]
    connection.execute(sa.delete(technique_parents).where(among(technique_parents.c.technique_id, mine)))
    rows = []
    for pid, one in new.items():
        for parent in dict.fromkeys(one.parents):
            if parent not in ids:
                raise BadInput(f"there is no technique {parent}", file=pid, field="parents")
            rows.append({"technique_id": ids[pid], "parent_id": ids[parent]})
    insert_rows(connection, technique_parents, rows)


def _renew_closure(connection: Connection, ids: list[int]) -> None:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for row in connection.execute(sa.select(technique_parents)):
        children[row.parent_id].append(row.technique_id)
    connection.execute(sa.delete(technique_closure))
    rows = []
    for ancestor in ids:
        below = {ancestor}
        waiting = [ancestor]
        while waiting:
            fresh = set(children[waiting.pop()]) - below
            below |= fresh
            waiting += fresh
        rows += [{"ancestor_id": ancestor, "descendant_id": one} for one in sorted(below)]
    insert_rows(connection, technique_closure, rows)
