"""A few people browse for a moment: every kind of page and of what belongs to it is asked for, and nothing fails."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, File
from pancommons.catalogue.write import put
from pancommons.store.engine import open_database
from tests.load.browsing import PAGES, PARTS, Visitor, browse
from tests.load.portal import Portal, Size, Work, make, serving
from tests.runs.world import OPEN, PLUGIN

SMALL = Size(
    datasets=300, scan=("--columns", "32", "--rows", "4", "--angles", "31"), frames=3, edge=64, people=2, browsers=2
)
SLOW = Work("strips", "vector", "vector", {"pause": 60})


def add_vector(portal: Portal, url: str) -> None:
    """Put what the third party's pipeline runs on into the catalogue."""
    np.save(portal.folder / "data" / "vector.npy", np.arange(64.0))
    database = open_database(url)
    vector = Dataset(
        pid="vector", kind="raw", title="a vector", creation_date=datetime.now(UTC), terms=OPEN,
        files=(File(root="data", path="vector.npy"),),
    )  # fmt: skip
    with database.write() as connection:
        made = put(connection, vector, policy=read_policy(), by=LOCAL_USER, at=datetime.now(UTC))
    database.close()
    portal.inputs["vector"] = made.identifier


async def deceived(address: str) -> list[str | None]:
    """Open two pages that are not what a visitor expects; return what they found wrong."""
    visitor = Visitor(address, 9, [], cookie="none", name="Nobody Here")
    await visitor.page("home", "/")
    await visitor.page("dataset", "/datasets/none")
    await visitor.client.aclose()
    return [one.wrong for one in visitor.heard if one.wrong]


def test_nothing_fails_while_people_browse_and_runs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")]).rstrip(":"))
    monkeypatch.setattr("tests.load.browsing.SOON", 0.0)
    monkeypatch.setattr("tests.load.browsing.REFRESH", 0.05)
    url = f"sqlite:///{tmp_path}/pan.db"
    made = make(tmp_path / "portal", url, SMALL)
    add_vector(made, url)
    with serving(made) as portal:
        for number in range(3):
            portal.ask(SLOW, number)
        until = time.monotonic() + 60
        while portal.runs()["running"] < 2 and time.monotonic() < until:
            time.sleep(0.2)
        heard = asyncio.run(browse(portal.visitors(3), think=(0.0, 0.2), weights=dict.fromkeys(PAGES, 1)))
        states = portal.runs()
        noticed = asyncio.run(deceived(portal.address))
    assert [one.wrong for one in heard if one.wrong] == []
    assert {one.kind for one in heard} == {*PAGES, *PARTS}
    assert (states["running"], states["waiting"]) == (2, 1)
    assert ["given to somebody else" in str(one) or str(one).startswith("404") for one in noticed] == [True, True]
