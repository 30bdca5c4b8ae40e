"""What a file reads from other files, and what of it is missing."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pancommons.base.errors import BadInput
from pancommons.nexus.links import DEEPEST, all_sources, dataset_sources, files_read, missing_sources
from pancommons.nexus.virtual import Part, virtual_stack


def _plain(path: Path, **datasets: object) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def test_every_kind_of_source_is_named(tmp_path: Path) -> None:
    _plain(tmp_path / "a.h5", v=np.ones((2, 3)))
    (tmp_path / "raw.bin").write_bytes(bytes(24))
    with h5py.File(tmp_path / "main.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("a.h5", "/v")
        file["gone"] = h5py.ExternalLink("b.h5", "/v")
        file["hollow"] = h5py.ExternalLink("a.h5", "/w")
        file["soft"] = h5py.SoftLink("/nowhere")
        file["fine"] = h5py.SoftLink("/linked")
        parts = [Part("a.h5", "/v", (2, 3), (0, 0)), Part("c.h5", "/v", (2, 3), (2, 0))]
        virtual_stack(file, "stack", parts, dtype="f8")
        file.create_dataset("stored", (3,), "f8", external=[(str(tmp_path / "raw.bin"), 0, 24)])
        file.create_dataset("unstored", (3,), "f8", external=[(str(tmp_path / "no.bin"), 0, 24)])
    found = {(source.path, source.target, source.missing) for source in all_sources(tmp_path / "main.h5")}
    assert found == {
        ("/linked", "a.h5", False),
        ("/gone", "b.h5", True),
        ("/hollow", "a.h5", True),
        ("/soft", "", True),
        ("/stack", "a.h5", False),
        ("/stack", "c.h5", True),
        ("/stored", str(tmp_path / "raw.bin"), False),
        ("/unstored", str(tmp_path / "no.bin"), True),
    }
    assert {source.path for source in missing_sources(tmp_path / "main.h5")} == {
        "/gone", "/hollow", "/soft", "/stack", "/unstored",
    }  # fmt: skip
    assert "(missing)" in str(missing_sources(tmp_path / "main.h5")[0])


def test_sources_are_followed_through_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    _plain(tmp_path / "deep" / "c.h5", v=np.ones(3))
    with h5py.File(tmp_path / "deep" / "b.h5", "w") as file:
        virtual_stack(file, "v", [Part("c.h5", "/v", (3,), (0,))], dtype="f8")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["far"] = h5py.ExternalLink("deep/b.h5", "/")
        file.create_group("entry")["data"] = h5py.SoftLink("../far/v")
        file["entry/alias"] = h5py.SoftLink("/far/v")
    names = [path.name for path in files_read(tmp_path / "a.h5", "/entry/alias")]
    assert names == ["a.h5", "b.h5", "c.h5"]
    (tmp_path / "deep" / "c.h5").unlink()
    missing = [source for source in dataset_sources(tmp_path / "a.h5", "/entry/alias") if source.missing]
    assert [(source.file.name, source.target) for source in missing] == [("b.h5", "c.h5")]


def test_circles_end(tmp_path: Path) -> None:
    for here, there in (("a", "b"), ("b", "a")):
        with h5py.File(tmp_path / f"{here}.h5", "w") as file:
            file["v"] = h5py.ExternalLink(f"{there}.h5", "/v")
            file["x"] = h5py.SoftLink("/y")
            file["y"] = h5py.SoftLink("/x")
            group = file.create_group("group")
            group["itself"] = group
    assert all(source.missing for source in all_sources(tmp_path / "a.h5"))


def test_a_chain_of_too_many_files_is_refused(tmp_path: Path) -> None:
    for index in range(DEEPEST + 3):
        with h5py.File(tmp_path / f"{index}.h5", "w") as file:
            file["v"] = h5py.ExternalLink(f"{index + 1}.h5", "/v")
    with pytest.raises(BadInput, match="more than 8 files"):
        dataset_sources(tmp_path / "0.h5", "/v")


def test_the_search_is_bounded(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "many.h5", "w") as file:
        for index in range(50):
            file[f"{index:02}"] = h5py.ExternalLink("gone.h5", "/v")
    assert len(missing_sources(tmp_path / "many.h5", most=10)) == 10


def test_a_renamed_absolute_folder_is_found_beside_the_file(tmp_path: Path) -> None:
    _plain(tmp_path / "raw.h5", v=np.ones(3))
    with h5py.File(tmp_path / "main.h5", "w") as file:
        file["v"] = h5py.ExternalLink("/old/place/raw.h5", "/v")
    assert files_read(tmp_path / "main.h5", "/v")[1:] == [tmp_path / "raw.h5"]
    with h5py.File(tmp_path / "main.h5") as file:
        assert file["v"].shape == (3,)
