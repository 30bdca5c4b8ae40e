"""ICAT's dumps, written by hand as python-icat writes them, in YAML and in XML; hostile ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import LOCAL_USER, Role
from pancommons.catalogue.exchange.arriving import Report
from pancommons.catalogue.exchange.formats import import_file, recognise
from pancommons.catalogue.exchange.icat_chunks import objects
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import principal
from pancommons.catalogue.read import find
from pancommons.store.engine import Database
from tests.catalogue.exchange.test_panosc import AT, got

YAML = """%YAML 1.1
# Date: Wed, 23 Nov 2022 10:27:02 +0000
# Generator: icatdump (python-icat 1.7.0)
---
facility:
  Facility_name-ESNF:
    name: ESNF
    fullName: Example Source of Neutrons
instrument:
  Instrument_facility-(name-ESNF)_name-E2:
    description: A diffractometer.
    facility: Facility_name-ESNF
    instrumentScientists:
    - user: User_name-db=2Fahau
    name: E2
parameterType:
  ParameterType_facility-(name-ESNF)_name-Sample=20temperature_units-C:
    facility: Facility_name-ESNF
    name: Sample temperature
    units: celsius
    valueType: NUMERIC
  ParameterType_facility-(name-ESNF)_name-Comment_units-N=2FA:
    name: Comment
    units: N/A
    valueType: STRING
user:
  User_name-db=2Fahau:
    affiliation: University of Ravenna
    familyName: Hau
    fullName: Arnold Hau
    givenName: Arnold
    name: db/ahau
    orcidId: 0000-0002-3262
  User_name-db=2Fjdoe:
    name: db/jdoe
---
investigation:
  Investigation_facility-(name-ESNF)_name-10100601=2DST_visitId-1=2E1=2DN:
    doi: 10.1/inv
    endDate: '2010-10-12T15:00:00+00:00'
    facility: Facility_name-ESNF
    investigationInstruments:
    - instrument: Instrument_facility-(name-ESNF)_name-E2
    investigationUsers:
    - role: Principal Investigator
      user: User_name-db=2Fahau
    - role: Observer
      user: User_name-db=2Fjdoe
    keywords:
    - name: Cr
    - name: Ni
    name: 10100601-ST
    parameters:
    - stringValue: all is well
      type: ParameterType_facility-(name-ESNF)_name-Comment_units-N=2FA
    releaseDate: '2016-10-12T15:00:00+00:00'
    startDate: '2010-09-30T10:27:24+00:00'
    summary: Of manganese.
    title: Ni-Mn-Ga flat cone
    visitId: 1.1-N
sample:
  Sample_investigation-(1)_name-NiMnGa:
    investigation: Investigation_facility-(name-ESNF)_name-10100601=2DST_visitId-1=2E1=2DN
    name: NiMnGa
dataset:
  Dataset_1_name-e208339:
    complete: true
    endDate: '2010-10-01T08:17:48+00:00'
    investigation: Investigation_facility-(name-ESNF)_name-10100601=2DST_visitId-1=2E1=2DN
    name: e208339
    parameters:
    - numericValue: 3.92
      type: ParameterType_facility-(name-ESNF)_name-Sample=20temperature_units-C
    sample: Sample_investigation-(1)_name-NiMnGa
    startDate: '2010-10-01T06:23:30+00:00'
    type: DatasetType_facility-(name-ESNF)_name-raw
datafile:
  Datafile_1:
    checksum: bd55affa
    datafileModTime: '2010-10-01T08:17:48+00:00'
    dataset: Dataset_1_name-e208339
    fileSize: 73428
    location: /data/e208339.nxs
    name: e208339.nxs
"""

XML = """<?xml version="1.0" encoding="utf-8"?>
<icatdata>
  <head><date>2022-11-23T10:27:02+00:00</date></head>
  <data>
    <facility id="F"><name>ESNF</name></facility>
    <instrument id="I"><name>E2</name><description>A diffractometer.</description><facility ref="F"/>
      <instrumentScientists><user ref="U1"/></instrumentScientists></instrument>
    <parameterType id="P1"><name>Sample temperature</name><units>celsius</units></parameterType>
    <parameterType id="P2"><name>Comment</name><units>N/A</units></parameterType>
    <user id="U1"><name>db/ahau</name><fullName>Arnold Hau</fullName><familyName>Hau</familyName>
      <givenName>Arnold</givenName><orcidId>0000-0002-3262</orcidId>
      <affiliation>University of Ravenna</affiliation></user>
    <user id="U2"><name>db/jdoe</name></user>
  </data>
  <data>
    <investigation id="V"><doi>10.1/inv</doi><title>Ni-Mn-Ga flat cone</title><name>10100601-ST</name>
      <visitId>1.1-N</visitId><summary>Of manganese.</summary>
      <startDate>2010-09-30T10:27:24+00:00</startDate><endDate>2010-10-12T15:00:00+00:00</endDate>
      <releaseDate>2016-10-12T15:00:00+00:00</releaseDate><facility ref="F"/>
      <investigationInstruments><instrument ref="I"/></investigationInstruments>
      <investigationUsers><role>Principal Investigator</role><user ref="U1"/></investigationUsers>
      <investigationUsers><role>Observer</role><user ref="U2"/></investigationUsers>
      <keywords><name>Cr</name></keywords><keywords><name>Ni</name></keywords>
      <parameters><stringValue>all is well</stringValue><type ref="P2"/></parameters></investigation>
    <sample id="Sample_investigation-(1)_name-NiMnGa"><name>NiMnGa</name><investigation ref="V"/></sample>
    <dataset id="Dataset_1_name-e208339"><complete>true</complete><name>e208339</name>
      <startDate>2010-10-01T06:23:30+00:00</startDate><endDate>2010-10-01T08:17:48+00:00</endDate>
      <investigation ref="V"/><sample ref="Sample_investigation-(1)_name-NiMnGa"/><type ref="raw"/>
      <parameters><numericValue>3.92</numericValue><type ref="P1"/></parameters></dataset>
    <datafile id="D"><name>e208339.nxs</name><location>/data/e208339.nxs</location><fileSize>73428</fileSize>
      <checksum>bd55affa</checksum><datafileModTime>2010-10-01T08:17:48+00:00</datafileModTime>
      <dataset ref="Dataset_1_name-e208339"/></datafile>
  </data>
