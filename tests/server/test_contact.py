"""Whom to tell of a vulnerability is published where a facility says so, in the form of RFC 9116."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from pancommons.base.settings import Settings, Site
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.store.engine import Database


def test_whom_to_tell(sqlite_database: Database) -> None:
    site = Site(url="https://portal.example", security_contact="mailto:security@facility.example")
    told = TestClient(create_app(Services(sqlite_database, Settings(site=site)))).get("/.well-known/security.txt")
    assert told.headers["content-type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in told.text.splitlines())
    assert fields["Contact"] == "mailto:security@facility.example"
    assert fields["Canonical"] == "https://portal.example/.well-known/security.txt"
    left = datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)
    assert timedelta(days=30) < left < timedelta(days=365)
    nobody = TestClient(create_app(Services(sqlite_database, Settings())))
    assert nobody.get("/.well-known/security.txt").status_code == 404


@pytest.mark.parametrize("contact", ["security@facility.example", "http://facility.example", "mailto:a@b\nContact: c"])
def test_a_contact_is_an_address_of_its_own(contact: str) -> None:
    with pytest.raises(ValidationError):
        Site(security_contact=contact)
