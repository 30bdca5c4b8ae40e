"""Changing when data open, deleting, letting people in: by those who may, with a line of the audit, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
import sqlalchemy as sa

from pancommons.catalogue.access import LOCAL_USER, Action, Principal, Role
from pancommons.catalogue.ledger import audit, grants
from pancommons.catalogue.people import accounts
from pancommons.catalogue.read import Found, fetch
from pancommons.store.engine import Database
from tests.server.records.conftest import Portal

PI = Role.PRINCIPAL_INVESTIGATOR


def _opens(portal: Portal, pid: str) -> datetime | None:
    with portal.database.read() as connection:
        found = fetch(connection, "dataset", pid, LOCAL_USER, portal.world.at)
    assert isinstance(found, Found)
    return found.public_from


def _audited(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        rows = connection.execute(sa.select(audit.c.who, audit.c.what, audit.c.facts).order_by(audit.c.id.desc()))
        return [(row.who, f"{row.what} {(row.facts or {}).get('reason', '')}".strip()) for row in rows.fetchmany(3)]


def _change(portal: Portal, pid: str, **fields: str) -> httpx.Response:
    return portal.post(f"/datasets/{portal.identifier('dataset', pid)}/opening", **fields)


def test_the_investigator_shortens_the_embargo(portal: Portal) -> None:
    portal.asking = portal.role(PI)
    page = portal.get(f"/datasets/{portal.identifier('dataset', 'embargoed')}").text
    assert 'value="now"' in page and 'value="never"' not in page and "/delete" not in page
    answer = _change(portal, "embargoed", choice="now", reason="published <today>")
    assert answer.status_code == 303 and answer.headers["location"].endswith("?done=opening")
    opens = _opens(portal, "embargoed")
    assert opens is not None and opens <= datetime.now(UTC)
    assert _audited(portal.database)[0] == (portal.asking.name, "release published <today>")
    after = portal.get(answer.headers["location"].removeprefix("https://portal.example")).text
    assert "published &lt;today&gt;" in after and "Changed" in after
    portal.asking = Principal()
    page = portal.get(f"/datasets/{portal.identifier('dataset', 'embargoed')}").text
    assert "published" not in page and "release" not in page and "since" in page


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_what_is_wrong_stands_beside_its_field(portal: Portal) -> None:
    portal.asking = portal.role(PI)
    before = _opens(portal, "embargoed")
    for fields, field in (
        ({"choice": "now"}, "reason"),
        ({"choice": "now", "reason": "  "}, "reason"),
        ({"choice": "day", "day": "soon", "reason": "x"}, "day"),
        ({"choice": "sometimes", "reason": "x"}, "choice"),
    ):
        answer = _change(portal, "embargoed", **fields)
        assert answer.status_code == 422 and f'id="wrong-{field}"' in answer.text, fields
        assert answer.text.count('aria-invalid="true"') == 1 and 'id="summary"' in answer.text
    portal.asking = Principal("issuer#m", everywhere=frozenset({Role.DATA_MANAGER}))
    answer = _change(portal, "embargoed", choice="day", day="2999-01-01", reason="x")
    assert answer.status_code == 422 and 'id="wrong-day"' in answer.text and "at the latest" in answer.text
    assert _opens(portal, "embargoed") == before


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_who_may_not_changes_nothing(portal: Portal) -> None:
    before, lines = _opens(portal, "embargoed"), _audited(portal.database)
    key, document = portal.identifier("dataset", "embargoed"), portal.identifier("document", "proposal-1")
    narrow = portal.role(PI, scopes=frozenset({Action.DISCOVER, Action.READ, Action.EDIT}))
    later = {"choice": "day", "day": "2998-01-01", "reason": "x"}
    for asking, status in (
        (Principal(), 403), (Principal("issuer#stranger"), 403), (portal.role(Role.MEMBER), 403),
        (portal.role(Role.COLLABORATOR), 403), (narrow, 403), (portal.role(PI, "proposal-2"), 403),
    ):  # fmt: skip
        portal.asking = asking
        assert _change(portal, "embargoed", choice="now", reason="x").status_code == status, asking
        assert portal.post(f"/datasets/{key}/delete", sure=key).status_code == status, asking
        team = {"person": "https://idp.example#x", "role": "collaborator"}
        answer = portal.post(f"/documents/{document}/team", **team)
        assert answer.status_code in (403, 404) and (asking.proposals or answer.status_code == 404), asking
    portal.asking = portal.role(PI)
    assert _change(portal, "embargoed", **later).status_code == 403
    assert _change(portal, "restricted", choice="now", reason="x").status_code == 404
    assert portal.post(f"/datasets/{key}/delete", sure=key).status_code == 403
    assert portal.post("/datasets/none/delete", sure="none").status_code == 404
    assert _opens(portal, "embargoed") == before and _audited(portal.database) == lines


def test_a_data_manager_deletes_once_sure(portal: Portal) -> None:
    portal.asking = Principal("issuer#m", everywhere=frozenset({Role.DATA_MANAGER}))
    key = portal.identifier("dataset", "open")
    assert portal.post(f"/datasets/{key}/delete", sure="yes").status_code == 422
    answer = portal.post(f"/datasets/{key}/delete", sure=key)
    assert answer.status_code == 303 and answer.headers["location"] == f"/datasets/{key}"
    assert portal.get(f"/datasets/{key}").status_code == 410
    hidden = portal.identifier("dataset", "hidden")
    assert portal.post(f"/datasets/{hidden}/delete", sure=hidden).headers["location"] == "/datasets"
    assert _audited(portal.database)[0] == ("issuer#m", "delete")


def test_an_investigator_lets_somebody_in_and_out(portal: Portal) -> None:
    at = portal.world.at
    with portal.database.write() as connection:
        connection.execute(
            sa.insert(accounts).values(
                id=1, person="https://idp.example#grace", issuer="https://idp.example", subject="grace",
                name="Grace <H>", orcid="0000-0002-1825-0097", entitlements=[], created_at=at, signed_in_at=at,
            )
        )  # fmt: skip
    document = portal.identifier("document", "proposal-1")
    place = f"/documents/{document}/team"
    portal.asking = portal.role(PI)
    assert "Let somebody in" in portal.get(f"/documents/{document}").text
    for who in ("nobody", "", "0000-0000-0000-0000", "<script>"):
        answer = portal.post(place, person=who, role="collaborator")
        assert answer.status_code == 422 and 'id="wrong-person"' in answer.text and "<script>" not in answer.text[5000:]
    for role in ("administrator", "principal investigator", "king"):
        answer = portal.post(place, person="0000-0002-1825-0097", role=role)
        assert answer.status_code == 422 and 'id="wrong-role"' in answer.text
    assert portal.post(place, person="https://orcid.org/0000-0002-1825-0097", role="collaborator").status_code == 303
    page = portal.get(f"/documents/{document}").text
    assert "Grace &lt;H&gt;" in page and "https://idp.example#grace" in page
    with portal.database.read() as connection:
        assert connection.execute(sa.select(grants.c.person, grants.c.role)).all() == [
            ("https://idp.example#grace", "collaborator")
        ]
    assert _audited(portal.database)[0] == (portal.asking.name, "grant")
    away = portal.post(place, person="https://idp.example#grace", role="collaborator", away="yes")
    assert away.status_code == 303 and "Grace" not in portal.get(f"/documents/{document}").text
    portal.asking = portal.role(Role.MEMBER)
    assert "Let somebody in" not in portal.get(f"/documents/{document}").text
