"""Who may do what: one decision, as a function of Python and as SQL.

A record is open from a moment on, and its metadata from a moment on, never later; before that its team, its
owner and those who run the facility have what their role gives them. What was derived from other datasets is
bounded by them: nobody has of it what they may not have of every one of its inputs, whatever it says itself.
Parts share the fate of their record: files and thumbnails are data, parameters and keywords are metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Alias

from pancommons.catalogue import parts
from pancommons.catalogue.tables import datasets, documents, guards, instruments, samples
from pancommons.store.functions import among
from pancommons.store.schema import Instant, floor


class Action(StrEnum):
    """What may be done with a record."""

    DISCOVER = "discover"
    READ = "read"
    RUN = "run"
    EDIT = "edit"
    PUBLISH = "publish"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a person is: in a proposal, at an instrument, or everywhere."""

    PRINCIPAL_INVESTIGATOR = "principal investigator"
    MEMBER = "member"
    COLLABORATOR = "collaborator"
    INSTRUMENT_SCIENTIST = "instrument scientist"
    DATA_MANAGER = "data manager"
    ADMINISTRATOR = "administrator"


_ALL = frozenset(Action)
MAY: Mapping[Role, frozenset[Action]] = {
    Role.COLLABORATOR: frozenset({Action.DISCOVER, Action.READ}),
    Role.MEMBER: frozenset({Action.DISCOVER, Action.READ, Action.RUN}),
    Role.INSTRUMENT_SCIENTIST: frozenset({Action.DISCOVER, Action.READ, Action.RUN, Action.EDIT}),
    Role.PRINCIPAL_INVESTIGATOR: _ALL - {Action.ADMINISTER},
    Role.DATA_MANAGER: _ALL,
    Role.ADMINISTRATOR: _ALL,
}
"""What a role gives on records of its scope that are not open."""

OWNER_MAY = frozenset({Action.DISCOVER, Action.READ, Action.RUN, Action.EDIT})
MOMENT: sa.BindParameter[datetime] = sa.bindparam("moment", type_=Instant())
"""The moment of a question whose statement is made once for a principal, and given when that is executed."""

_Moment: TypeAlias = datetime | sa.BindParameter[datetime]
_INPUTS_NEED = {Action.DISCOVER: Action.DISCOVER, Action.RUN: Action.RUN}


@dataclass(frozen=True)
class Principal:
    """Somebody who asks.

    Attributes
    ----------
    person
        As signed in; None for anybody.
    proposals, instruments
        Ids of proposals and instruments, by the role held there.
    everywhere
        Roles held for all records.
    scopes
        What a token allows at most; None where there is no token.
    """

    person: str | None = None
    proposals: Mapping[Role, frozenset[int]] = field(default_factory=dict)
    instruments: Mapping[Role, frozenset[int]] = field(default_factory=dict)
    everywhere: frozenset[Role] = frozenset()
    scopes: frozenset[Action] | None = None

    def __hash__(self) -> int:
        """Let what is made for somebody be kept by who they are."""
        return hash((self.person, self.everywhere, self.scopes))

    @property
    def name(self) -> str:
        """Return how the audit names them."""
        return self.person or "anonymous"


ANONYMOUS = Principal()
LOCAL_USER = Principal("local user", everywhere=frozenset({Role.ADMINISTRATOR}))
"""Whoever sits at the machine, where nobody signs in."""


@dataclass(frozen=True)
class Resource:
    """What the decision needs to know of a record.

    Attributes
    ----------
    proposal, instrument
        Ids; a proposal is its own.
    open_from, discoverable_from
        From when on anybody may have the data and the metadata; None for never.
    inputs
        The datasets that bound a derived one.
    """

    proposal: int | None = None
    instrument: int | None = None
    owner: str | None = None
    open_from: datetime | None = None
    discoverable_from: datetime | None = None
    deleted: bool = False
    inputs: tuple[Resource, ...] = ()


def allows(principal: Principal, action: Action, resource: Resource, at: datetime) -> bool:
    """Decide whether somebody may do something with a record at a moment."""
    if principal.scopes is not None and action not in principal.scopes:
        return False
    if resource.deleted:
        return False
    needed = _INPUTS_NEED.get(action, Action.READ)
    return _own(principal, action, resource, floor(at)) and all(
        _own(principal, needed, bound, floor(at)) for bound in resource.inputs
    )


def _own(principal: Principal, action: Action, resource: Resource, at: datetime) -> bool:
    """Decide by the record alone, without what bounds it."""
    if any(action in MAY[role] for role in principal.everywhere):
        return True
    public = _public_from(action, resource.open_from, resource.discoverable_from)
    if public is not None and floor(public) <= at and _open_to(principal, action):
        return True
    return (
        resource.proposal in _scope(principal.proposals, action)
        or resource.instrument in _scope(principal.instruments, action)
        or (principal.person is not None and resource.owner == principal.person and action in OWNER_MAY)
    )


def roles_on(principal: Principal, resource: Resource) -> frozenset[Role]:
    """Return the roles somebody holds over a record, whatever a token of theirs allows."""
    return (
        principal.everywhere
        | {role for role, ids in principal.proposals.items() if resource.proposal in ids}
        | {role for role, ids in principal.instruments.items() if resource.instrument in ids}
    )


def _public_from(action: Action, open_from: Any, discoverable_from: Any) -> Any:
    return discoverable_from if action is Action.DISCOVER else open_from


def _open_to(principal: Principal, action: Action) -> bool:
    """Say what anybody may do with an open record: see and take it; run on it once signed in."""
    return action in (Action.DISCOVER, Action.READ) or (action is Action.RUN and principal.person is not None)


def _scope(held: Mapping[Role, frozenset[int]], action: Action) -> frozenset[int]:
    return frozenset().union(*(ids for role, ids in held.items() if action in MAY[role]))


