"""VISA's nine tables: proposals, experiments and instruments, and who may do what with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import LOCAL_USER, Role
from pancommons.catalogue.exchange.arriving import Report
from pancommons.catalogue.exchange.formats import import_file
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import principal
from pancommons.catalogue.read import find
from pancommons.store.engine import Database
from tests.catalogue.exchange.test_panosc import AT, got

TABLES = {
    "users": (
        "id,email,first_name,instance_quota,last_name,affiliation_id\nu1,a@b.c,Ada,2,Lö,7\nu2,,,2,Bo,\nu3,,,2,Cy,\n"
    ),
    "employer": "id,country_code,name,town\n7,FR,ILL,Grenoble\n",
    "role": "id,name,description\n1,ADMIN,\n2,STAFF,\n",
    "user_role": "user_id,role_id,expires_at\nu3,1,\nu2,2,\nu2,1,2020-01-01\n",
    "instrument": "id,name\n4,D11\n5,D22\n",
    "proposal": (
        "id,identifier,title,public_at,summary,doi,url\n"
        '1,9-10-1,"Foams, wet",2030-01-01 00:00:00,Why,10.1/p,\n2,9-10-2,,,,,\n'
    ),
    "experiment": (
        "id,instrument_id,proposal_id,start_date,end_date,title,doi,url\n"
        "e1,4,1,2026-01-01 08:00:00,2026-01-03,First,10.1/e,https://ill.example/e1\ne2,5,2,,,,,\n"
    ),
    "experiment_user": "experiment_id,user_id\ne1,u1\ne1,u2\ne2,u2\n",
    "instrument_scientist": "instrument_id,user_id\n4,u3\n",
}  # fmt: skip


def bring(database: Database, folder: Path, **changes: str) -> Report:
    for name, text in {**TABLES, **changes}.items():
        (folder / f"{name}.csv").write_text(text)
    return import_file(database, folder, facility="ILL", policy=read_policy(), by=LOCAL_USER, at=AT)


def test_users_proposals_experiments_and_roles(database: Database, tmp_path: Path) -> None:
    report = bring(database, tmp_path)
    assert report.refusals == [] and report.added == 2 + 2 + 2 + 3 + 1 + 1
    proposal = got(database, "document", "9-10-1", LOCAL_USER)
    assert (proposal.title, proposal.summary, proposal.doi) == ("Foams, wet", "Why", "10.1/p")
    assert proposal.terms.open_from == datetime(2030, 1, 1, tzinfo=UTC)
    assert [one.person.full_name for one in proposal.members] == ["Ada Lö", "Bo"]
    assert proposal.members[0].affiliation.city == "Grenoble"
    experiment = got(database, "document", "e1", LOCAL_USER)
    assert (experiment.type, experiment.title, experiment.terms.proposal) == ("experiment", "First", "9-10-1")
    assert experiment.start_date == datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert [(one.name, one.value) for one in experiment.parameters] == [("instrument", "D11")]
    assert got(database, "instrument", "ill:d11").name == "D11"
    with database.read() as connection:
        ada, bo, cy = (principal(connection, person) for person in ("u1", "u2", "u3"))
        first, second = find(connection, "document", "9-10-1"), find(connection, "document", "9-10-2")
        d11 = find(connection, "instrument", "ill:d11")
    assert ada.proposals == {Role.MEMBER: {first}} and bo.proposals == {Role.MEMBER: {first, second}}
    assert bo.everywhere == frozenset(), "that role ended in 2020"
    assert cy.everywhere == {Role.ADMINISTRATOR} and cy.instruments == {Role.INSTRUMENT_SCIENTIST: {d11}}
    for pid in ("9-10-1", "9-10-2", "e1", "e2"):
        assert got(database, "document", pid) is None, "nobody else sees a proposal before it opens"
        assert got(database, "document", pid, bo) is not None
    again = bring(database, tmp_path)
    assert (again.added, again.changed, again.refused) == (0, 0, 0)


@pytest.mark.parametrize(
    ("table", "text", "reason"),
    [
        ("experiment_user", "experiment_id,user_id\ne1,nobody\n", "line 2.user_id: leads to no row"),
        ("user_role", "user_id,role_id,expires_at\nu1,1,2030-01-01\n", "the role of u1 ends"),
        ("proposal", "id,identifier,public_at\n1,9-10-1,soon\n2,9-10-2,\n", "public_at: expected a date"),
        ("users", "id,last_name\nu1,\nu2,B\nu3,C\n", "has no last_name"),
    ],
)  # fmt: skip
def test_faulty_rows_are_refused(database: Database, tmp_path: Path, table: str, text: str, reason: str) -> None:
    report = bring(database, tmp_path, **{table: text})
    assert any(reason in one.reason for one in report.refusals), report.refusals


@pytest.mark.parametrize(
    ("table", "text", "problem"),
    [
        ("users", "id\nu1\n", "has no column last_name"),
        ("role", 'id,name\n1,"ADMIN\n', "is no CSV"),
        ("role", "id,name\n1," + "x" * 200_000, "is no CSV"),
    ],
)
def test_a_table_that_is_none_is_refused(
    database: Database, tmp_path: Path, table: str, text: str, problem: str
) -> None:
    with pytest.raises(BadInput, match=problem):
        bring(database, tmp_path, **{table: text})
    (tmp_path / f"{table}.csv").unlink()
    with pytest.raises(BadInput, match="no such table"):
        import_file(database, tmp_path, facility="ILL", policy=read_policy(), by=LOCAL_USER, at=AT)
    with pytest.raises(BadInput, match="whose instruments"):
        import_file(database, tmp_path, policy=read_policy(), by=LOCAL_USER, at=AT)