</icatdata>
"""


def bring(database: Database, file: Path, text: str) -> Report:
    file.write_text(text)
    return import_file(database, file, policy=read_policy(), by=LOCAL_USER, at=AT)


@pytest.mark.parametrize("text", [YAML, XML], ids=["yaml", "xml"])
def test_both_forms_say_the_same(database: Database, tmp_path: Path, text: str) -> None:
    report = bring(database, tmp_path / "dump", text)
    assert recognise(tmp_path / "dump") == "icat"
    assert report.refusals == [] and report.added == 1 + 1 + 1 + 1 + 3
    proposal = got(database, "document", "10.1/inv")
    assert (proposal.type, proposal.title, proposal.keywords) == ("proposal", "Ni-Mn-Ga flat cone", ("Cr", "Ni"))
    assert proposal.terms.open_from == datetime(2016, 10, 12, 15, tzinfo=UTC)
    assert [(one.person.full_name, one.person.orcid, one.role) for one in proposal.members if one.person] == [
        ("Arnold Hau", "0000-0002-3262", "Principal Investigator"), ("db/jdoe", None, "Observer"),
    ]  # fmt: skip
    assert [(one.name, one.value) for one in proposal.parameters] == [("Comment", "all is well")]
    dataset = got(database, "dataset", "Dataset_1_name-e208339")
    assert (dataset.title, dataset.kind) == ("e208339", "raw")
    assert dataset.creation_date == datetime(2010, 10, 1, 6, 23, 30, tzinfo=UTC)
    assert dataset.documents == ("10.1/inv",) and dataset.terms.proposal == "10.1/inv"
    assert dataset.samples == ("Sample_investigation-(1)_name-NiMnGa",)
    assert [(one.path, one.size) for one in dataset.files] == [("data/e208339.nxs", 73428)]
    [warm] = dataset.parameters
    assert (warm.name, warm.value, warm.unit, warm.si) == ("Sample temperature", 3.92, "celsius", pytest.approx(277.07))
    instrument = got(database, "instrument", dataset.instrument)
    assert (instrument.name, instrument.facility, instrument.description) == ("E2", "ESNF", "A diffractometer.")
    with database.read() as connection:
        hau, doe = principal(connection, "db/ahau"), principal(connection, "db/jdoe")
        team, e2 = find(connection, "document", "10.1/inv"), find(connection, "instrument", dataset.instrument)
    assert hau.proposals == {Role.PRINCIPAL_INVESTIGATOR: {team}} and hau.instruments
    assert hau.instruments == {Role.INSTRUMENT_SCIENTIST: {e2}} and doe.proposals == {Role.MEMBER: {team}}
    again = bring(database, tmp_path / "dump", text)
    assert (again.added, again.changed, again.refused) == (0, 0, 0)


def test_what_is_not_released_is_the_teams(database: Database, tmp_path: Path) -> None:
    bring(database, tmp_path / "dump", YAML.replace("2016-10-12", "2036-10-12"))
    for kind, pid in (
        ("document", "10.1/inv"), ("dataset", "Dataset_1_name-e208339"),
        ("sample", "Sample_investigation-(1)_name-NiMnGa"),
    ):  # fmt: skip
        assert got(database, kind, pid) is None
        assert got(database, kind, pid, LOCAL_USER) is not None


def test_what_leads_nowhere_is_refused(database: Database, tmp_path: Path) -> None:
    report = bring(database, tmp_path / "dump", YAML.replace("      user: User_name-db=2Fjdoe", "      user: gone"))
    assert any("leads to no user of this dump: 'gone'" in one.reason for one in report.refusals)


LAUGHS = """<?xml version="1.0"?><!DOCTYPE icatdata [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c SYSTEM "file:///etc/passwd">]>
<icatdata><data><user id="u"><name>&b;&c;</name></user></data></icatdata>"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, "entities are not taken"),
        ("<icatdata><data>", "is no XML"),
        ("<rss></rss>", "outermost element is not icatdata"),
        ("<a>" * 100_000, "is no XML"),
        ("---\nuser: &a {b: {name: c}}\nfacility: *a\n", "uses an alias"),
        ("---\nuser: !!python/object/apply:os.system ['true']\n", "is no YAML"),
        ("---\n- " + "[" * 100_000, "nested too deeply"),
        ("---\njust text\n", "is no chunk of a dump"),
        ("---\nuser: 3\n", "holds no objects by key"),
        ("--- {", "is no YAML"),
    ],
)
def test_hostile_and_broken_dumps_are_refused(database: Database, tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        bring(database, tmp_path / "dump", text)


@given(st.binary(max_size=200) | st.text(alphabet="{}[]:-<>&*!'\" \nab%/", max_size=200).map(str.encode))
def test_anything_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(data)
    try:
        for name, key, value in objects(file):
            assert isinstance(name, str) and isinstance(key, str) and isinstance(value, dict)
    except BadInput as error:
        assert "\n" not in error.problem
