"""Which item of a definition an item of a file is: by name, by part of a name, by class."""

from __future__ import annotations

import re
from functools import lru_cache

from pancommons.nexus.validation.nxdl import NameType

SPECIFIED, PARTIAL, ANY = 3, 2, 1
_REPLACED = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
_LONGEST = 255


def fit(name: str, pattern: str, name_type: NameType) -> tuple[int, int]:
    """Say how well a name fits one of a definition: a kind, then how much of it is given; (0, 0) not at all.

    A specified name fits exactly. In a partial one, capitals stand for anything: ``FIELDNAME_errors``. Any name
    fits the third type, its own best of all.
    """
    if name == pattern:
        return (SPECIFIED, len(name))
    if name_type == "any":
        return (ANY, 0)
    if name_type == "partial" and len(name) <= _LONGEST and _expression(pattern).fullmatch(name):
        return (PARTIAL, len(_REPLACED.sub("", pattern)))
    return (0, 0)


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    literal = [re.escape(part) for part in _REPLACED.split(pattern)]
    return re.compile(r"[\w.]+?".join(literal))
