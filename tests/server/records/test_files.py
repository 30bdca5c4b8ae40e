"""Downloads: whole, in part, not again, and never of anything outside of the roots."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import fetch
from pancommons.catalogue.records import Dataset, File, Terms
from pancommons.catalogue.write import put
from tests.server.records.conftest import Portal

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

BYTES = bytes(range(256)) * 2048 + b"the end"
NAME = 'a "scan";\r\n\u202eof Bögen\\7.nxs'


@dataclass
class Kept:
    """A dataset with files, and their ids by name."""

    identifier: str
    files: dict[str, str]


@pytest.fixture
def keep(portal: Portal) -> Callable[..., Kept]:
    def put_in(pid: str, *files: File, days: int | None = -1) -> Kept:
        at = portal.world.at
        since = None if days is None else at + timedelta(days=days)
        terms = Terms(open_from=since, discoverable_from=at - timedelta(days=9), fixed=True)
        record = Dataset(pid=pid, kind="raw", title=pid, creation_date=at, files=files, terms=terms)
        with portal.database.write() as connection:
            done = put(connection, record, policy=read_policy(), by=LOCAL_USER, at=at)
            found = fetch(connection, "dataset", done.identifier, LOCAL_USER, at)
        return Kept(done.identifier, {one.name: str(one.identifier) for one in found.record.files})  # type: ignore[union-attr]

    return put_in


def _file(root: Path, name: str, content: bytes = BYTES) -> File:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)
    return File(root="data", path=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def address(portal: Portal, keep: Callable[..., Kept]) -> str:
    kept = keep("scan", _file(portal.world.root, "scan.nxs"))
    return f"/files/{kept.files['scan.nxs']}"


def test_a_whole_file(portal: Portal, address: str) -> None:
    answer = portal.get(address)
    assert answer.content == BYTES and answer.headers["content-length"] == str(len(BYTES))
    assert answer.headers["content-type"] == "application/x-hdf5"
    digest = base64.b64encode(hashlib.sha256(BYTES).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    head = portal.client.head(address)
    assert head.status_code == 200 and head.content == b""
    assert {**head.headers} == {**answer.headers}


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-0", slice(0, 1)), ("bytes=300000-", slice(300000, None)), ("bytes=-7", slice(-7, None)),
     ("bytes=100-270000", slice(100, 270001)), ("bytes=5-99999999999999999999", slice(5, None))],
)  # fmt: skip
def test_a_part(portal: Portal, address: str, asked: str, part: slice) -> None:
    answer = portal.get(address, headers={"range": asked})
    assert answer.status_code == 206 and answer.content == BYTES[part]
    start, stop, _ = part.indices(len(BYTES))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BYTES)}"


def test_what_has_not_changed_is_not_sent_again(portal: Portal, address: str) -> None:
    first = portal.get(address)
    tag, changed = first.headers["etag"], first.headers["last-modified"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = portal.get(address, headers={"if-none-match": known})
        assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
    for still, status in ((tag, 206), (changed, 206), ('"other"', 200), (f"W/{tag}", 200)):
        assert portal.get(address, headers={"if-range": still, "range": "bytes=1-"}).status_code == status
    file = portal.world.root / "scan.nxs"
    file.write_bytes(b"other bytes")
    changed_now = portal.get(address, headers={"if-none-match": tag, "if-range": tag, "range": "bytes=1-"})
    assert changed_now.status_code == 200 and changed_now.content == b"other bytes"
    assert "repr-digest" not in changed_now.headers


def test_a_range_that_is_not_there(portal: Portal, address: str) -> None:
    for asked in (f"bytes={len(BYTES)}-", "bytes=-0"):
        answer = portal.get(address, headers={"range": asked})
        assert answer.status_code == 416 and answer.headers["content-range"] == f"bytes */{len(BYTES)}"
    assert portal.get(address, headers={"range": "bytes=0-1,5-6"}).content == BYTES


def test_an_empty_file(portal: Portal, keep: Callable[..., Kept]) -> None:
    kept = keep("empty", _file(portal.world.root, "empty.nxs", b""))
    answer = portal.get(f"/files/{kept.files['empty.nxs']}")
    assert answer.status_code == 200 and answer.content == b"" and answer.headers["content-length"] == "0"


def test_a_hostile_name_stays_one_name(portal: Portal, keep: Callable[..., Kept]) -> None:
    kept = keep("hostile", _file(portal.world.root, NAME), _file(portal.world.root, "page.html", b"<script>1</script>"))
    answer = portal.get(f"/files/{kept.files[NAME]}")
    assert answer.status_code == 200 and answer.content == BYTES
    plain, told = "a _scan_____of B_gen_7.nxs", "a%20%22scan%22%3B___of%20B%C3%B6gen_7.nxs"
    assert answer.headers["content-disposition"] == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{told}"
    page = portal.get(f"/files/{kept.files['page.html']}")
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["x-content-type-options"] == "nosniff" and "sandbox" not in page.headers["content-type"]
    listed = portal.get(f"/datasets/{kept.identifier}")
    assert "<script>1" not in listed.text and NAME.split(";")[0] not in listed.text


def test_nothing_outside_of_the_roots_is_sent(portal: Portal, keep: Callable[..., Kept], tmp_path: Path) -> None:
    root = portal.world.root
    (tmp_path / "secret.nxs").write_bytes(b"outside")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "s.nxs").write_bytes(b"outside")
    (root / "out.nxs").symlink_to(tmp_path / "secret.nxs")
    (root / "up").symlink_to(tmp_path / "folder")
    (root / "circle.nxs").symlink_to(root / "circle.nxs")
    os.mkfifo(root / "pipe.nxs")
    (root / "folder.nxs").mkdir()
    places = ["out.nxs", "up/s.nxs", "../secret.nxs", "circle.nxs", "pipe.nxs", "folder.nxs", "none.nxs",
              str(tmp_path / "secret.nxs")]  # fmt: skip
    kept = keep("outside", *(File(root="data", path=path) for path in places), File(root="elsewhere", path="x.nxs"))
    assert len(kept.files) >= 7
    for name, file in kept.files.items():
        answer = portal.get(f"/files/{file}")
        assert answer.status_code == 404 and b"outside" not in answer.content, name
        assert "not where it should be" in answer.text


def test_a_link_inside_of_the_roots_gives_what_may_be_had(portal: Portal, keep: Callable[..., Kept]) -> None:
    root = portal.world.root
    closed = keep("closed", _file(root, "closed.nxs", b"closed"), days=None)
    free = keep("free", _file(root, "free.nxs", b"free"))
    (root / "to-closed.nxs").symlink_to(root / "closed.nxs")
    (root / "to-free.nxs").symlink_to(root / "free.nxs")
    borrowing = keep(
        "borrowing", File(root="data", path="to-closed.nxs"), File(root="data", path="to-free.nxs"),
        File(root="data", path="closed.nxs", role="linked", sha256="c105ed" * 10),
    )  # fmt: skip
    portal.asking = ANONYMOUS
    got = {name: portal.get(f"/files/{file}") for name, file in borrowing.files.items()}
    assert {name: one.status_code for name, one in got.items()} == {
        "to-closed.nxs": 404, "to-free.nxs": 200, "closed.nxs": 404,
    }  # fmt: skip
    unknown = portal.get("/files/none", "*/*")
    assert portal.get(f"/files/{borrowing.files['closed.nxs']}", "*/*").text == unknown.text
    for path in (f"/datasets/{borrowing.identifier}", f"/datasets/{borrowing.identifier}/files.metalink"):
        for accept in ("text/html", "application/json", "application/ld+json"):
            told = portal.get(path, accept).text
            assert "c105ed" not in told and borrowing.files["closed.nxs"] not in told
    assert "1 of the files it reads from belong" in portal.get(f"/datasets/{borrowing.identifier}").text
    portal.asking = LOCAL_USER
    assert portal.get(f"/files/{borrowing.files['closed.nxs']}").content == b"closed"
    assert portal.get(f"/files/{closed.files['closed.nxs']}").content == b"closed"
    assert portal.get(f"/files/{free.files['free.nxs']}").content == b"free"


def test_a_file_that_grows_or_shrinks_while_it_is_sent(portal: Portal, address: str) -> None:
    file = portal.world.root / "scan.nxs"
    with portal.client.stream("GET", address) as answer:
        with file.open("ab") as more:
            more.write(b"more")
        assert b"".join(answer.iter_bytes()) == BYTES


def test_lists_for_download_programs(portal: Portal, keep: Callable[..., Kept]) -> None:
    root = portal.world.root
    kept = keep("several", _file(root, "one/a.nxs"), _file(root, "two/a.nxs", b"2"),
                File(root="data", path="gone.nxs", missing=True))  # fmt: skip
    listed = etree.fromstring(portal.get(f"/datasets/{kept.identifier}/files.metalink").content)
    told = [(one.get("name"), one.findtext("{*}size"), one.findtext("{*}hash")) for one in listed.iter("{*}file")]
    assert told == [
        ("a.nxs", str(len(BYTES)), hashlib.sha256(BYTES).hexdigest()),
        ("two/a.nxs", "1", hashlib.sha256(b"2").hexdigest()),
    ]
    addresses = portal.get(f"/datasets/{kept.identifier}/files.txt").text.split()
    for what in ("/files.txt", "/files.metalink", ".bib", ""):  # wget asks for the header alone first
        assert portal.client.head(f"/datasets/{kept.identifier}{what}").status_code == 200, what
    assert addresses == [one.findtext("{*}url") for one in listed.iter("{*}file")]
    assert [portal.get(one.removeprefix("https://portal.example")).content for one in addresses] == [BYTES, b"2"]
    page = portal.get(f"/datasets/{kept.identifier}").text
    assert "gone.nxs" in page and "Not where they should be" in page


def test_a_picture_is_sent_once(portal: Portal) -> None:
    place = f"/datasets/{portal.identifier('dataset', 'open')}/thumbnail"
    first = portal.get(place)
    assert first.headers["content-type"] == "image/webp" and first.headers["cache-control"].startswith("private")
    assert portal.get(place, headers={"if-none-match": first.headers["etag"]}).status_code == 304
