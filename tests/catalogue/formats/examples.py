"""Datasets to describe: one with everything, and any that hypothesis can think of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from pancommons.catalogue.formats.description import Description, Site, Surroundings, describe
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    Instrument,
    Member,
    Parameter,
    Person,
    Pid,
    Relation,
    Technique,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SITE = Site("https://data.facility.example", "Example Light Source", "https://ror.org/03yrm5c26", "it@facility.example")
TOMOGRAPHY = Technique(pid="http://purl.org/pan-science/PaNET/PaNET01207", name="x-ray tomography")
ADA = Person(
    pid="https://orcid.org/0000-0002-1825-0097", full_name="Ada Lovelace", first_name="Ada", last_name="Lovelace",
    orcid="0000-0002-1825-0097",
)  # fmt: skip
HIDDEN = Person(pid="local:7", full_name="Nobody's Business")
INSTITUTE = Affiliation(pid="https://ror.org/03yrm5c26", name="CERN")
PROPOSAL = Document(
    pid="20261234", type="proposal", title="Lungs", summary="We look at lungs.",
    members=(Member(person=ADA, affiliation=INSTITUTE, role="principal investigator", public=True),
             Member(person=HIDDEN, role="member")),
)  # fmt: skip
PAPER = Document(pid="paper-1", type="publication", title="On lungs", doi="10.1000/lungs.1")
LINE = Instrument(pid="https://hdl.handle.net/21.11157/tomcat", name="TOMCAT", facility="SLS")
LUNG = Dataset(
    pid="10.16907/lung", kind="raw", title="Lung <1> & more \x01", creation_date=NOW - timedelta(days=400),
    end_date=NOW - timedelta(days=399), size=12_400_000_000, license="CC-BY-4.0", instrument=LINE.pid,
    documents=(PROPOSAL.pid, PAPER.pid), techniques=(TOMOGRAPHY.pid,), keywords=("lung", "mouse"),
    parameters=(Parameter(name="incident_photon_energy", value=21.0, unit="keV"),),
    relations=(Relation(kind="derived from", target="10.16907/parent"),),
    pids=(Pid(scheme="handle", value="hdl:20.500.1/lung"),),
)  # fmt: skip


def described(dataset: Dataset = LUNG, **changes: Any) -> Description:
    """Describe a dataset with everything about it known."""
    around = Surroundings(
        LINE, {one.pid: one for one in (PROPOSAL, PAPER)}, {TOMOGRAPHY.pid: TOMOGRAPHY}, ("scan.nxs", "log.txt")
    )
    values: dict[str, Any] = {
        "open_from": NOW - timedelta(days=30), "published": NOW - timedelta(days=300),
        "updated": NOW - timedelta(days=10), "at": NOW, **changes,
    }  # fmt: skip
    return describe(dataset, "01jd2x9q5v8k3m7n0r0", SITE, around, **values)


_text = st.text(min_size=1, max_size=30).filter(lambda text: text.strip())
_moment = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
_address = st.one_of(
    _text, _text.map(lambda text: "http://purl.org/" + text), _text.map(lambda text: "10.5072/" + text)
)
any_dataset = st.builds(
    Dataset, pid=_address, kind=st.sampled_from(["raw", "processed", "simulated"]), title=_text, creation_date=_moment,
    summary=st.none() | _text, end_date=st.none() | _moment, size=st.none() | st.integers(0, 2**60),
    license=st.none() | _text, instrument=st.none(), documents=st.just(()), techniques=st.lists(_address).map(tuple),
    parameters=st.just(()), keywords=st.lists(_text).map(tuple), files=st.just(()), thumbnail=st.none(),
    remarks=st.none(), samples=st.just(()), terms=st.just(LUNG.terms),
    pids=st.lists(st.builds(Pid, scheme=_text, value=_address), max_size=3).map(tuple),
    relations=st.lists(st.builds(Relation, kind=st.sampled_from(["derived from", "part of"]), target=_address),
                       max_size=3).map(tuple),
    members=st.lists(st.builds(
        Member, person=st.builds(Person, pid=_text, full_name=_text, first_name=st.none() | _text,
                                 last_name=st.none() | _text, orcid=st.none() | _text, researcher_id=st.none()),
        affiliation=st.none() | st.builds(Affiliation, pid=_text, name=st.none() | _text, address=st.none(),
                                          city=st.none(), country=st.none()),
        role=st.none() | _text, public=st.booleans()), max_size=2).map(tuple),
)  # fmt: skip
