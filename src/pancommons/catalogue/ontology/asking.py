"""Asking an ontology as the PaNET service is asked: lists with a LoopBack filter, and the expansion of a where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.catalogue.ontology.graph import Ontology

FIELDS = ("pid", "name", "panetId", "synonym", "definition", "relatives", "children", "parents")
_POSITIVE = {"neq": "eq", "nin": "inq", "nlike": "like", "nilike": "ilike"}
_DEEPEST = 16

Where = Mapping[str, Any]


def techniques(ontology: Ontology, filter_: Any = None) -> list[dict[str, Any]]:
    """List techniques by a LoopBack filter: ``where``, ``order``, ``skip`` or ``offset``, ``limit``, ``fields``.

    Raises
    ------
    BadInput
        If the filter is malformed, or names a field or operator that there is not.
    """
    filter_ = _object("filter", filter_)
    for key in filter_:
        if key not in ("where", "order", "skip", "offset", "limit", "fields"):
            raise _wrong(key, "there is no such part of a filter")
    found = _matching(ontology, filter_.get("where"))
    orders = filter_.get("order") or []
    for order in reversed(orders if isinstance(orders, list) else [orders]):
        name, _, direction = str(order).partition(" ")
        if name not in ("pid", "name", "panetId") or direction.upper() not in ("", "ASC", "DESC"):
            raise _wrong("order", f"cannot order by {order!r}", "write name ASC or pid DESC")
        found.sort(key=itemgetter(name), reverse=direction.upper() == "DESC")
    skip = _whole("skip", filter_.get("skip", filter_.get("offset")))
    limit = _whole("limit", filter_.get("limit"))
    wanted = _fields(filter_.get("fields"))
    return [
        {name: value for name, value in one.items() if name in wanted}
        for one in found[skip : skip + limit if limit else None]
    ]


def count(ontology: Ontology, where: Any = None) -> int:
    """Count the techniques that a where selects."""
    return len(_matching(ontology, where))


def technique(ontology: Ontology, identifier: str) -> dict[str, Any] | None:
    """Describe one technique, by its PID or the last part of it; None where there is none."""
    found = ontology.get(identifier)
    return None if found is None else ontology.as_json(found)


def expand(ontology: Ontology, where: Any) -> dict[str, Any]:
    """Replace each condition on techniques by the PIDs of what it selects and all beneath that.

    Conditions on a name are tried on synonyms too. What negates (``neq``, ``nin``, ``nlike``, ``nilike``)
    becomes ``{"pid": {"nin": [...]}}``, all else ``{"pid": {"inq": [...]}}``, and ``and`` and ``or`` stay. A
    technique nobody knows gives ``{"pid": {"inq": []}}``: nothing matches.

    Raises
    ------
    BadInput
        If the where is malformed.
    """
    return _expanded(ontology, _object("where", where), 0)


def _expanded(ontology: Ontology, where: Where, depth: int) -> dict[str, Any]:
    groups = [
        {key: [_expanded(ontology, _object(key, one), depth + 1) for one in _list(key, where[key], depth)]}
        for key in ("and", "or")
        if key in where
    ]
    positive = {key: _condition(value) for key, value in where.items() if key not in ("and", "or")}
    negative = {key: positive.pop(key) for key in list(positive) if _negates(positive[key])}
    leaves = [{"pid": {"inq": _beneath(ontology, positive)}}] if positive or not (groups or negative) else []
    for key, condition in negative.items():
        turned = {_POSITIVE.get(operator, operator): value for operator, value in condition.items()}
        leaves.append({"pid": {"nin": _beneath(ontology, {key: turned})}})
    parts = leaves + groups
    return parts[0] if len(parts) == 1 else {"and": parts}


def _beneath(ontology: Ontology, where: Where) -> list[str]:
    ways = [where]
    if "name" in where:
        ways.append({"synonym" if key == "name" else key: value for key, value in where.items()})
    found = [one for way in ways for one in _matching(ontology, way)]
    return list(dict.fromkeys(pid for one in found for pid in one["relatives"]))


def _negates(condition: Where) -> bool:
    return any(operator in _POSITIVE for operator in condition)


def _condition(value: Any) -> Where:
    return value if isinstance(value, Mapping) else {"eq": value}


def _matching(ontology: Ontology, where: Any) -> list[dict[str, Any]]:
    test = _test(_object("where", where), 0)
    return [described for one in ontology if test(described := ontology.as_json(one))]


def _test(where: Where, depth: int) -> Callable[[Where], bool]:
    tests: list[Callable[[Where], bool]] = []
    for key, value in where.items():
        if key in ("and", "or"):
            inner = [_test(_object(key, one), depth + 1) for one in _list(key, value, depth)]
            tests.append(partial(_together, all if key == "and" else any, inner))
        elif key in FIELDS:
            for operator, operand in _condition(value).items():
                tests.append(_field_test(key, operator, operand))
        else:
            raise _wrong(key, "techniques have no such field", f"they have {', '.join(FIELDS)}")
    return lambda one: all(test(one) for test in tests)


def _together(whole: Callable[[Iterable[bool]], bool], tests: list[Callable[[Where], bool]], one: Where) -> bool:
    return whole(test(one) for test in tests)


def _field_test(field: str, operator: str, operand: Any) -> Callable[[Where], bool]:
    """Make the test of one field; of a list, one element that passes is enough, and negation is of the whole."""
    holds = _operator(field, _POSITIVE.get(operator, operator), operand)
    negated = operator in _POSITIVE

    def test(one: Where) -> bool:
        values = one[field] if isinstance(one[field], list) else [one[field]]
        return any(value is not None and holds(value) for value in values) != negated

    return test


def _operator(field: str, operator: str, operand: Any) -> Callable[[str], bool]:
    if operator == "inq":
        if not isinstance(operand, list):
            raise _wrong(field, "inq and nin want a list")
        return lambda value: value in operand
    if not isinstance(operand, str):
        raise _wrong(field, f"{operator} wants a text, not {operand!r}")
    if operator == "eq":
        return lambda value: value == operand
    if operator == "like":
        return lambda value: operand.strip("%") in value
    if operator == "ilike":
        return lambda value: operand.strip("%").casefold() in value.casefold()
    if operator == "regexp":
        return _regexp(field, operand)
    raise _wrong(field, f"there is no operator {operator!r}")


def _regexp(field: str, operand: str) -> Callable[[str], bool]:
    import re2

    body, _, flags = operand[1:].rpartition("/") if operand.startswith("/") else (operand, "", "")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = "i" not in flags
    try:
        pattern = re2.compile(body, options=options)
    except re2.error:
        raise _wrong(field, f"{operand!r} is no regular expression that is understood here") from None
    return lambda value: pattern.search(value) is not None


def _object(name: str, value: Any) -> Where:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(name, "expected an object")
    return value


def _list(name: str, value: Any, depth: int) -> list[Any]:
    if not isinstance(value, list) or depth >= _DEEPEST:
        raise _wrong(name, "expected a list of conditions" if depth < _DEEPEST else "conditions are nested too deep")
    return value


def _whole(name: str, value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(name, f"expected a whole number, zero or above, not {value!r}")
    return value


def _fields(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        kept = {name for name, keep in value.items() if keep}
        wanted = kept or set(FIELDS) - set(value)
    else:
        wanted = set(FIELDS if value is None else map(str, value if isinstance(value, list) else [value]))
    if unknown := sorted(map(str, wanted - set(FIELDS))):
        raise _wrong("fields", f"techniques have no field {unknown[0]!r}", f"they have {', '.join(FIELDS)}")
    return wanted


def _wrong(field: str, problem: str, remedy: str | None = None) -> BadInput:
    return BadInput(problem, field=field, remedy=remedy)
