"""Fetching files from a real portal: gone on with, checked, whole or not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.client import Client
from pancommons.client.connection import Connection, NoAnswer
from pancommons.client.downloads import Damaged, download
from tests.client.portal import Portal
from tests.client.wires import Answer, Request, answering, cutting

CONTENT = os.urandom(300_000)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _scan(portal: Portal) -> str:
    [file] = Client(portal.address).files(portal.scan())
    return str(file["id"])


def test_a_file_of_the_catalogue(portal: Portal, tmp_path: Path) -> None:
    original = (portal.data / "scan.nxs").read_bytes()
    seen: list[tuple[int, int | None]] = []
    with Client(portal.address) as client:
        [file] = client.files(portal.scan())
        assert file["name"] == "scan.nxs" and file["size"] == len(original)
        place = client.download(file, tmp_path, lambda there, whole: seen.append((there, whole)))
        assert place == tmp_path / "scan.nxs" and place.read_bytes() == original
        assert seen[-1] == (len(original), len(original)) and seen == sorted(seen)
        with pytest.raises(BadInput, match="is there already"):
            client.download(file, tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_file()) == ["scan.nxs"]


def test_it_goes_on_where_the_wire_broke(portal: Portal, tmp_path: Path) -> None:
    original = (portal.data / "scan.nxs").read_bytes()
    third = len(original) // 3
    with cutting(portal.address, third, third, 5, third) as wire:
        connection = Connection(wire.address, sleep=lambda _: None)
        connection._answered = True
        identifier = _scan(portal)
        place = download(connection, f"/files/{identifier}", tmp_path / "new" / "scan.nxs")
        assert wire.connections >= 4
    assert place.read_bytes() == original
    assert sorted(one.name for one in place.parent.iterdir()) == ["scan.nxs"]


def _serving(content: bytes, tag: str, digest: str | None = None) -> object:
    """Make a function that answers as our files do."""

    def answer(request: Request) -> Answer:
        headers = {"ETag": tag, "Accept-Ranges": "bytes"}
        if digest is not None:
            import base64

            headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"
        asked = request.headers.get("range")
        if asked is None or request.headers.get("if-range") != tag:
            return 200, headers, content
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        return 206, {**headers, "Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}, content[begin:]

    return answer


def test_a_later_command_goes_on_with_what_is_there(tmp_path: Path) -> None:
    place = tmp_path / "file"
    with answering(_serving(CONTENT, '"one"', _sha256(CONTENT))) as (server, asked):  # type: ignore[arg-type]
        with (
            cutting(server, *[100_000] + [1] * 100) as wire,
            pytest.raises(NoAnswer, match="the same command goes on with it"),
        ):
            connection = Connection(wire.address, patience=1.0, sleep=lambda _: None)
            connection._answered = True
            download(connection, "/files/1", place)
        assert not place.exists()
        there = (tmp_path / "file.part").stat().st_size
        assert 50_000 < there < 100_000
        download(Connection(server), "/files/1", place)
        assert asked[-1].headers["range"] == f"bytes={there - 1}-"
    assert place.read_bytes() == CONTENT and [one.name for one in tmp_path.iterdir() if one.is_file()] == ["file"]


def test_what_is_whole_already_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.tag").write_text('"one"')
    with answering(_serving(CONTENT, '"one"', _sha256(CONTENT))) as (server, asked):  # type: ignore[arg-type]
        assert download(Connection(server), "/files/1", tmp_path / "file").read_bytes() == CONTENT
    assert [one.headers["range"] for one in asked] == [f"bytes={len(CONTENT) - 1}-"]


@pytest.mark.parametrize("tag", ['"other"', 'W/"one"', "", None])
def test_what_may_be_of_another_version_is_fetched_anew(tmp_path: Path, tag: str | None) -> None:
    (tmp_path / "file.part").write_bytes(b"old" * 1000)
    if tag is not None:
        (tmp_path / "file.part.tag").write_text(tag)
    with answering(_serving(CONTENT, '"one"', _sha256(CONTENT))) as (server, _):  # type: ignore[arg-type]
        assert download(Connection(server), "/files/1", tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path) -> None:
    with answering(_serving(CONTENT, '"one"', _sha256(b"else"))) as (server, _):  # type: ignore[arg-type]
        connection = Connection(server)
        with pytest.raises(Damaged, match="another checksum") as error:
            download(connection, "/files/1", tmp_path / "file")
    assert error.value.exit_code == 1
    assert not [one for one in tmp_path.iterdir() if one.is_file()]


def test_a_part_that_was_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    (tmp_path / "file.part.tag").write_text('"one"')
    headers = {"ETag": '"one"', "Content-Range": "bytes 0-9/10"}
    refused = pytest.raises(BadInput, match="another part than was asked for")
    with answering(lambda _: (206, headers, b"0123456789")) as (server, _), refused:
        download(Connection(server), "/files/1", tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_names_of_a_server_lead_nowhere_else(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    with Client(portal.address) as client:
        identifier = _scan(portal)
        for name in ("../../escaped.nxs", "/escaped.nxs", "..\\escaped.nxs"):
            place = client.download({"id": identifier, "name": name}, tmp_path / "inner")
            assert place == tmp_path / "inner" / "escaped.nxs"
            place.unlink()
        with pytest.raises(BadInput, match="is a folder; name the file to make"):
            client.download(identifier, tmp_path)
        with pytest.raises(BadInput, match="there is no such file"):
            client.download("nothing", tmp_path / "x")
    assert not (tmp_path / "x").exists() and not (tmp_path / "x.part").exists()
