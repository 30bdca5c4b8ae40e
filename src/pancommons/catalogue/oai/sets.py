"""The sets of the catalogue: facilities, instruments, techniques, and all data for OpenAIRE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote, unquote

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from pancommons.catalogue.access import ANONYMOUS, Action, visible
from pancommons.catalogue.tables import (
    dataset_techniques,
    datasets,
    instruments,
    technique_closure,
    techniques,
)

OPENAIRE = "openaire_data"
_PLAIN = re.compile(r"[A-Za-z0-9\-_.!~*'()]")


def list_sets(connection: Connection, at: datetime) -> list[tuple[str, str]]:
    """List the sets that hold something to be found, as setSpec and name, in the order of their names."""
    facilities = sa.select(instruments.c.facility).distinct().where(_seen(instruments, at))
    lines = sa.select(instruments.c.identifier, instruments.c.name, instruments.c.facility).where(
        _seen(instruments, at)
    )
    used = sa.select(dataset_techniques.c.technique_id).distinct()
    above = sa.select(technique_closure.c.ancestor_id).where(technique_closure.c.descendant_id.in_(used))
    methods = sa.select(techniques.c.pid, techniques.c.name).where(
        sa.or_(techniques.c.id.in_(used), techniques.c.id.in_(above))
    )
    found = [(OPENAIRE, "Research data, for OpenAIRE")]
    found += sorted((f"facility:{_word(name)}", name) for name in connection.execute(facilities).scalars())
    found += sorted(
        (f"instrument:{row.identifier}", f"{row.name}, {row.facility}") for row in connection.execute(lines)
    )
    found += sorted((f"technique:{_word(_tail(row.pid))}", row.name) for row in connection.execute(methods))
    return found


def belongs(connection: Connection, spec: str) -> ColumnElement[bool] | None:
    """Return the condition on datasets that are in a set; None if there is no such set."""
    kind, _, word = spec.partition(":")
    if spec == OPENAIRE:
        return sa.true()
    if kind == "facility" and word:
        own = sa.select(instruments.c.id).where(instruments.c.facility == _said(word))
        return datasets.c.instrument_id.in_(own)
    if kind == "instrument" and word:
        return datasets.c.instrument_id.in_(sa.select(instruments.c.id).where(instruments.c.identifier == word))
    if kind == "technique" and word:
        pids = [pid for pid in connection.execute(sa.select(techniques.c.pid)).scalars() if _word(_tail(pid)) == word]
        if not pids:
            return sa.false()
        key = sa.select(techniques.c.id).where(techniques.c.pid.in_(pids))
        below = sa.select(technique_closure.c.descendant_id).where(technique_closure.c.ancestor_id.in_(key))
        return sa.exists().where(
            dataset_techniques.c.dataset_id == datasets.c.id,
            sa.or_(dataset_techniques.c.technique_id.in_(key), dataset_techniques.c.technique_id.in_(below)),
        )
    return None


def specs(facility: str | None, instrument: str | None, pids: tuple[str, ...]) -> Iterator[str]:
    """Give the sets a dataset is in by what it says of itself; sets above a technique's hold it without saying so."""
    yield OPENAIRE
    if facility:
        yield f"facility:{_word(facility)}"
    if instrument:
        yield f"instrument:{instrument}"
    for pid in pids:
        yield f"technique:{_word(_tail(pid))}"


def _seen(table: sa.Table, at: datetime) -> ColumnElement[bool]:
    return visible(table, ANONYMOUS, Action.DISCOVER, at)


def _tail(pid: str) -> str:
    return pid.rstrip("/").rsplit("/", 1)[-1] or pid


def _word(text: str) -> str:
    """Write any text with the signs a setSpec may have: a percent-encoding with ``!`` for the percent sign."""
    return "".join(sign if _PLAIN.fullmatch(sign) and sign != "!" else quote(sign, safe="") for sign in text).replace(
        "%", "!"
    )


def _said(word: str) -> str:
    return unquote(word.replace("!", "%"), errors="replace")
