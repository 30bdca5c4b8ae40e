"""The people in a file. Their names are personal data: only those of the roles that a mapping lists are for all."""

from __future__ import annotations

import re
from collections.abc import Callable

import h5py

from pancommons.catalogue.ingest.mapping import MemberPaths
from pancommons.catalogue.ingest.naming import slug
from pancommons.catalogue.records import Affiliation, Member, Person

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")

First = Callable[[h5py.Group, tuple[str, ...]], str | None]


def members(groups: list[h5py.Group], rules: MemberPaths, first: First, scope: str) -> tuple[Member, ...]:
    """List the people that groups describe; who has no name is left out.

    Parameters
    ----------
    groups
        As ``rules.groups`` found them.
    first
        Returns the first text at some paths from a group.
    scope
        What a name without ORCID or account is unique in, such as the proposal's PID.
    """
    found: dict[str, Member] = {}
    for group in groups:
        name = first(group, rules.name)
        if name is None:
            continue
        orcid, account = orcid_in(first(group, rules.orcid)), first(group, rules.account)
        pid = f"https://orcid.org/{orcid}" if orcid else f"{scope}:person:{slug(account or name)}"
        role, institute = first(group, rules.role), first(group, rules.affiliation)
        found.setdefault(
            pid,
            Member(
                person=Person(pid=pid, full_name=name, orcid=orcid),
                affiliation=Affiliation(pid=f"affiliation:{slug(institute)}", name=institute) if institute else None,
                role=role,
                public=role is not None and role.casefold() in {one.casefold() for one in rules.public},
            ),
        )
    return tuple(found.values())


def orcid_in(text: str | None) -> str | None:
    """Return the ORCID iD in a text, if there is one and its check digit is right (ISO 7064, 11-2)."""
    match = _ORCID.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    signs = match[1].replace("-", "")
    total = 0
    for digit in signs[:-1]:
        total = (total + int(digit)) * 2
    expected = (12 - total % 11) % 11
    return match[1] if signs[-1] == ("X" if expected == 10 else str(expected)) else None
