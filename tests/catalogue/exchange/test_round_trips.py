"""What is exported and imported into an empty catalogue is the same, but for what the format cannot hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import pancommons.catalogue.ledger
import pancommons.catalogue.parts
import pancommons.catalogue.tables  # noqa: F401
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.exchange.formats import EXPORTS, import_file, recognise
from pancommons.catalogue.exchange.leaving import leaving
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Person,
    Record,
    Relation,
    Sample,
    Technique,
    Terms,
    kind_of,
)
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load
from pancommons.store.engine import Database, open_database

AT = datetime(2026, 11, 21, tzinfo=UTC)
LEAD = "principal investigator"

words = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
visible = st.text(st.characters(codec="utf-8", exclude_characters=";", categories=["L", "N", "P", "S"]), min_size=1)
names = st.lists(visible.map(lambda text: text[:20]), min_size=1, max_size=3).map(" ".join)
prose = st.none() | words.map(lambda text: f"{text}.")
moments = st.datetimes(datetime(1990, 1, 1), datetime(2026, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC, microsecond=moment.microsecond // 1000 * 1000)
)
sizes = st.none() | st.integers(0, 2**63 - 1)
numbers = st.floats(-1e12, 1e12)
PANET = "http://purl.org/pan-science/PaNET/PaNET0"
techniques = [Technique(pid=f"{PANET}{n}", name=f"technique {n}") for n in (1001, 1002, 1003)]

ORCIDS = ("0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X")  # no two people have the same


def several(prefix: str, most: int) -> Any:
    return st.lists(st.integers(0, most).map(lambda n: f"{prefix}/{n}"), unique=True, max_size=3).map(tuple)


@st.composite
def worlds(draw: Any) -> list[Record]:
    """Draw some records of every kind, each public or kept to its team."""

    def terms(since: datetime) -> Terms:
        moment = since if draw(st.booleans()) else None
        return Terms(open_from=moment, discoverable_from=moment, fixed=True)

    made: list[Record] = [Instrument(pid=f"instrument/{n}", name=draw(names), facility=draw(names)) for n in range(2)]
    start = draw(moments)
    people = [
        Person(pid=f"person/{n}", full_name=draw(names), orcid=draw(st.sampled_from([None, orcid])))
        for n, orcid in enumerate(ORCIDS)
    ]
    institutes = [Affiliation(pid=f"institute/{n}", name=draw(names), city=draw(st.none() | names)) for n in range(2)]
    public = terms(start)
    made.append(
        Document(
            pid="document/0",
            type="proposal",
            title=draw(names),
            summary=draw(prose),
            start_date=start,
            keywords=tuple(dict.fromkeys(draw(st.lists(names, max_size=3)))),
            members=tuple(
                Member(
                    person=people[n],
                    affiliation=draw(st.sampled_from([None, *institutes])),
                    role=LEAD,
                    public=public.open_from is not None,
                )
                for n in range(draw(st.integers(0, 2)))
            ),
            parameters=draw(
                st.lists(st.builds(parameter, names, numbers, st.sampled_from(["K", "eV", None])), max_size=2).map(
                    tuple
                )
            ),
            terms=public,
        )
    )
    release = draw(moments)
    made.append(
        Document(
            pid="document/1", type="publication", title=draw(names), summary=draw(prose), doi="document/1",
            release_date=release, terms=Terms(open_from=release, discoverable_from=release, fixed=True),
        )
    )  # fmt: skip
    made += [
        Sample(
            pid=f"sample/{n}",
            name=draw(names),
            description=draw(prose),
            terms=Terms(proposal=draw(st.sampled_from([None, "document/0"]))),
        )
        for n in range(2)
    ]
    for number in range(draw(st.integers(1, 4))):
        since = draw(moments)
        values = st.tuples(names, numbers | words, st.sampled_from(["K", "keV", "celsius", "furlong", None]))
        documents = draw(several("document", 1))
        made.append(
            Dataset(
                pid=f"dataset/{number}",
                kind=draw(st.sampled_from(["raw", "processed", "simulated"])),
                title=draw(names),
                creation_date=since,
                summary=draw(prose),
                end_date=draw(st.none() | st.just(since + timedelta(hours=1))),
                size=draw(sizes),
                instrument=draw(st.sampled_from([None, "instrument/0", "instrument/1"])),
                documents=documents,
                techniques=tuple(sorted(t.pid for t in draw(st.lists(st.sampled_from(techniques), unique=True)))),
                samples=draw(several("sample", 1)),
                license="CC-BY-4.0",
                parameters=tuple(
                    parameter(*one) for one in draw(st.lists(values, max_size=4, unique_by=lambda v: v[0]))
                ),
                keywords=tuple(dict.fromkeys(draw(st.lists(names, max_size=3)))),
                files=tuple(
                    File(
                        root="raw",
                        path=f"run {n}/ä.h5",
                        size=draw(sizes),
                        sha256=draw(st.sampled_from([None, "a" * 64])),
                        mtime=since,
                    )
                    for n in range(draw(st.integers(0, 2)))
                ),
                relations=tuple(
                    Relation(
                        kind=draw(st.sampled_from(["part of", "derived from", "in collection"])), target=f"far/{n}"
                    )
                    for n in range(draw(st.integers(0, 2)))
                ),
                terms=replace(terms(since), proposal="document/0" if "document/0" in documents else None),
            )
        )
    return made


def contents(database: Database) -> dict[tuple[str, str], Record]:
    with leaving(database, LOCAL_USER, AT) as source:
        found = [one.record for kind in ("instrument", "document", "sample", "dataset") for one in source.found(kind)]
    return {(kind_of(one), one.pid): one for one in found}


def in_panosc(record: Record) -> Record:
    """Leave of a record what PaNOSC search JSON can hold."""
    record = replace(record, pids=(), terms=Terms())
    if isinstance(record, Instrument):
        return replace(record, description=None)
    if isinstance(record, Dataset):
        files = tuple(File(root="elsewhere", path=one.path, size=one.size) for one in record.files)
        return replace(
            record, kind="raw", summary=None, end_date=None, keywords=(), members=(), relations=(), files=files,
            thumbnail=None, remarks=None, license=None,
        )  # fmt: skip
    return record


def in_scicat(record: Record) -> Record:
    """Leave of a record what SciCat's JSON can hold."""
    record = replace(record, pids=(), terms=Terms())
    if isinstance(record, Document):
        lead = [one for one in record.members if one.role == LEAD][:1] if record.type == "proposal" else []
        named = tuple(one.person.full_name for one in lead if one.person)
        return replace(record, members=named, keywords=(), parameters=(), license=None)  # type: ignore[arg-type]
    if isinstance(record, Dataset):
        files = tuple(
            replace(
                one,
                root="elsewhere",
                path=one.path if one.root == "elsewhere" else f"{one.root}/{one.path}",
                identifier=None,
            )
            for one in record.files
        )
        relations = tuple(sorted(record.relations, key=lambda one: (one.kind, one.target)))
        return replace(record, members=(), files=files, relations=relations, thumbnail=None, remarks=None)
    return record


