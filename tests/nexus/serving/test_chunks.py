"""Chunks as they are stored: undone by h5py itself, they are the values."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from pancommons.nexus.serving.budget import Budget
from tests.nexus.serving.test_answering import ask

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deflate": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
    "lz4": dict(hdf5plugin.LZ4()),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "blosc": dict(hdf5plugin.Blosc(cname="lz4")),
}


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).poisson(50, (4, 60, 70)).astype("uint16")
    with h5py.File(tmp_path / "stacks.h5", "w") as file:
        for name, options in KINDS.items():
            file.create_dataset(name, data=values, chunks=(1, 32, 70), **options)
        file["contiguous"] = values
        file.create_dataset("gaps", (10, 8, 8), "f4", chunks=(1, 8, 8), fillvalue=3.0)
        file["gaps"][2] = 1.0
        file.create_dataset("vast", (1 << 40,), "u1", chunks=(1 << 10,))
        file.create_dataset("text", data=np.array(["a", "b"], object), chunks=(1,), dtype=h5py.string_dtype())
    return tmp_path / "stacks.h5"


def _taken(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    length = struct.unpack("<I", body[:4])[0]
    head = json.loads(body[4 : 4 + length])
    bodies, at = [], 4 + length
    for chunk in head["chunks"]:
        bodies.append(body[at : at + chunk["bytes"]])
        at += chunk["bytes"]
    assert at == len(body)
    return head, bodies


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("selection", ["2", "0, 40", "::3, 10:50:20", "1:3, 0, 0"])
def test_put_into_another_file_they_are_the_same_values(
    stacks: Path, tmp_path: Path, kind: str, selection: str
) -> None:
    head, bodies = _taken(ask(stacks, "chunks", f"/{kind}", selection=selection).body)
    index = tuple(
        slice(*[int(part) if part else None for part in member.split(":")]) if ":" in member else int(member)
        for member in selection.split(",")
    )
    with h5py.File(tmp_path / "copy.h5", "w") as copy:
        made = copy.create_dataset("v", tuple(head["shape"]), head["dtype"], chunks=tuple(head["chunk"]), **KINDS[kind])
        for chunk, body in zip(head["chunks"], bodies, strict=True):
            made.id.write_direct_chunk(tuple(chunk["offset"]), body, chunk["skipped"])
    with h5py.File(tmp_path / "copy.h5") as copy, h5py.File(stacks) as file:
        np.testing.assert_array_equal(copy["v"][index], file[kind][index])
    assert len(head["filters"]) == {"plain": 0, "deflate": 2}.get(kind, 1)


def test_no_more_chunks_than_are_needed(stacks: Path) -> None:
    head, _ = _taken(ask(stacks, "chunks", "/plain", selection="2, 33:34").body)
    assert [chunk["offset"] for chunk in head["chunks"]] == [[2, 32, 0]]


def test_a_chunk_that_was_never_written(stacks: Path) -> None:
    head, bodies = _taken(ask(stacks, "chunks", "/gaps", selection="1:3").body)
    assert [chunk["bytes"] for chunk in head["chunks"]] == [0, 256] and head["fill"] == 3.0
    assert np.frombuffer(bodies[1], "<f4").tolist() == [1.0] * 64


@pytest.mark.parametrize(
    ("path", "status"), [("/contiguous", 422), ("/vast", 413), ("/text", 422), ("/", 422), ("/none", 404)]
)
def test_refused(stacks: Path, path: str, status: int) -> None:
    answer = ask(stacks, "chunks", path)
    assert answer.status == status and answer.problem and not answer.body


def test_within_the_budget(stacks: Path) -> None:
    answer = ask(stacks, "chunks", "/plain", budget=Budget(answer_bytes=9000))
    assert answer.status == 413
