"""Harvesters that others wrote get all of the catalogue, also while it changes, and nothing that is protected."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from lxml import etree
from oaipmh_scythe import Scythe
from sickle import Sickle

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.formats.datacite import NAMESPACE
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import Found, fetch
from pancommons.catalogue.records import Dataset, Instrument, Terms
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import delete, load, put
from pancommons.store.engine import Database
from tests.catalogue.world import records, techniques

NOW = datetime.now(UTC)
POLICY = read_policy()
OAI = {"o": "http://www.openarchives.org/OAI/2.0/", "d": NAMESPACE}
COUNT = 250


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as connection:
        put_techniques(connection, techniques(), by=LOCAL_USER, at=NOW)
    load(database, records(COUNT), policy=POLICY, by=LOCAL_USER, at=NOW - timedelta(seconds=10))
    return database


def public(database: Database) -> set[str]:
    """Ask the tables directly what anybody may find."""
    import sqlalchemy as sa

    from pancommons.catalogue.tables import datasets

    with database.read() as connection:
        rows = connection.execute(sa.select(datasets)).all()
    at = datetime.now(UTC)
    return {row.identifier for row in rows if not row.deleted_at and row.findable_from and row.findable_from <= at}


def identifiers(found: list[tuple[str, bool]]) -> tuple[set[str], set[str]]:
    """Split what was harvested into what is there and what is deleted."""
    last = dict(found)
    return {key for key, gone in last.items() if not gone}, {key for key, gone in last.items() if gone}


def test_sickle_and_scythe_get_everything(filled: Database, served: str) -> None:
    expected = public(filled)
    assert len(expected) > 100
    told = [
        (one.header.identifier, one.header.deleted)
        for one in Sickle(f"{served}/oai").ListRecords(metadataPrefix="oai_dc")
    ]
    there, gone = identifiers([(key.rsplit(":", 1)[1], deleted) for key, deleted in told])
    assert there == expected and not gone and len(told) == len(expected)
    with Scythe(f"{served}/oai") as scythe:
        others = [
            one.header.identifier.rsplit(":", 1)[1] for one in scythe.list_records(metadata_prefix="oai_datacite")
        ]
    assert set(others) == expected


def test_every_record_is_valid_datacite(filled: Database, served: str, shared_data: Callable[[str], Path]) -> None:
    schema = etree.XMLSchema(etree.parse(shared_data("schemas/datacite-4.7/metadata.xsd")))
    count = 0
    for record in Sickle(f"{served}/oai").ListRecords(metadataPrefix="oai_datacite"):
        for resource in record.xml.iter(f"{{{NAMESPACE}}}resource"):
            schema.assertValid(resource)
            count += 1
    assert count == len(public(filled))


def test_nothing_is_missed_while_half_of_it_changes(filled: Database, served: str) -> None:
    harvester = Sickle(f"{served}/oai").ListIdentifiers(metadataPrefix="oai_dc")
    told = [next(harvester) for _ in range(50)]
    at = datetime.now(UTC)
    with filled.write() as connection:
        names = sorted(public(filled))
        for name in names[::4]:
            delete(connection, "dataset", name, by=LOCAL_USER, at=at)
        for name in names[1::4]:
            found = fetch(connection, "dataset", name, LOCAL_USER, at)
            assert isinstance(found, Found) and isinstance(found.record, Dataset)
            put(connection, replace(found.record, title="changed"), policy=POLICY, by=LOCAL_USER, at=at)
        for number in range(20):
            new = Dataset(pid=f"new/{number}", kind="simulated", title="new", creation_date=at)
            put(connection, new, policy=POLICY, by=LOCAL_USER, at=at)
    told += list(harvester)
    there, gone = identifiers([(one.identifier.rsplit(":", 1)[1], one.deleted) for one in told])
    now = public(filled)
    assert now <= there and there - now <= set(names[::4])  # what was given before it was deleted
    later = Sickle(f"{served}/oai").ListIdentifiers(
        metadataPrefix="oai_dc", **{"from": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    )
    there, gone = identifiers(
        [*((key, False) for key in there), *((one.identifier.rsplit(":", 1)[1], one.deleted) for one in later)]
    )
    assert there == now and set(names[::4]) <= gone


def test_what_is_withdrawn_is_deleted_and_what_was_never_public_is_not_there(database: Database, served: str) -> None:
    at = datetime.now(UTC)
    day = timedelta(days=1)
    with database.write() as connection:
        shown = put(connection, _dataset("shown", at - day), policy=POLICY, by=LOCAL_USER, at=at)
        hidden = put(connection, _dataset("hidden", None), policy=POLICY, by=LOCAL_USER, at=at)
    told = _list(served)
    assert told == {shown.identifier: False}
    with database.write() as connection:
        put(connection, _dataset("shown", None), policy=POLICY, by=LOCAL_USER, at=datetime.now(UTC))
        delete(connection, "dataset", hidden.identifier, by=LOCAL_USER, at=datetime.now(UTC))
    assert _list(served) == {shown.identifier: True}
    with database.write() as connection:
        opens = datetime.now(UTC) + timedelta(seconds=2)
        later = put(connection, _dataset("later", opens), policy=POLICY, by=LOCAL_USER, at=datetime.now(UTC))
    told = _list(served)
    assert later.identifier not in told or datetime.now(UTC) >= opens
    time.sleep(max(0.0, (opens - datetime.now(UTC)).total_seconds()) + 0.1)
    since = opens.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert _list(served, **{"from": since})[later.identifier] is False  # its embargo ended: that is a change
    assert hidden.identifier not in httpx.get(f"{served}/oai?verb=ListRecords&metadataPrefix=oai_dc").text


def _dataset(pid: str, public_from: datetime | None) -> Dataset:
    terms = Terms(open_from=public_from, discoverable_from=public_from, fixed=True)
    return Dataset(pid=pid, kind="raw", title=f"title of {pid}", creation_date=NOW, terms=terms)


def _list(served: str, **arguments: str) -> dict[str, bool]:
    found = Sickle(f"{served}/oai").ListIdentifiers(metadataPrefix="oai_dc", **arguments)
    return {one.identifier.rsplit(":", 1)[1]: one.deleted for one in found}


def test_sets_hold_what_they_say(filled: Database, served: str) -> None:
    sets = {one.setSpec: one.setName for one in Sickle(f"{served}/oai").ListSets()}
    assert "openaire_data" in sets and "facility:Alpha!20Light!20Source" in sets
    everything = _list(served)
    assert _list(served, set="openaire_data") == everything
    facilities = [spec for spec in sets if spec.startswith("facility:")]
    parts = [set(_list(served, set=spec)) for spec in facilities]
    assert len(facilities) == 3 and sum(map(len, parts)) == len(set().union(*parts)) == len(everything)
    root = set(_list(served, set="technique:" + techniques()[0].pid.rsplit("/", 1)[1]))
    leaf = set(_list(served, set="technique:" + techniques()[-1].pid.rsplit("/", 1)[1]))
    assert leaf < root == set(everything)  # all techniques of that world lie below the first
    record = Sickle(f"{served}/oai").GetRecord(
        identifier="oai:127.0.0.1:" + min(everything), metadataPrefix="oai_openaire"
    )
    assert set(record.header.setSpecs) <= set(sets)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "badVerb"),
        ("verb=Nonsense", "badVerb"),
        ("verb=Identify&verb=Identify", "badVerb"),
        ("verb=Identify&set=x", "badArgument"),
        ("verb=ListRecords", "badArgument"),
        ("verb=ListRecords&metadataPrefix=marc21", "cannotDisseminateFormat"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2020-01-01&until=2019-01-01", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2020-01-01&until=2021-01-01T00:00:00Z", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2020-13-01", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=yesterday", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&until=1999-01-01", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=nothing:there", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=%3Cx%3E", "badArgument"),
        ("verb=ListRecords&resumptionToken=x&metadataPrefix=oai_dc", "badArgument"),
        ("verb=ListRecords&resumptionToken=eyJwIjog", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=eyJwIjoib2FpX2RjIiwiYSI6LTEsIm4iOjAsImMiOjF9", "badResumptionToken"),
        ("verb=ListSets&resumptionToken=eyJwIjoib2FpX2RjIiwiYSI6MSwibiI6MCwiYyI6MX0", "badResumptionToken"),
        ("verb=GetRecord&identifier=oai:127.0.0.1:x&metadataPrefix=oai_dc", "idDoesNotExist"),
        ("verb=GetRecord&identifier=x%00&metadataPrefix=oai_dc", "idDoesNotExist"),
        ("verb=GetRecord&metadataPrefix=oai_dc", "badArgument"),
        ("verb=ListMetadataFormats&identifier=oai:127.0.0.1:x", "idDoesNotExist"),
        ("verb=Identify&verb%00=1", "badArgument"),
    ],
)
def test_mistakes_have_their_codes(filled: Database, served: str, query: str, code: str) -> None:
    answer = httpx.get(f"{served}/oai?{query}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/xml")
    told = etree.fromstring(answer.content)
    assert told.xpath("o:error/@code", namespaces=OAI) == [code], answer.text
    posted = httpx.post(f"{served}/oai", content=query, headers={"content-type": "application/x-www-form-urlencoded"})
    assert etree.fromstring(posted.content).xpath("o:error/@code", namespaces=OAI) == [code]


def test_identify_and_formats(filled: Database, served: str) -> None:
    told = Sickle(f"{served}/oai").Identify()
    assert told.baseURL == f"{served}/oai" and told.deletedRecord == "persistent"
    assert told.granularity == "YYYY-MM-DDThh:mm:ssZ" and told.protocolVersion == "2.0"
    earliest = datetime.fromisoformat(told.earliestDatestamp)
    assert NOW - timedelta(minutes=1) < earliest <= NOW
    prefixes = {one.metadataPrefix for one in Sickle(f"{served}/oai").ListMetadataFormats()}
    assert prefixes == {"oai_dc", "oai_datacite", "oai_openaire"}


def test_an_instrument_nobody_may_see_names_no_set(database: Database, served: str) -> None:
    at = datetime.now(UTC) - timedelta(days=1)
    secret = Terms(open_from=None, discoverable_from=None, fixed=True)
    line = Instrument(pid="line", name="SECRET LINE", facility="SECRET PLACE", terms=secret)
    with database.write() as connection:
        put(connection, line, policy=POLICY, by=LOCAL_USER, at=at)
        open_terms = Terms(open_from=at, discoverable_from=at, fixed=True)
        shown = Dataset(pid="d", kind="raw", title="t", creation_date=at, instrument="line", terms=open_terms)
        put(connection, shown, policy=POLICY, by=LOCAL_USER, at=at)
    for query in ("verb=ListSets", "verb=ListRecords&metadataPrefix=oai_datacite"):
        assert "SECRET" not in httpx.get(f"{served}/oai?{query}").text
