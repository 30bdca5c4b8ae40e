"""What entitlements give: the rules of the settings, and a principal with the roles that follow from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.base.settings import Entitled
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.tables import documents, instruments
from pancommons.server.signin.entitlements import Entitlement, parse
from pancommons.store.functions import among

_PLACES: Mapping[str, Literal["proposal", "instrument"]] = {"{proposal}": "proposal", "{instrument}": "instrument"}
_STANDS = {"{proposal}": "PLACE-OF-PROPOSAL", "{instrument}": "PLACE-OF-INSTRUMENT"}


@dataclass(frozen=True)
class Rule:
    """An entitlement that gives a role; where ``kind`` is set, the element at ``place`` names of what."""

    pattern: Entitlement
    role: Role
    kind: Literal["proposal", "instrument"] | None
    place: int

    def given(self, by: Entitlement) -> tuple[Role, str | None, str | None] | None:
        """Return the role, the proposal and the instrument that an entitlement gives by this rule, if any."""
        if len(by.path) != len(self.pattern.path):
            return None
        if self.kind is None:
            return (self.role, None, None) if by == self.pattern else None
        path = (*by.path[: self.place], self.pattern.path[self.place], *by.path[self.place + 1 :])
        if replace(by, path=path) != self.pattern:
            return None
        pid = by.path[self.place]
        return (self.role, pid, None) if self.kind == "proposal" else (self.role, None, pid)


def rules(told: Iterable[Entitled]) -> tuple[Rule, ...]:
    """Read the rules of the settings.

    Raises
    ------
    BadInput
        If one is no entitlement, names no role there is, or two places.
    """
    return tuple(_rule(number, one) for number, one in enumerate(told))


def _rule(number: int, told: Entitled) -> Rule:
    where = f"signin.entitled.{number}"
    try:
        role = Role(told.role)
    except ValueError:
        names = ", ".join(Role)
        raise BadInput(f"there is no role {told.role!r}", field=f"{where}.role", remedy=f"take of: {names}") from None
    text = told.entitlement
    for written, stands in _STANDS.items():
        text = text.replace(written, stands)
    pattern = parse(text)
    if pattern is None:
        raise BadInput(
            f"{told.entitlement!r} is no entitlement",
            field=f"{where}.entitlement",
            remedy="write it as urn:NAMESPACE:group:GROUP or urn:NAMESPACE:group:{proposal}:role=member",
        )
    places = [
        (at, _PLACES[written])
        for at, element in enumerate(pattern.path)
        for written, stands in _STANDS.items()
        if element == stands
    ]
    if len(places) > 1 or sum(told.entitlement.count(one) for one in _STANDS) != len(places):
        raise BadInput(
            "{proposal} or {instrument} stands for one whole element of the group, once",
            field=f"{where}.entitlement",
        )
    place, kind = places[0] if places else (-1, None)
    return Rule(pattern, role, kind, place)


def with_entitlements(
    connection: Connection, who: Principal, told: Sequence[Rule], entitlements: Iterable[str]
) -> Principal:
    """Add to a principal the roles that entitlements give; a proposal or instrument unknown here gives none."""
    given = {
        one
        for text in entitlements
        if (read := parse(text)) is not None
        for rule in told
        if (one := rule.given(read)) is not None
    }
    if not given:
        return who
    proposals = _ids(connection, documents, {proposal for _, proposal, _ in given if proposal is not None})
    places = _ids(connection, instruments, {place for _, _, place in given if place is not None})
    in_proposals, at_instruments = _open(who.proposals), _open(who.instruments)
    everywhere = set(who.everywhere)
    for role, proposal, place in given:
        if proposal is not None:
            in_proposals[role] |= proposals.get(proposal, frozenset())
        elif place is not None:
            at_instruments[role] |= places.get(place, frozenset())
        else:
            everywhere.add(role)
    return replace(
        who,
        proposals={role: ids for role, ids in in_proposals.items() if ids},
        instruments={role: ids for role, ids in at_instruments.items() if ids},
        everywhere=frozenset(everywhere),
    )


def _open(held: Mapping[Role, frozenset[int]]) -> defaultdict[Role, frozenset[int]]:
    return defaultdict(frozenset, held)


def _ids(connection: Connection, table: sa.Table, pids: set[str]) -> dict[str, frozenset[int]]:
    if not pids:
        return {}
    found = connection.execute(sa.select(table.c.pid, table.c.id).where(among(table.c.pid, pids)))
    return {row.pid: frozenset({row.id}) for row in found}
