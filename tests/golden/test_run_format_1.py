"""A run folder made by version 0.1.0 stays readable, whatever the software becomes.

``run-format-1`` was made on 21 November 2026, in ``/data``, with::

    pan simulate tomography scan.nxs --columns 32 --rows 6 --angles 31 --flats 2 --darks 2 --centre-shift 1.5 \\
        --phantom disc --no-noise --drift 0 --seed 7
    pan run tomography scan.nxs --rows 1:5 --filter hann --out run --workers 1 --memory 1G

with figures drawn small, and the host's name taken out of the events. It is never to be changed: a reader that
cannot read it is wrong. A new format gets a folder of its own beside it.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import pancommons
from pancommons.base.errors import BadInput
from pancommons.pipelines import comparing, following, packing, reproducing
from pancommons.pipelines.folder import RunFolder

GOLDEN = Path(__file__).parent / "run-format-1"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Give a copy that may be written to."""
    copy = tmp_path / "run"
    shutil.copytree(GOLDEN, copy)
    return copy


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Give the input it was made from."""
    file = tmp_path / "elsewhere" / "scan.nxs"
    file.parent.mkdir()
    file.write_bytes(gzip.decompress(GOLDEN.with_suffix(".scan.nxs.gz").read_bytes()))
    return file


def test_it_is_read_from_where_nobody_may_write() -> None:
    folder = RunFolder.open(GOLDEN)
    record = folder.record()
    assert (record.format, record.pipeline, record.software_version) == (1, "tomography", "0.1.0")
    assert record.given == {"filter": "hann", "rows": "1:5"} and record.parameters["filter"] == "hann"
    assert record.inputs["scan"][0].path == "/data/scan.nxs" and record.found is not None
    assert record.found["centre"].value == pytest.approx(17.0, abs=0.2)
    assert folder.whole_parts("slices") == {0}
    status = following.status(GOLDEN)
    assert (status.state, status.runner) == ("done", None)
    assert [(stage.total, stage.finished) for stage in status.progress.stages.values()] == [(31, 31), (4, 4)]
    opened = pancommons.open_run(GOLDEN)
    assert opened.merits["slices"] == 4 and opened.report["format"] == 1
    assert "data:image/png" in opened._repr_html_()
    with opened.open() as file:
        data = file["entry/data/data"]
        assert data.shape == (4, 32, 32) and data.attrs["units"] == "1/cm"
        assert float(data[1, 12:20, 12:20].mean()) == pytest.approx(480.8, rel=0.02)


def test_its_provenance_and_page_are_whole() -> None:
    crate = json.loads((GOLDEN / "ro-crate-metadata.json").read_text())
    files = {entity["@id"]: entity for entity in crate["@graph"]}
    assert {"result.nxs", "run.json", "report.html"} <= set(files)
    from pancommons.base.digests import sha256

    for name in ("result.nxs", "report.html", "figures/slices.png"):
        assert files[name]["sha256"] == sha256(GOLDEN / name)
    assert "Rotation centre" in (GOLDEN / "report.html").read_text()


def test_the_commands_read_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pancommons.cli import main

    for command, words in (
        (["status"], "done"),
        (["status", "--json"], '"state": "done"'),
        (["report"], "Slices"),
        (["report", "--json"], '"tomography"'),
        (["resume"], "nothing is left to do"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([command[0], str(run), *command[1:]])
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        assert words in said.out


def test_it_is_compared(run: Path) -> None:
    assert comparing.compare(GOLDEN, run).same
    with h5py.File(run / "parts" / "slices" / "000000.h5", "r+") as part:
        part["slices"][0, 10, 10] += 1
    assert not comparing.compare(GOLDEN, run).same


def test_it_is_packed_and_the_pack_read(run: Path, tmp_path: Path) -> None:
    packed = packing.pack(run, tmp_path / "run.zip")
    shutil.rmtree(run)
    assert comparing.compare(GOLDEN, packed).same


def test_it_is_reproduced(run: Path, scan: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"/data/scan\.nxs"):
        reproducing.reproduce(run, {}, out=tmp_path / "again", on="threads")
    folder, comparison, _ = reproducing.reproduce(run, {"scan": scan}, out=tmp_path / "again", on="threads")
    there = [row for row in comparison.rows if row.verdict != "only in B"]  # later versions tell more parameters
    assert [row.name for row in there if not row.agrees and (row.relative is None or row.relative > 1e-3)] == []
    assert "entry/data/data" in {row.name for row in there}
    with h5py.File(folder.result) as ours, h5py.File(GOLDEN / "result.nxs") as theirs:
        a, b = ours["entry/data/data"][()], theirs["entry/data/data"][()]
    np.testing.assert_allclose(a, b, atol=1e-3 * float(b.max()))


def test_it_names_no_machine() -> None:
    for file in GOLDEN.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for word in (b"/tmp/", b"/home/", bytes(Path.home()) + b"/"):
                assert word not in content, file
    assert sum(file.stat().st_size for file in GOLDEN.rglob("*") if file.is_file()) < 150_000


def test_a_later_format_is_refused_in_a_sentence(run: Path) -> None:
    stored = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**stored, "format": 2}))
    with pytest.raises(BadInput, match=r"format 2, this version reads up to 1.*newer pancommons"):
        RunFolder.open(run)