def in_icat(record: Record) -> Record:
    """Leave of a record what an ICAT dump can hold."""
    record = replace(record, pids=(), terms=Terms())
    if isinstance(record, Sample):
        return replace(record, description=None)
    if isinstance(record, Document):
        known = tuple(
            (one.person.full_name, one.person.orcid, one.role, one.affiliation and one.affiliation.name)
            for one in record.members
            if one.person
        )
        return replace(record, members=known, doi=None, release_date=None, license=None)  # type: ignore[arg-type]
    if isinstance(record, Dataset):
        held = in_scicat(record)
        assert isinstance(held, Dataset)
        return replace(
            held, documents=("document/0",), samples=held.samples[:1], relations=(), keywords=(), license=None,
            kind="raw" if held.kind == "simulated" else held.kind,
        )  # fmt: skip
    return record


HELD = {"panosc": in_panosc, "scicat": in_scicat, "icat": in_icat}
TERMS_OF = {"panosc": ("dataset", "document"), "scicat": ("dataset", "document"), "icat": ()}


def missing(form: str, record: Record, world: list[Record]) -> bool:
    """Say whether a format has no place for a record at all."""
    used = {pid for one in world if isinstance(one, Dataset) for pid in one.samples}
    if form == "panosc":
        return isinstance(record, Sample) and record.pid not in used
    if form == "icat":
        publication = isinstance(record, Document) and record.type != "proposal"
        return publication or (isinstance(record, (Sample, Dataset)) and record.terms.proposal is None)
    return False


