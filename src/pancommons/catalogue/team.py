"""Who belongs to a proposal, and who may let others in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Action, Principal, Role, allows
from pancommons.catalogue.ledger import grants
from pancommons.catalogue.people import accounts
from pancommons.catalogue.principals import grant, revoke
from pancommons.catalogue.read import find, resource
from pancommons.catalogue.tables import documents
from pancommons.catalogue.write import Refused

GIVEN = (Role.COLLABORATOR, Role.MEMBER)
"""The roles that the principal investigator of a proposal gives and takes."""


@dataclass(frozen=True)
class Insider:
    """Somebody with a role in a proposal; the name is None where they never signed in."""

    person: str
    name: str | None
    role: Role


def team(connection: Connection, proposal: str, principal: Principal, at: datetime) -> list[Insider] | None:
    """List who holds a role in a proposal, by its identifier; None if the principal may not decide on that."""
    found = _deciding(connection, proposal, principal, at)
    if found is None:
        return None
    rows = connection.execute(
        sa.select(grants.c.person, grants.c.role, accounts.c.name)
        .outerjoin(accounts, accounts.c.person == grants.c.person)
        .where(grants.c.proposal_id == found)
        .order_by(grants.c.role, grants.c.person)
    )
    return [Insider(row.person, row.name, Role(row.role)) for row in rows]


def let_in(connection: Connection, proposal: str, who: str, role: Role, *, by: Principal, at: datetime) -> None:
    """Give somebody a role in a proposal.

    Parameters
    ----------
    who
        Their ORCID iD, or how they are known when they sign in (``issuer#subject``).

    Raises
    ------
    BadInput
        If nobody like this is known, or the role is not given this way.
    Refused
        If ``by`` may not decide on that.
    """
    pid = _allowed(connection, proposal, role, by, at)
    grant(connection, _person(connection, who.strip()), role, proposal=pid, by=by, at=at)


def put_out(connection: Connection, proposal: str, person: str, role: Role, *, by: Principal, at: datetime) -> None:
    """Take a role in a proposal from somebody; see `let_in`."""
    pid = _allowed(connection, proposal, role, by, at)
    revoke(connection, person, role, proposal=pid, by=by, at=at)


def _deciding(connection: Connection, proposal: str, principal: Principal, at: datetime) -> int | None:
    found = find(connection, "document", proposal)
    if found is None or not allows(principal, Action.PUBLISH, resource(connection, "document", found), at):
        return None
    is_proposal = sa.select(documents.c.id).where(documents.c.id == found, documents.c.type == "proposal")
    return found if connection.execute(is_proposal).scalar() is not None else None


def _allowed(connection: Connection, proposal: str, role: Role, by: Principal, at: datetime) -> str:
    found = _deciding(connection, proposal, by, at)
    if found is None:
        raise Refused(f"{by.name} may not decide who belongs to {proposal}.")
    if role not in GIVEN:
        raise BadInput(f"the role {role} is not given here", field="role", remedy="choose collaborator or member")
    pid: str = connection.execute(sa.select(documents.c.pid).where(documents.c.id == found)).scalar_one()
    return pid


def _person(connection: Connection, who: str) -> str:
    orcid = who.removeprefix("https://orcid.org/")
    known = list(
        connection.execute(
            sa.select(accounts.c.person).where(
                sa.or_(accounts.c.person == who, accounts.c.orcid.in_([orcid, f"https://orcid.org/{orcid}"]))
            )
        ).scalars()
    )
    if len(known) == 1:
        return str(known[0])
    issuer, _, subject = who.partition("#")
    if issuer.startswith("https://") and subject and not known:
        return who
    problem = "several people who signed in here are known as" if known else "nobody who signed in here is known as"
    raise BadInput(
        f"{problem} {ascii(who)[1:-1] if who else 'nothing'}",
        field="who",
        remedy="give the ORCID iD of somebody who has signed in here once, or the name under which they sign in",
    )
