"""LoopBack's other spelling of a filter: ``filter[where][title][like]=x&filter[limit]=1``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pancommons.catalogue.search.errors import BadFilter
from pancommons.catalogue.search.parse import LONGEST

_KEY = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 40
_MOST = 2000


def from_query(pairs: Iterable[tuple[str, str]], name: str = "filter") -> Any:
    """Take a filter out of a query string, in either spelling.

    Parameters
    ----------
    pairs
        The parameters of the query string, in order, decoded.
    name
        ``filter``, or ``where``.

    Returns
    -------
    filter
        The JSON text; or nested objects and lists whose leaves are texts; or None where there is none.

    Raises
    ------
    BadFilter
        If the brackets do not make sense, or both spellings are there.
    """
    plain = None
    tree: dict[str, Any] = {}
    size = 0
    for key, value in pairs:
        if key == name:
            if plain is not None:
                raise BadFilter("it is there twice", field=name)
            plain = value
        elif key.startswith(name + "["):
            size += len(key) + len(value)
            if size > LONGEST:
                raise BadFilter(f"it is longer than {LONGEST} letters", field=name)
            _put(tree, _steps(key, name), value, key)
    if tree and plain is not None:
        raise BadFilter("it is written as JSON and in brackets", field=name, remedy="use one of them")
    return _listed(tree) if tree else plain


def _steps(key: str, name: str) -> list[str]:
    rest = key[len(name) :]
    steps = _KEY.findall(rest)
    if "".join(f"[{step}]" for step in steps) != rest or len(steps) > _DEEPEST:
        raise BadFilter("the brackets do not close, or are too many", field=key[:80])
    return steps


def _put(tree: dict[str, Any], steps: list[str], value: str, key: str) -> None:
    """Hang a leaf into the tree; a step without a name takes the next free number."""
    for place, step in enumerate(steps):
        step = step or str(len(tree))
        if place == len(steps) - 1:
            if step not in tree:
                tree[step] = value
            elif isinstance(tree[step], str):
                tree[step] = {"0": tree[step], "1": value}
            elif _is_list(tree[step]):
                tree[step][str(len(tree[step]))] = value
            else:
                raise BadFilter("it is there twice, once with parts", field=key[:80])
            return
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            raise BadFilter("it is there twice, once with parts", field=key[:80])
        tree = inner


def _is_list(tree: dict[str, Any]) -> bool:
    return bool(tree) and len(tree) <= _MOST and all(key.isascii() and key.isdigit() for key in tree)


def _listed(tree: Any) -> Any:
    """Turn objects whose names are numbers into lists, by number."""
    if not isinstance(tree, dict):
        return tree
    if _is_list(tree):
        return [_listed(tree[key]) for key in sorted(tree, key=lambda one: (len(one), one))]
    return {key: _listed(value) for key, value in tree.items()}
