"""The ontology in the database: loaded from a file once, read back for every question."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from pancommons.catalogue.access import Principal
from pancommons.catalogue.changes import only_new
from pancommons.catalogue.ledger import Reached, reached
from pancommons.catalogue.ontology.graph import Ontology, core
from pancommons.catalogue.ontology.reading import read_ontology
from pancommons.catalogue.records import Technique
from pancommons.catalogue.tables import technique_parents, technique_synonyms, techniques
from pancommons.catalogue.techniques import put_techniques

_kept: WeakKeyDictionary[Engine, tuple[Reached, Ontology]] = WeakKeyDictionary()


def kept_ontology(connection: Connection) -> Ontology:
    """Return the techniques of the catalogue as they are now, read where more changed since than that datasets came.

    Parameters
    ----------
    connection
        One that reads: what a transaction writes that is given up is never kept.
    """
    now, engine = reached(connection), connection.engine
    known = _kept.get(engine)
    if known is None or (known[0] != now and not only_new(connection, known[0], now)):
        found = stored_ontology(connection)
    else:
        found = known[1]
    _kept[engine] = now, found
    return found


def stored_ontology(connection: Connection) -> Ontology:
    """Read the techniques of the catalogue; a few hundred, so whoever asks often takes `kept_ontology`."""
    rows = connection.execute(sa.select(techniques).order_by(techniques.c.pid)).all()
    pids = {row.id: row.pid for row in rows}
    synonyms: defaultdict[int, list[str]] = defaultdict(list)
    parents: defaultdict[int, list[str]] = defaultdict(list)
    for row in connection.execute(sa.select(technique_synonyms).order_by(technique_synonyms.c.synonym)):
        synonyms[row.technique_id].append(row.synonym)
    for row in connection.execute(sa.select(technique_parents)):
        parents[row.technique_id].append(pids[row.parent_id])
    return Ontology(
        Technique(
            pid=row.pid,
            name=row.name,
            definition=row.definition,
            synonyms=tuple(synonyms[row.id]),
            parents=tuple(sorted(parents[row.id])),
        )
        for row in rows
    )


def load_ontology(connection: Connection, path: str | Path, *, by: Principal, at: datetime) -> int:
    """Put the techniques of a file into the catalogue, and return how many there are in it.

    What only describes techniques is left out, as are parents that neither the file nor the catalogue has.
    Names that are there already become synonyms where the file has others.

    Raises
    ------
    BadInput
        If the file is no ontology.
    """
    ontology = read_ontology(path).techniques_only()
    there = set(connection.execute(sa.select(techniques.c.pid)).scalars())
    put_techniques(
        connection,
        [
            replace(one, parents=tuple(pid for pid in one.parents if pid in ontology or pid in there))
            for one in ontology
        ],
        by=by,
        at=at,
    )
    return len(ontology)


def ensure_core(connection: Connection, *, by: Principal, at: datetime) -> None:
    """Put those of the package's own techniques into the catalogue that it lacks."""
    there = set(connection.execute(sa.select(techniques.c.pid)).scalars())
    if missing := [one for one in core() if one.pid not in there]:
        put_techniques(connection, missing, by=by, at=at)
