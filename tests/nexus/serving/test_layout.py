"""Where chunks lie: read from there, they are what HDF5 reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pancommons.nexus.serving import layout as layouts
from pancommons.nexus.serving.budget import Budget, Refused
from pancommons.nexus.serving.layout import Layout, layout
from tests.nexus.serving.test_answering import ask
from tests.nexus.serving.test_chunks import KINDS, stacks

__all__ = ["stacks"]


def _body(file: Path, found: Layout, selection: str | None) -> bytes:
    head, places = found.find(selection, Budget())
    raw = file.read_bytes()
    return head + b"".join(raw[begin : begin + size] for begin, size in places)


def _layout(file: Path, path: str) -> Layout:
    said = ask(file, "layout", path)
    assert said.touched == [str(file)]
    return Layout.unpacked(said.body)


@pytest.mark.parametrize("kind", [*KINDS, "gaps"])
@pytest.mark.parametrize("selection", [None, "2", "0, 4", "::3, 1:7:3", "1:3, 0, 0", "-1, ::5"])
def test_the_same_bytes_as_through_hdf5(stacks: Path, kind: str, selection: str | None) -> None:
    found = _layout(stacks, f"/{kind}")
    assert found.file == str(stacks)
    assert _body(stacks, found, selection) == ask(stacks, "chunks", f"/{kind}", selection=selection).body


@pytest.mark.parametrize("version", ["earliest", "latest"])
@pytest.mark.parametrize("most", [(40, 8), (None, 8), (None, None)])
def test_every_kind_of_index(tmp_path: Path, version: str, most: tuple[int | None, int | None]) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver=version) as opened:
        made = opened.create_dataset("v", (40, 8), "i4", chunks=(3, 5), maxshape=most, compression="gzip")
        made[:20] = np.arange(160).reshape(20, 8)
        made[30:] = 1
    for selection in ("0:7", "17, 6", "39", None):
        assert _body(file, _layout(file, "/v"), selection) == ask(file, "chunks", "/v", selection=selection).body


def test_refused_as_the_chunks_are(stacks: Path) -> None:
    for path in ("/contiguous", "/text", "/", "/none"):
        said, other = ask(stacks, "layout", path), ask(stacks, "chunks", path)
        assert (said.status, said.problem) == (other.status, other.problem) and said.problem
    found = _layout(stacks, "/plain")
    for selection, budget in (("9", Budget()), ("2:2", Budget()), ("x", Budget()), ("0", Budget(answer_bytes=100))):
        other = ask(stacks, "chunks", "/plain", selection=selection, budget=budget)
        with pytest.raises(Refused) as refused:
            found.find(selection, budget)
        assert (refused.value.status, refused.value.problem) == (other.status, other.problem)


def test_not_told(stacks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(stacks, "layout", "/vast").body == b"", "too many"
    with h5py.File(tmp_path / "late.h5", "w", userblock_size=512) as file:
        file.create_dataset("v", data=np.arange(4), chunks=(2,))
    assert ask(tmp_path / "late.h5", "layout", "/v").body == b"", "places are counted from elsewhere"
    with h5py.File(stacks) as file:
        monkeypatch.setattr(layouts, "_number", lambda *_: -1)
        assert layout(file["plain"], "x") is None, "a chunk outside of the dataset"


def test_places_that_cannot_be(stacks: Path) -> None:
    found = _layout(stacks, "/plain")
    for row in ((-1, 10, 0), (0, -1, 0), (0, 1 << 40, 0)):
        with pytest.raises(Refused):
            replace(found, table=np.array([row] * len(found.table))).find("0", Budget())


def test_what_is_no_layout(stacks: Path) -> None:
    body = ask(stacks, "layout", "/plain").body
    assert Layout.unpacked(body).packed() == body
    for wrong in (b"", b"\xff\xff\xff\xff{}", body[:-1], body[:-24], body + bytes(24), b"\2\0\0\0{}"):
        with pytest.raises(ValueError, match=r".*"):
            Layout.unpacked(wrong)