def visible(table: sa.Table | Alias, principal: Principal, action: Action, at: _Moment) -> ColumnElement[bool]:
    """Say the same in SQL, for every SELECT and EXISTS over a table of the catalogue.

    Parameters
    ----------
    table
        A table of records or of their parts, or an alias of one. Files and thumbnails need READ even where
        DISCOVER is asked. A member is seen if public or by those who have the record by a role. A relation
        is seen if what it leads to is, or lies elsewhere.
    at
        The moment, or a parameter (an `Instant`) that is bound to it when a statement that is kept is executed.

    Returns
    -------
    condition
        True or false, never NULL.
    """
    return _visible(table, principal, action, at)


@lru_cache(maxsize=256)  # a request asks for a few of them dozens of times; making one takes longer than many a query
def _visible(table: sa.Table | Alias, principal: Principal, action: Action, at: _Moment) -> ColumnElement[bool]:
    base = table.element if isinstance(table, Alias) else table
    if principal.scopes is not None and action not in principal.scopes:
        return sa.false()
    if base in (datasets, documents, instruments, samples):
        return _record(table, principal, action, at)
    if base in (parts.files, parts.thumbnails):
        return _parent(table, datasets, principal, Action.READ if action is Action.DISCOVER else action, at)
    if base is parts.relations:
        target = _alias(datasets, "target")
        known = sa.exists().where(target.c.id == table.c.target_id, _record(target, principal, Action.DISCOVER, at))
        own = _parent(table, datasets, principal, action, at)
        return sa.and_(own, sa.or_(table.c.target_id.is_(None), known))
    if base in (parts.parameters, parts.keywords):
        return _either(table, principal, action, at)
    if base is parts.members:
        insider = _either(table, principal, action, at, public=False)
        return sa.or_(sa.and_(table.c.public, _either(table, principal, action, at)), insider)
    raise LookupError(f"{base} holds nothing that is decided upon")


def as_insider(table: sa.Table | Alias, principal: Principal, at: _Moment) -> ColumnElement[bool]:
    """Say whether somebody may discover a record by a role or as its owner, whether or not it is public."""
    if principal.scopes is not None and Action.DISCOVER not in principal.scopes:
        return sa.false()
    return _record(table, principal, Action.DISCOVER, at, public=False)


def _either(
    table: sa.Table | Alias, principal: Principal, action: Action, at: _Moment, *, public: bool = True
) -> ColumnElement[bool]:
    return sa.or_(
        sa.and_(table.c.dataset_id.is_not(None), _parent(table, datasets, principal, action, at, public=public)),
        sa.and_(table.c.document_id.is_not(None), _parent(table, documents, principal, action, at, public=public)),
    )


def _parent(
    table: sa.Table | Alias,
    records: sa.Table,
    principal: Principal,
    action: Action,
    at: _Moment,
    *,
    public: bool = True,
) -> ColumnElement[bool]:
    parent = _alias(records, "parent")
    key = table.c.dataset_id if records is datasets else table.c.document_id
    return sa.exists().where(parent.c.id == key, _record(parent, principal, action, at, public=public))


@lru_cache(maxsize=256)
def _record(
    table: Any, principal: Principal, action: Action, at: _Moment, *, public: bool = True
) -> ColumnElement[bool]:
    if principal.scopes is not None and action not in principal.scopes:
        return sa.false()
    there = table.c.deleted_at.is_(None)
    if "public_from" not in table.c or any(MAY[role] == _ALL for role in principal.everywhere):
        return sa.and_(there, _own_sql(table, principal, action, at, public=public))
    ways: list[ColumnElement[bool]] = []
    if public and _open_to(principal, action):
        ways.append(_since(table.c.findable_from if action is Action.DISCOVER else table.c.public_from, at))
    if principal.person is not None or principal.proposals or principal.instruments or principal.everywhere:
        bound = _alias(datasets, "bound")
        needed = _INPUTS_NEED.get(action, Action.READ)
        broken = (
            sa.exists()
            .select_from(guards.join(bound, bound.c.id == guards.c.input_id))
            .where(guards.c.dataset_id == table.c.id, sa.not_(_own_sql(bound, principal, needed, at)))
        )
        ways.append(sa.and_(_own_sql(table, principal, action, at, public=public), sa.not_(broken)))
    return sa.and_(there, sa.or_(sa.false(), *ways))


def _own_sql(
    table: Any, principal: Principal, action: Action, at: _Moment, *, public: bool = True
) -> ColumnElement[bool]:
    if any(action in MAY[role] for role in principal.everywhere):
        return sa.true()
    ways: list[ColumnElement[bool]] = []
    if public and _open_to(principal, action):
        since = _public_from(action, table.c.open_from, table.c.discoverable_from)
        ways.append(_since(since, at))
    for column, held in (("proposal_id", principal.proposals), ("instrument_id", principal.instruments)):
        if column in table.c and (ids := _scope(held, action)):
            ways.append(sa.and_(table.c[column].is_not(None), among(table.c[column], ids)))
    if principal.person is not None and action in OWNER_MAY:
        ways.append(sa.and_(table.c.owner.is_not(None), table.c.owner == principal.person))
    return sa.or_(sa.false(), *ways)


@cache
def _alias(table: sa.Table, purpose: str) -> Alias:
    """Make an alias for one purpose, once: making them is most of what a condition costs."""
    return cast(Alias, table.alias(f"{table.name}_{purpose}"))


def _since(moment: ColumnElement[Any], at: _Moment) -> ColumnElement[bool]:
    bound = at if isinstance(at, sa.BindParameter) else sa.literal(at, Instant())
    return sa.and_(moment.is_not(None), moment <= bound)
