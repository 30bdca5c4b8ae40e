"""Reading a filter: from JSON, as a client sent it, to a checked query."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pancommons.catalogue.search.conditions import Reader
from pancommons.catalogue.search.errors import BadFilter
from pancommons.catalogue.search.models import MODELS, Kind, Model
from pancommons.catalogue.search.query import Condition, Filter, Include, Sorting

LONGEST = 65_536
DEEPEST_INCLUDE = 24
_MOST = 1 << 31
_PARTS = ("where", "include", "fields", "order", "limit", "skip", "offset", "query")


def read_filter(model: Model, given: Any, *, name: str = "filter") -> Filter:
    """Read the filter of a request.

    Parameters
    ----------
    given
        A JSON text, what JSON gives, or None.
    name
        What the client calls it.

    Raises
    ------
    BadFilter
        If it is malformed, too large, or names a field, relation or operator that there is not.
    """
    return _Parser().filter(model, loaded(given, name), name, 0)


def read_where(model: Model, given: Any, *, name: str = "where") -> Condition | None:
    """Read the conditions of a request for a count; see `read_filter`."""
    return _Parser().reader.where(model, loaded(given, name), name)[0]


def loaded(given: Any, name: str) -> Any:
    """Read JSON text; what is no text stays as it is, and an empty text is None."""
    if not isinstance(given, str):
        return given
    if not given.strip():
        return None
    if len(given) > LONGEST:
        raise BadFilter(f"it is longer than {LONGEST} letters", field=name)
    try:
        return json.loads(given, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = error.args[0] if isinstance(error, ValueError) else "it is nested too deep"
        raise BadFilter(f"this is not JSON: {reason}", field=name, remedy='write {"where": {...}}') from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


class _Parser:
    """One request: the budget of its conditions and includes is shared by all its parts."""

    def __init__(self) -> None:
        self.reader = Reader()

    def filter(self, model: Model, given: Any, path: str, depth: int) -> Filter:
        if given is None:
            return Filter(model)
        if not isinstance(given, Mapping):
            raise BadFilter("expected an object", field=path, remedy='write {"where": {...}, "limit": 10}')
        for key in given:
            if key not in _PARTS or (key == "query" and depth):
                raise BadFilter(
                    f"there is no part {key!r} of a {'scope' if depth else 'filter'}",
                    field=f"{path}.{key}",
                    remedy=f"it may have {', '.join(_PARTS[: -1 if depth else None])}",
                )
        where, shown = self.reader.where(model, given.get("where"), f"{path}.where")
        return Filter(
            model,
            where=where,
            include=self._include(model, given.get("include"), f"{path}.include", depth),
            order=_order(model, given.get("order"), f"{path}.order"),
            fields=_fields(model, given.get("fields"), f"{path}.fields"),
            limit=_whole(given.get("limit"), f"{path}.limit") or None,
            skip=_skip(given, path),
            query=self._query(given.get("query"), f"{path}.query"),
            shown=shown,
        )

    def _include(self, model: Model, given: Any, path: str, depth: int) -> tuple[Include, ...]:
        if given is None:
            return ()
        listed = given if isinstance(given, list) else [given]
        return tuple(self._one(model, one, f"{path}[{place}]", depth) for place, one in enumerate(listed))

    def _one(self, model: Model, given: Any, path: str, depth: int) -> Include:
        self.reader.spend(path, depth + 1, DEEPEST_INCLUDE)
        if isinstance(given, str):
            given = {"relation": given}
        if not isinstance(given, Mapping) or not isinstance(given.get("relation"), str):
            raise BadFilter(
                "expected the name of a relation or an object with it",
                field=path,
                remedy='write {"relation": "techniques", "scope": {...}}',
            )
        for key in given:
            if key not in ("relation", "scope"):
                raise BadFilter(f"there is no part {key!r} of an include", field=f"{path}.{key}")
        relation = model.relations.get(given["relation"])
        if relation is None:
            raise BadFilter(
                f"a {model.name} has no relation {given['relation']!r}",
                field=f"{path}.relation",
                remedy=f"it has {', '.join(model.relations)}",
            )
        scope = self.filter(MODELS[relation.model], given.get("scope"), f"{path}.scope", depth + 1)
        return Include(relation, scope)

    def _query(self, given: Any, path: str) -> str | None:
        if given is None:
            return None
        return self.reader.text(given, path).strip() or None


def _order(model: Model, given: Any, path: str) -> tuple[Sorting, ...]:
    if given is None or given == "":
        return ()
    return tuple(_sorting(model, one, path) for one in (given if isinstance(given, list) else [given]))


def _sorting(model: Model, given: Any, path: str) -> Sorting:
    words = given.split() if isinstance(given, str) else []
    if len(words) not in (1, 2) or (words[1:] and words[1].upper() not in ("ASC", "DESC")):
        raise BadFilter(f"cannot order by {given!r}", field=path, remedy="write 'title ASC' or 'title DESC'")
    kind = model.fields.get(words[0])
    if kind is None or kind in (Kind.TEXTS, Kind.SCORE):
        reason = f"a {model.name} has no field {words[0]!r}" if kind is None else f"cannot order by {words[0]}"
        raise BadFilter(reason, field=path, remedy=f"it has {', '.join(model.fields)}")
    return Sorting(words[0], descending=words[1:] != [] and words[1].upper() == "DESC")


def _fields(model: Model, given: Any, path: str) -> frozenset[str] | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        wanted = {name: _truth(keep, f"{path}.{name}") for name, keep in given.items()}
        names = [name for name, keep in wanted.items() if keep] or [name for name in model.fields if name not in wanted]
        listed = [*wanted, *names]
    else:
        names = listed = [given] if isinstance(given, str) else given if isinstance(given, list) else [None]
    for name in listed:
        if not isinstance(name, str) or name not in model.fields:
            raise BadFilter(
                f"a {model.name} has no field {name!r}", field=path, remedy=f"it has {', '.join(model.fields)}"
            )
    return frozenset(names) or None


def _truth(given: Any, path: str) -> bool:
    if given in (True, 1, "true", "1"):
        return True
    if given in (False, 0, "false", "0"):
        return False
    raise BadFilter(f"expected true or false, not {given!r}", field=path)


def _skip(given: Mapping[str, Any], path: str) -> int:
    if given.get("skip") is not None and given.get("offset") is not None:
        raise BadFilter("skip and offset are the same", field=f"{path}.offset", remedy="give one of them")
    return max(_whole(given.get(name), f"{path}.{name}") for name in ("skip", "offset"))


def _whole(given: Any, path: str) -> int:
    if given is None:
        return 0
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 19:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise BadFilter(f"expected a whole number, zero or above, not {given!r}", field=path)
    return min(given, _MOST)
