"""Entitlements as research federations write them: groups (AARC-G069) and capabilities (AARC-G027)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote

_LONGEST = 2000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.IGNORECASE)
_ELEMENT = re.compile(r"(?:[A-Za-z0-9()+,\-.@;$_!*'/&~=]|%[0-9A-Fa-f]{2})+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEPT = "()+,-.@;$_!*'/&~"
_KINDS: tuple[Literal["group", "res"], ...] = ("group", "res")


@dataclass(frozen=True)
class Entitlement:
    """One entitlement, its elements decoded.

    Attributes
    ----------
    namespace
        Without ``urn``: the registered name in lower case, then what it delegates.
    kind
        ``group`` for a group, ``res`` for a resource.
    path
        The group and its subgroups, or the resource and its children.
    role
        In the group, where it says so.
    actions
        On the resource, where it says so.
    authority
        Who says so; it informs and is never compared.
    """

    namespace: tuple[str, ...]
    kind: Literal["group", "res"]
    path: tuple[str, ...]
    role: str | None = None
    actions: frozenset[str] = frozenset()
    authority: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Write it as it is exchanged."""
        parts = ["urn", self.namespace[0], *map(_written, self.namespace[1:]), self.kind, *map(_written, self.path)]
        if self.role is not None:
            parts.append(f"role={_written(self.role)}")
        if self.actions:
            parts += ["act", ",".join(quote(one, safe="") for one in sorted(self.actions))]
        return ":".join(parts) + ("" if self.authority is None else f"#{self.authority}")


def parse(text: str) -> Entitlement | None:
    """Read an entitlement; None for what is of neither form, of which claims are full."""
    if len(text) > _LONGEST:
        return None
    name, has_authority, authority = text.partition("#")
    urn, *elements = name.split(":")
    if urn.lower() != "urn" or not all(_ELEMENT.fullmatch(one) for one in elements) or _CONTROL.search(unquote(name)):
        return None
    place = next((at for at, one in enumerate(elements) if at >= 2 and one in _KINDS), None)
    if place is None or not _NAME.fullmatch(elements[0]):
        return None
    namespace = (elements[0].lower(), *map(unquote, elements[1:place]))
    rest, kept = elements[place + 1 :], authority if has_authority else None
    return (_group if elements[place] == "group" else _resource)(namespace, rest, kept)


def _group(namespace: tuple[str, ...], rest: list[str], authority: str | None) -> Entitlement | None:
    role = None
    if rest and rest[-1].startswith("role="):
        role = unquote(rest.pop().removeprefix("role="))
    if not rest or role == "" or any(one.startswith("role=") for one in rest):
        return None
    return Entitlement(namespace, "group", tuple(map(unquote, rest)), role, authority=authority)


def _resource(namespace: tuple[str, ...], rest: list[str], authority: str | None) -> Entitlement | None:
    path, actions = rest, frozenset[str]()
    if "act" in rest[1:]:
        place = rest.index("act", 1)
        path, said = rest[:place], rest[place + 1 :]
        if len(said) != 1:
            return None
        actions = frozenset(map(unquote, said[0].split(",")))
    if not path or "" in actions:
        return None
    return Entitlement(namespace, "res", tuple(map(unquote, path)), actions=actions, authority=authority)


def _written(element: str) -> str:
    """Write an element so that it reads as nothing else."""
    if element in (*_KINDS, "act"):
        return f"%{ord(element[0]):02X}{element[1:]}"
    return quote(element, safe=_KEPT)
