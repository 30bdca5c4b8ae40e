"""Looking inside files: what the server shows by itself, to whom, and of hostile files."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from pancommons.base.settings import Settings
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import fetch
from pancommons.catalogue.records import Dataset, File, Terms
from pancommons.catalogue.write import put
from pancommons.nexus.serving.budget import Budget
from pancommons.nexus.serving.seen import SETTLED_NS
from pancommons.server.pages import look as looking
from pancommons.store.engine import Database
from tests.conftest import SHARED
from tests.nexus.serving import hostile
from tests.server.conftest import listening
from tests.server.hdf5.conftest import Portal, portal

__all__ = ["portal"]

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

EXAMPLES = SHARED / "nexus-examples"
AT = datetime.now(UTC) - timedelta(days=1)
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
IMAGE = {"Accept": "image/avif,image/webp,image/png,*/*;q=0.8"}


def register(database: Database, paths: dict[str, str]) -> dict[str, str]:
    """Take files of the root ``data`` into the catalogue, open to all; return their ids by path."""
    ids, policy = {}, read_policy()
    terms = Terms(open_from=AT, discoverable_from=AT, fixed=True)
    with database.write() as connection:
        for path, title in paths.items():
            record = Dataset(
                pid=path, kind="raw", title=title, creation_date=AT, terms=terms, files=(File(root="data", path=path),)
            )
            done = put(connection, record, policy=policy, by=LOCAL_USER, at=AT)
            found = fetch(connection, "dataset", done.identifier, LOCAL_USER, AT)
            ids[path] = found.record.files[0].identifier  # type: ignore[union-attr]
    return ids  # type: ignore[return-value]


def page(portal: Portal, name: str, path: str = "/", **asked: object) -> httpx.Response:
    address = f"{portal.address}/look/{portal.files.get(name, name)}"
    return portal.client.get(address, params={"path": path, "view": "plain", **asked}, headers=BROWSER)  # type: ignore[arg-type]


def plot(portal: Portal, name: str, path: str = "/", **asked: object) -> httpx.Response:
    address = f"{portal.address}/look/{portal.files.get(name, name)}/plot.png"
    return portal.client.get(address, params={"path": path, **asked}, headers=IMAGE)  # type: ignore[arg-type]


def test_what_the_page_shows(portal: Portal) -> None:
    time.sleep(SETTLED_NS / 1e9 + 0.1)  # what was just written has no answer that is still the same
    root = page(portal, "main")
    assert root.status_code == 200 and "main.h5" in root.text and "Members" in root.text
    links = re.findall(rf'href="(/look/{portal.files["main"]}\?path=[^"]*)"', root.text)
    assert any("path=%2Fv" in link and "view=plain" in link for link in links)
    values = page(portal, "main", "/v", slice="1,:,:")
    assert all(f">{number}<" in values.text for number in range(12, 24)) and ">11<" not in values.text
    assert 'value="1,:,:"' in values.text and "format=npy" in values.text and "plot.png" in values.text
    drawn = plot(portal, "main", "/v")
    assert drawn.status_code == 200 and Image.open(io.BytesIO(drawn.content)).format == "PNG"
    again = portal.client.get(drawn.url, headers={**IMAGE, "If-None-Match": drawn.headers["etag"]})
    assert again.status_code == 304 and not again.content
    csp = root.headers["content-security-policy"]
    assert "unsafe" not in csp and "script-src 'self'" in csp and "<script>" not in root.text


def test_why_not_in_one_sentence(portal: Portal) -> None:
    for name, path, status, words in (
        ("text", "/", 415, "is no HDF5 file"),
        ("truncated", "/", 415, "is cut short"),
        ("main", "/nothing", 404, "not a valid path"),
        ("main", "/v/below", 404, "not a valid path"),
        ("nonsense", "/", 404, "There is no such file that you may read."),
    ):
        answer = page(portal, name, path)
        assert answer.status_code == status and words in answer.text, (name, path, answer.status_code)
        picture = plot(portal, name, path)
        assert picture.status_code == status and Image.open(io.BytesIO(picture.content)).size == (912, 240)
    wrong = page(portal, "main", "/v", slice="7,8")
    assert wrong.status_code == 200 and wrong.text.count("election: expected an index below 2") == 2
    assert page(portal, "main", "/v", row=-1).status_code == 400 == page(portal, "main", "/" + "x" * 4001).status_code


def test_only_for_those_who_may_read(portal: Portal) -> None:
    for asking, status in ((ANONYMOUS, 404), (portal.team, 200), (ANONYMOUS, 404)):
        portal.asking = asking
        assert page(portal, "embargoed").status_code == status
        shown = page(portal, "embargoed", "/secret")
        assert shown.status_code == status and ("SECRET-of-the-team" in shown.text) is (status == 200)
    for path in ("/", "/theirs", "/virtual"):
        assert "SECRET-of-the-team" not in page(portal, "main", path).text
    assert "not followed" in page(portal, "main", "/theirs").text
    portal.asking = portal.team
    assert "SECRET-of-the-team" in page(portal, "main", "/theirs").text


def test_without_the_viewer_the_page_says_so(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{portal.address}/look/{portal.files['main']}"
    monkeypatch.setattr(looking, "built", lambda: frozenset({"viewer.js"}))
    island = portal.client.get(address, headers=BROWSER).text
    assert 'id="viewer"' in island and "<noscript>" in island and "Members" in island.split('class="look-behind"')[1]
    monkeypatch.setattr(looking, "built", frozenset)
    alone = portal.client.get(address, headers=BROWSER).text
    assert 'id="viewer"' not in alone and "The full viewer is missing on this server" in alone and "Members" in alone


def test_hostile_files(portal: Portal) -> None:
    hostile.make_large(portal.root / "large.h5")
    hostile.make_plots(portal.root.parent)
    _disguise(portal, "slow", "large.h5")
    _disguise(portal, "loops", "plots.h5")
    before = psutil.Process().memory_info().rss
    budget = Budget()
    for name in portal.files:
        if name == "embargoed":
            continue
        listed = portal.get(name, "paths")
        every = listed.json() if listed.status_code == 200 else ["/"]
        for path in every[: 3 if name.startswith("noisy") else 40]:
            for answer in (page(portal, name, path), plot(portal, name, path)):
                assert answer.status_code in (200, 404, 413, 415, 422), (name, path, answer.status_code, answer.text)
                assert hostile.CANARY not in answer.content and b"Traceback" not in answer.content
                assert str(portal.root).encode() not in answer.content
                assert len(answer.content) < budget.answer_bytes
    largest = max(psutil.Process(process).memory_info().rss for process in portal.readers.processes())
    assert psutil.Process().memory_info().rss - before < 200 << 20 and largest < budget.memory_bytes
    many = page(portal, "slow", "/many", first=19_900)
    assert "child-19999" in many.text and "19" in many.text and len(many.content) < 1 << 20


def _disguise(portal: Portal, name: str, file: str) -> None:
    """Put a file in the place of one that the catalogue has."""
    (portal.root / file).replace(portal.root / f"{name}.h5")


@pytest.fixture
def examples(database: Database) -> Iterator[tuple[str, dict[str, str]]]:
    if not EXAMPLES.exists():
        pytest.skip("the shared example files are not there")
    paths = [path for path in sorted(EXAMPLES.rglob("*")) if path.is_file() and path.suffix != ".txt"]
    ids = register(database, {path.relative_to(EXAMPLES).as_posix(): path.stem for path in paths})
    with listening(database, Settings(data_roots={"data": str(EXAMPLES)})) as address:
        yield address, ids


def test_every_example_file(examples: tuple[str, dict[str, str]]) -> None:
    address, ids = examples
    drawn = 0
    assert len(ids) > 20
    with httpx.Client(timeout=60) as client:
        for path, file in ids.items():
            shown = client.get(f"{address}/look/{file}", params={"view": "plain"}, headers=BROWSER)
            sentence = re.search(r'class="note error">\s*<p>([^<]+\.)</p>', shown.text)
            assert shown.status_code == 200 or sentence, (path, shown.status_code)
            picture = client.get(f"{address}/look/{file}/plot.png", headers=IMAGE)
            assert picture.status_code in (200, 404, 415, 422), (path, picture.status_code)
            assert Image.open(io.BytesIO(picture.content)).format == "PNG"
            drawn += picture.status_code == 200
    assert drawn >= len(ids) - 3, "all but those whose data is missing"


def test_a_title_from_a_file_is_text(database: Database, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("<script>alert(1)</script>", data=np.arange(3))
        file.attrs["<b>"] = "<img src=x onerror=alert(1)>"
    ids = register(database, {"x.h5": "x"})
    with listening(database, Settings(data_roots={"data": str(tmp_path)})) as address:
        for query in ({"view": "plain"}, {}, {"view": "plain", "path": "/<script>alert(1)</script>"}):
            text = httpx.get(f"{address}/look/{ids['x.h5']}", params=query, headers=BROWSER, timeout=60).text
            assert "<script>alert" not in text and "<img src=x" not in text and "<b>" not in text
