"""When to walk past records and ask each for a parameter in a range, and not to gather them from the parameters.

Gathering what lies above thousands of parameters takes longer than finding ten records among the first fifty. So the
parameters are counted, which an index does in a millisecond or two, and no further than `FEW`. Where they are many
enough, whoever asks whether a dataset has one looks the dataset up among them, read once into a hash; where they are
too many for that, it looks for one by the dataset. PostgreSQL would gather: its statistics take the columns of
parameters to be independent, which name, dimension and amount never are, and so it expects a thirtieth of the
parameters that there are, or less. SQLite gathers datasets so fast that it walks past what lies above these only.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import Select

from pancommons.catalogue.parts import parameters
from pancommons.catalogue.search.filtering import condition
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.models import DATASET, PARAMETER, Model
from pancommons.catalogue.search.query import All, Condition, Equals, Filter, Include, Measured, Ordered

FEW = 20_000
"""So many parameters are read into a hash at most; it takes 10 ms and a megabyte."""

ENOUGH = 500
"""Fewer parameters than this are gathered from below, as PostgreSQL does by itself: it takes 10 ms."""

_WITH_MANY = frozenset({"Instrument", "Technique"})
"""Models whose records are few and have many datasets each, which takes longer to walk past."""

_FOR_EACH = 20
"""So many parameters there must be for each record wanted, for a walk that ends early to pay."""


def count_ranges(asked: Filter, ground: Ground, connection: Connection) -> None:
    """Count the parameters that the includes of a query ask for, where an index gives just these.

    Those of the first level are counted only where nothing else is asked for: it is not known how many have both.
    """
    way = _only(asked)
    if way is not None and (ground.dialect == "postgresql" or asked.model is not DATASET):
        _count(way, FEW, ground, connection)
    if ground.dialect == "postgresql":
        for include in (include for one in asked.include for include in _ranges(one.scope)):
            _count(include, enough(asked.model), ground, connection)


def _count(include: Include, most: int, ground: Ground, connection: Connection) -> None:
    """Count as far as is of interest; what is beyond that counts as too many."""
    if include not in ground.counted:
        rows = with_one(include, ground, most + 1).subquery()
        count = connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
        ground.counted[include] = count if count <= most else FEW + 1


def walks(asked: Filter, wanted: int, ground: Ground) -> bool:
    """Say whether the first records, in the order of an index, are found sooner by walking than from below.

    Parameters
    ----------
    wanted
        How many are, with those that are skipped.
    """
    way = _only(asked)
    if way is None or any((asked.model, one.field) != (DATASET, "creationDate") for one in asked.order):
        return False
    return ground.counted.get(way, 0) > max(enough(asked.model), _FOR_EACH * wanted)


def enough(model: Model) -> int:
    """Return from how many parameters on each dataset of a record is asked whether it has one."""
    return 10 * ENOUGH if model.name in _WITH_MANY else ENOUGH


def counted(include: Include, ground: Ground) -> int:
    """Return how many parameters were counted for an include, here or below; 0 where none were."""
    if not ground.counted:
        return 0
    below = (counted(one, ground) for one in include.scope.include)
    return max(ground.counted.get(include, 0), *below, 0)


def with_one(include: Include, ground: Ground, most: int) -> Select[tuple[int]]:
    """Select the ids of the datasets with a parameter that an include asks for."""
    assert include.scope.where is not None  # noqa: S101
    table = ground.alias(parameters, first=True)
    asked = condition(include.scope.where, PARAMETER, table, ground)
    return sa.select(table.c.dataset_id).where(table.c.dataset_id.is_not(None), asked).limit(most)


def _ranges(asked: Filter) -> Iterator[Include]:
    for include in asked.include:
        if asked.model is DATASET and _is_way(include):
            yield include
        yield from _ranges(include.scope)


def _only(asked: Filter) -> Include | None:
    """Return the include that asks for parameters, if it is all that is asked, here or one level below."""
    required = [include for include in asked.include if include.requires]
    if len(required) != 1 or not _is_open(asked.where):
        return None
    [include] = required
    if asked.model is DATASET:
        return include if _is_way(include) else None
    below = [one for one in include.scope.include if one.requires]
    if include.relation.model != "Dataset" or len(below) != 1 or not _is_open(include.scope.where):
        return None
    return below[0] if _is_way(below[0]) else None


def _is_open(where: Condition | None) -> bool:
    """Say whether a condition holds for most records: there is none, or they are to be public."""
    return where is None or (isinstance(where, Equals) and where.values == (True,))


def _is_way(include: Include) -> bool:
    """Say whether an include of datasets asks for nothing but parameters that an index gives."""
    parts = list(_laid_out(include.scope.where))
    named = any(isinstance(part, Equals) and part.field == "name" for part in parts)
    required = any(one.requires for one in include.scope.include)
    return include.relation.model == "Parameter" and named and not required and all(map(_is_indexed, parts))


def _laid_out(where: Condition | None) -> Iterator[Condition]:
    if isinstance(where, All):
        for part in where.parts:
            yield from _laid_out(part)
    elif where is not None:
        yield where


def _is_indexed(part: Condition) -> bool:
    if isinstance(part, Measured):
        return len(part.unit.readings) == 1 and part.unit.readings[0].names is None
    if isinstance(part, Equals):
        return len(part.values) == 1 and part.field in ("name", "number")
    return isinstance(part, Ordered) and part.field == "number"