def fresh(empty: Path, folder: Path, name: str) -> Database:
    file = folder / f"{name}.db"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    shutil.copy(empty, file)
    return open_database(f"sqlite:///{file}")


def fill(database: Database, world: list[Record]) -> None:
    with database.write() as connection:
        put_techniques(connection, techniques, by=LOCAL_USER, at=AT)
    load(database, world, policy=read_policy(), by=LOCAL_USER, at=AT)


@pytest.mark.parametrize("form", sorted(HELD))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(world=worlds())
def test_what_comes_back_is_what_went_out(empty_sqlite: Path, tmp_path: Path, form: str, world: list[Record]) -> None:
    one, other = fresh(empty_sqlite, tmp_path, "one"), fresh(empty_sqlite, tmp_path, "other")
    try:
        fill(one, world)
        file = tmp_path / "all.json"
        count = EXPORTS[form](one, file, principal=LOCAL_USER, at=AT)
        here = sum(not missing(form, record, world) for record in world)
        samples = sum(isinstance(record, Sample) for record in world if not missing(form, record, world))
        assert count == (here - samples if form == "panosc" else here)
        report = import_file(other, file, of=form, policy=read_policy(), by=LOCAL_USER, at=AT)  # type: ignore[arg-type]
        assert report.refusals == []
        before, after = contents(one), contents(other)
        before = {key: one for key, one in before.items() if not missing(form, one, world)}
        assert after.keys() == before.keys()
        for key, record in before.items():
            if form == "icat" and isinstance(record, Dataset):  # one sample, if it is of a proposal
                record = replace(record, samples=tuple(p for p in record.samples[:1] if ("sample", p) in after))
            assert HELD[form](after[key]) == HELD[form](record)
            was, now = record.terms.open_from, after[key].terms.open_from
            if key[0] in TERMS_OF[form]:
                assert was == now, f"{key} opens at another moment"
            elif key[0] in ("dataset", "document"):
                assert now is None or (was is not None and was <= now), f"{key} opens before its time"
        again = import_file(other, file, of=form, policy=read_policy(), by=LOCAL_USER, at=AT)  # type: ignore[arg-type]
        assert (again.added, again.changed, again.refused) == (0, 0, 0)
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize("form", sorted(HELD))
def test_the_formats_are_told_apart(new_database: Callable[[], Database], tmp_path: Path, form: str) -> None:
    from tests.catalogue import world

    one, other = new_database(), new_database()
    with one.write() as connection:
        put_techniques(connection, world.techniques(), by=LOCAL_USER, at=AT)
    load(one, world.records(120), policy=read_policy(), by=LOCAL_USER, at=AT)
    EXPORTS[form](one, tmp_path / "all.json", principal=LOCAL_USER, at=AT)
    assert recognise(tmp_path / "all.json") == form
    report = import_file(other, tmp_path / "all.json", policy=read_policy(), by=LOCAL_USER, at=AT)
    assert report.refusals == [] and report.changed == 0
    after, before = contents(other), contents(one)
    publications = sum(isinstance(one, Document) and one.type == "publication" for one in before.values())
    left_out = {"panosc": 1, "scicat": 0, "icat": publications}  # the last sample is of no dataset
    assert len(after) == len(before) - left_out[form]
    known = {key for key in before if key[0] in ("instrument", "dataset")}
    assert {key for key in after if key[0] in ("instrument", "dataset")} == known


def test_only_what_anybody_may_have_goes_out_with_public(new_database: Callable[[], Database], tmp_path: Path) -> None:
    one, other = new_database(), new_database()
    open_, closed = Terms(open_from=AT, discoverable_from=AT, fixed=True), Terms(fixed=True)
    fill(
        one,
        [
            Dataset(pid="open", kind="raw", title="seen", creation_date=AT, terms=open_),
            Dataset(pid="closed", kind="raw", title="hidden", creation_date=AT, terms=closed),
        ],
    )
    for form in HELD:
        assert EXPORTS[form](one, tmp_path / form, principal=ANONYMOUS, at=AT) == (0 if form == "icat" else 1)
        assert "hidden" not in (tmp_path / form).read_text()
    import_file(other, tmp_path / "panosc", policy=read_policy(), by=LOCAL_USER, at=AT)
    assert set(contents(other)) == {("dataset", "open")}
