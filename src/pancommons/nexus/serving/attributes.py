"""The attributes of a group, dataset or named type: what they are, and their values as far as these are small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import h5py

from pancommons.nexus.serving.budget import Budget, Refused
from pancommons.nexus.serving.text import plain, sendable
from pancommons.nexus.serving.types import described, varies
from pancommons.nexus.serving.walk import decoded, encoded

_MOST = 5000
_FAULTS = (OSError, RuntimeError, ValueError, TypeError, KeyError, NotImplementedError)


def attribute_list(thing: Any, budget: Budget) -> list[dict[str, Any]]:
    """Describe each attribute: name, shape, type; ``problem`` where its value is not sent.

    Raises
    ------
    Refused
        413 if there are more than can be listed.
    """
    told = []
    for name in _names(thing):
        one: dict[str, Any] = {"name": plain(name)}
        try:
            found = h5py.h5a.open(thing.id, encoded(name))
            space = found.get_space()
            empty = space.get_simple_extent_type() == h5py.h5s.NULL
            one |= {"shape": None if empty else found.shape, "type": described(found.get_type())}
            if problem := _too_large(found, budget):
                one["problem"] = problem
        except (Refused, *_FAULTS) as error:
            one |= {"shape": None, "type": {"class": -1, "dtype": "|O", "size": 0}}
            one["problem"] = error.problem if isinstance(error, Refused) else f"cannot be read ({type(error).__name__})"
        told.append(one)
    return told


def attribute_values(thing: Any, budget: Budget, wanted: Sequence[str] | None) -> dict[str, Any]:
    """Return the values of attributes by name; null for one that is empty, too large or cannot be read.

    Parameters
    ----------
    wanted
        The names of those asked for; all when None.

    Raises
    ------
    Refused
        404 if one that is asked for is not there, 413 or 422 if it cannot be sent.
    """
    names = {plain(name): name for name in _names(thing)}
    told: dict[str, Any] = {}
    left = budget.answer_bytes
    for name in names if wanted is None else wanted:
        if name not in names:
            raise Refused(404, f"there is no attribute {name}")
        try:
            found = h5py.h5a.open(thing.id, encoded(names[name]))
            if problem := _too_large(found, budget):
                raise Refused(413, f"attribute {name} {problem}")
            value = thing.attrs[encoded(names[name])]
        except (Refused, *_FAULTS) as error:
            if wanted is not None:
                why = f"attribute {name} cannot be read ({type(error).__name__})"
                raise error if isinstance(error, Refused) else Refused(422, why) from None
            value = None
        told[name] = sendable(value)
        left -= len(name) + getattr(value, "nbytes", 0) + (len(value) if isinstance(value, str | bytes) else 0)
        if left < 0:
            raise Refused(413, "the attributes together are too large; name some of them in attr_keys")
    return told


def _names(thing: Any) -> list[str]:
    count = h5py.h5a.get_num_attrs(thing.id)
    if count > _MOST:
        raise Refused(413, f"has more than {_MOST} attributes")
    names: list[str] = []
    h5py.h5a.iterate(thing.id, lambda name: names.append(decoded(name)))
    return sorted(names)


def _too_large(found: Any, budget: Budget) -> str | None:
    count = math.prod(found.shape or ())
    size = count * max(found.dtype.itemsize, found.get_type().get_size())
    if size > budget.attribute_bytes or (varies(found.dtype) and count > budget.attribute_bytes // 64):
        return f"is larger than {budget.attribute_bytes} bytes"
    return None
