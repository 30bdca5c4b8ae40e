"""How parameters in a range are looked for: each way gives the same answer, and the one that fits is taken."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from tests.catalogue.search.putting import CLOSED, NOW, OPEN, dataset, has, pids, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import Dataset, Document
from pancommons.catalogue.search import walking
from pancommons.catalogue.search.asking import search

SETS = 12
GATHERED, ONE_BY_ONE = "IS true", "OFFSET 0)"


def _document(number: int) -> Document:
    return Document(pid=f"r{number}", type="publication", title=f"report {number}", terms=OPEN)


def _dataset(number: int) -> Dataset:
    """Make a dataset of a report of its own and of the first, with two temperatures; each fourth is for its team."""
    measured = (parameter("temperature", 10.0 * number, "K"), parameter("temperature", 10.0 * number + 1, "K"))
    return dataset(
        f"s{number}",
        f"set {number}",
        documents=("r0", f"r{number + 1}"),
        parameters=(*measured, parameter("pressure", float(number), "bar")),
        terms=CLOSED if number % 4 == 3 else OPEN,
    )


@pytest.fixture(scope="module")
def opened(shared_database):
    put(shared_database, [_document(number) for number in range(SETS + 1)])
    put(shared_database, [_dataset(number) for number in range(SETS)])
    with shared_database.read() as connection:
        yield connection


def temperature(low, high=1000):
    return has("temperature", {"between": [low, high]}, "K")["include"][0]


def below(*includes):
    return {"include": [{"relation": "datasets", "scope": {"include": list(includes)}}]}


@contextmanager
def statements(connection):
    """Collect the statements that are run."""
    told: list[str] = []

    def note(_connection, _cursor, statement, *_more):
        told.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        yield told
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)


@pytest.fixture(
    params=[(16, 20_000, None), (3, 16, GATHERED), (3, 4, ONE_BY_ONE)], ids=["left alone", "gathered", "one by one"]
)
def way(request, monkeypatch, opened):
    """Set the bounds so that sixteen parameters are few, or many, or too many; give what then stands in a statement."""
    enough, few, mark = request.param
    for name, value in {"ENOUGH": enough, "FEW": few, "_FOR_EACH": 0}.items():
        monkeypatch.setattr(walking, name, value)
    return mark


def _asked(opened, way, kind, filter_):
    with statements(opened) as told:
        found = search(opened, kind, filter_, ANONYMOUS, NOW)
    marks = {mark for mark in (GATHERED, ONE_BY_ONE) if any(mark in one for one in told)}
    if opened.dialect.name == "sqlite":  # it gathers datasets itself, but not what lies above them
        assert any(") IS 1" in one for one in told) == (kind == "Document" and way == GATHERED)
    else:
        assert marks - {ONE_BY_ONE} == {GATHERED} if way == GATHERED else marks == {way} - {None}
        assert way != ONE_BY_ONE or any("dimension || ''" in one for one in told), "may read the range for each dataset"
    return found


def test_datasets(opened, way):
    found = _asked(opened, way, "Dataset", {"include": [temperature(40)], "limit": 10})
    assert pids(found) == ["s4", "s5", "s6", "s8", "s9", "s10"]
    assert [len(one["parameters"]) for one in found] == [3] * 6
    newest = {"include": [temperature(40)], "limit": 2, "skip": 1, "order": "creationDate DESC"}
    assert pids(_asked(opened, way, "Dataset", newest)) == ["s9", "s8"]


def test_documents_by_their_datasets(opened, way):
    found = _asked(opened, way, "Document", below(temperature(40)) | {"limit": 3})
    assert pids(found) == ["r0", "r5", "r6"]
    assert pids(found[0]["datasets"]) == ["s4", "s5", "s6", "s8", "s9", "s10"]
    values = [[one["value"] for one in each["parameters"]] for each in found[0]["datasets"]]
    assert values == [[40, 41], [50, 51], [60, 61], [80, 81], [90, 91], [100, 101]]
    public = below(temperature(40)) | {"where": {"isPublic": True}, "limit": 1, "skip": 2}
    assert pids(_asked(opened, way, "Document", public)) == ["r6"]
    assert search(opened, "Document", below(temperature(2000)), ANONYMOUS, NOW) == []


def test_more_than_one_is_asked_for_or_another_order(opened, way):
    """Then the page is not walked, but for what is shown the datasets of each document are asked one by one."""
    way = way and ONE_BY_ONE
    both = below(temperature(40), has("pressure", {"lte": 6}, "bar")["include"][0])
    found = _asked(opened, way, "Document", both | {"limit": 5})
    assert pids(found) == ["r0", "r5", "r6", "r7"]
    assert pids(found[0]["datasets"]) == ["s4", "s5", "s6"]
    ordered = below(temperature(40)) | {"order": "title DESC", "limit": 2}
    assert pids(_asked(opened, way, "Document", ordered)) == ["r9", "r7"]
