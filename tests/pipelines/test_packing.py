"""A packed result needs nothing beside it, and a hostile one does nothing."""

from __future__ import annotations

import hashlib
import json
import stat
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest

from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines import comparing, packing
from pancommons.pipelines.folder import RunFolder
from tests.pipelines import toy


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    toy.register(monkeypatch)
    return toy.run(toy.write_input(tmp_path / "in.npy"), tmp_path / "run")


def test_a_packed_result_is_whole_without_its_folder(run: RunFolder, tmp_path: Path) -> None:
    archive = packing.pack(run.path, tmp_path / "published.zip")
    assert comparing.compare(run.path, archive).same
    with h5py.File(run.result) as file:
        shown = file["entry/data/data"][()]
    run.path.rename(tmp_path / "gone")
    with packing.opened(archive) as folder:
        assert sorted(path.name for path in folder.path.iterdir()) == [
            "figures", "report.html", "report.json", "result.nxs", "ro-crate-metadata.json", "run.json",
        ]  # fmt: skip
        assert folder.record().pipeline == "toy"
        with h5py.File(folder.result) as file:
            data = file["entry/data/data"]
            assert not data.is_virtual
            assert data.chunks == (1, 16)
            assert "32008" in str(data._filters)
            assert data.attrs["units"] == "mm"
            np.testing.assert_array_equal(data, shown)
            assert file.attrs["default"] == "entry" and file["entry/data"].attrs["signal"] == "data"
            assert isinstance(file["entry/data"].get("same", getlink=True), h5py.SoftLink)
        inside = folder.path
    assert not inside.exists()


def test_the_provenance_says_what_the_archive_holds(run: RunFolder, tmp_path: Path) -> None:
    archive = packing.pack(run.path, tmp_path / "published.zip")
    with zipfile.ZipFile(archive) as opened:
        names = {name for name in opened.namelist() if not name.endswith("/")}
        described = json.loads(opened.read("ro-crate-metadata.json"))
        entities = {entity["@id"]: entity for entity in described["@graph"]}
        for name in names - {"ro-crate-metadata.json"}:
            content = opened.read(name)
            assert entities[name]["sha256"] == hashlib.sha256(content).hexdigest()
            assert entities[name]["contentSize"] == str(len(content))
    text = json.dumps(described)
    assert '"parts/"' not in text and "events.jsonl" not in text
    values = [value for entity in entities.values() for value in entity.values()]
    items = [item for value in values for item in (value if isinstance(value, list) else [value])]
    references = {item["@id"] for item in items if isinstance(item, dict)}
    assert references <= set(entities) | {"https://w3id.org/ro/crate/1.1"}


def test_hard_and_external_links_come_along(run: RunFolder, tmp_path: Path) -> None:
    with h5py.File(run.result, "r+") as file:
        file["entry/alias"] = file["entry/data/data"]
        file["entry/part"] = h5py.ExternalLink("parts/powers/000000.h5", "values")
        file["entry/raw"] = h5py.ExternalLink("/elsewhere/raw.h5", "data")
    packing.make_real(run.result, tmp_path / "real.nxs")
    with h5py.File(tmp_path / "real.nxs") as real, h5py.File(run.result) as then:
        assert real["entry/alias"] == real["entry/data/data"]
        assert not real["entry/alias"].is_virtual
        np.testing.assert_array_equal(real["entry/part"], then["entry/part"])
        assert not isinstance(real["entry"].get("part", getlink=True), h5py.ExternalLink)
        assert isinstance(real["entry"].get("raw", getlink=True), h5py.ExternalLink)


def test_gaps_of_a_partial_run_stay_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch)
    run = toy.run(toy.write_input(tmp_path / "in.npy"), tmp_path / "run", poison=1)
    with (
        packing.opened(packing.pack(run.path, tmp_path / "p.zip")) as folder,
        h5py.File(folder.result) as file,
    ):
        data = file["entry/data/data"][()]
    assert np.isnan(data[4:8]).all() and not np.isnan(data[:4]).any()


def test_a_part_that_is_gone_is_no_gap(run: RunFolder, tmp_path: Path) -> None:
    run.part_file("powers", 1).unlink()
    with pytest.raises(PanError, match=r"000001\.h5: this part of the result is gone"):
        packing.pack(run.path, tmp_path / "p.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "run"]


def test_only_a_finished_run_is_packed_and_nothing_is_overwritten(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "p.zip"
    target.write_text("mine")
    with pytest.raises(BadInput, match="exists"):
        packing.pack(run.path, target)
    assert target.read_text() == "mine"
    run.report.unlink()
    with pytest.raises(BadInput, match="has not ended"):
        packing.pack(run.path, tmp_path / "q.zip")


def test_memory_stays_bounded(tmp_path: Path) -> None:
    shape = (96, 1024, 1024)
    layout = h5py.VirtualLayout(shape, np.float32)
    with h5py.File(tmp_path / "part.h5", "w") as part:
        source = part.create_dataset("values", shape, np.float32, chunks=(1, 512, 512), fillvalue=1.5)
        layout[:] = h5py.VirtualSource("part.h5", "values", source.shape)
    with h5py.File(tmp_path / "result.nxs", "w") as file:
        file.create_virtual_dataset("data", layout)
    tracemalloc.start()
    try:
        packing.make_real(tmp_path / "result.nxs", tmp_path / "real.nxs")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert packing.BLOCK <= peak < 3 * packing.BLOCK < np.prod(shape) * 4
    with h5py.File(tmp_path / "real.nxs") as file:
        assert file["data"].chunks == (1, 512, 512)
        assert (file["data"][50] == 1.5).all()


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((7, 5, 3), None), ((7, 5, 3), (2, 5, 3)), ((64,), (10,)), ((), None), ((3, 0), None)],
)
def test_blocks_cover_an_array_once(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], chunks: tuple[int, ...] | None
) -> None:
    monkeypatch.setattr(packing, "BLOCK", 240)
    count = np.zeros(shape, int)
    for block in packing.blocks(shape, 8, chunks):
        assert count[block].nbytes <= 240
        count[block] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "..\\evil"])
def test_an_archive_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("run.json", "{}")
        file.writestr(name, "evil")
    with pytest.raises(BadInput, match="leads out"), packing.opened(archive):
        pass


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "evil.zip"
    entry = zipfile.ZipInfo("run.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(entry, "/etc/passwd")
    with pytest.raises(BadInput, match="leads out"), packing.opened(archive):
        pass


def test_what_is_no_packed_result_is_refused_in_one_sentence(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip at all")
    with pytest.raises(BadInput, match="expected a run folder or a packed result"):
        packing.opened(tmp_path / "text.zip").__enter__()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("readme.txt", "x")
    with pytest.raises(BadInput, match=r"holds no run\.json"):
        packing.opened(tmp_path / "other.zip").__enter__()
    whole = packing.pack(run.path, tmp_path / "p.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="expected a run folder or a packed result"):
        packing.opened(tmp_path / "cut.zip").__enter__()
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 0xFF
    (tmp_path / "spoilt.zip").write_bytes(spoilt)
    with pytest.raises(BadInput, match="expected a run folder or a packed result"):
        packing.opened(tmp_path / "spoilt.zip").__enter__()
