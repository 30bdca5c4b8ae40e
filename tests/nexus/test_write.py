"""Files that every viewer opens well, whole or not there."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pancommons.base.errors import BadInput, PanError
from pancommons.nexus.plot import default_plot
from pancommons.nexus.read import entries, number, numbers, open_file, text
from pancommons.nexus.virtual import virtual_stack
from pancommons.nexus.write import Field, Part, create


def test_a_curve_with_errors(tmp_path: Path) -> None:
    with create(tmp_path / "curve.nxs", title="Latex", definition="NXcanSAS", start_time="2026-01-02T03:04:05Z") as out:
        out.data(
            "curve",
            signal=Field("I", [9.0, 4.0], "1/cm", long_name="Intensity (1/cm)", errors=[0.3, 0.2]),
            axes=[Field("Q", [0.1, 0.2], "1/nm")],
            auxiliary=[Field("fit", [8.9, 4.1], "1/cm")],
            log=True,
            log_axes=True,
        )
    with open_file(tmp_path / "curve.nxs") as file:
        (entry,) = entries(file)
        assert (entry.title, entry.definitions) == ("Latex", ("NXcanSAS",))
        assert text(file, "entry/start_time") == "2026-01-02T03:04:05Z"
        plot = default_plot(file)
        assert plot is not None and plot.log and plot.log_axes and plot.title == "Latex"
        assert plot.axes == ("/entry/curve/Q",)
        assert plot.errors == "/entry/curve/I_errors" and plot.auxiliary == ("/entry/curve/fit",)
        assert file["entry/curve/Q"].attrs["long_name"] == "Q (1/nm)"
        assert file["entry/curve/I"].attrs["long_name"] == "Intensity (1/cm)"
        assert file["entry/curve/I_errors"].attrs["units"] == "1/cm"
        assert file.attrs["default"] == "entry" and file["entry"].attrs["default"] == "curve"
        nx_class = file["entry"].attrs.get_id("NX_class")
        assert nx_class.shape == () and h5py.check_string_dtype(nx_class.dtype).encoding == "utf-8"


def test_an_image_and_a_second_plot_as_default(tmp_path: Path) -> None:
    with create(tmp_path / "two.nxs", title="Two") as out:
        out.data("first", signal=Field("v", np.eye(3)))
        out.data("deep/second", signal=Field("v", np.eye(4)), default=True, title="Chosen")
        out.data("third", signal=Field("v", np.eye(5)))
    with open_file(tmp_path / "two.nxs") as file:
        plot = default_plot(file)
    assert plot is not None and plot.signal == "/entry/deep/second/v" and plot.title == "Chosen"


@pytest.mark.parametrize("compression", ["bitshuffle-lz4", "bitshuffle-zstd", "blosc-zstd", "zstd", "gzip", True])
def test_a_volume_filled_in_pieces(tmp_path: Path, compression: str | bool) -> None:
    volume = np.random.default_rng(1).integers(0, 9, (5, 40, 30)).astype(np.float32)
    with create(tmp_path / "volume.nxs", title="Volume", definition="NXtomoproc") as out:
        data = out.data(
            "data",
            signal=Field("data", shape=volume.shape, dtype="f4", units="1/cm", compression=compression),
            axes=[Field("z", np.arange(5) * 1e-3, "mm"), None, None],
        )
        for start in range(0, 5, 2):
            data["data"][start : start + 2] = volume[start : start + 2]
    with open_file(tmp_path / "volume.nxs") as file:
        dataset = file["entry/data/data"]
        assert dataset.chunks == (1, 40, 30)
        assert dataset.id.get_storage_size() < volume.nbytes
        np.testing.assert_array_equal(dataset[()], volume)


def test_large_frames_are_cut_into_moderate_chunks(tmp_path: Path) -> None:
    with create(tmp_path / "large.nxs", title="Large") as out:
        data = out.data("data", signal=Field("v", shape=(2, 20_000, 20_000), dtype="u2", compression=True))
        assert np.prod(data["v"].chunks) * 2 <= 32 << 20


def test_what_was_done(tmp_path: Path) -> None:
    parameters = {"raw_file": "scan.nxs", "centre": 512.3, "angles": np.arange(3), "mask": None, "out": Path("x")}
    with create(tmp_path / "done.nxs", title="Done") as out:
        out.process("correction", date=datetime(2026, 1, 2, 3, 4, 5))
        out.process("reconstruction", program="other", program_version="1.2", parameters=parameters, method="FBP")
    with open_file(tmp_path / "done.nxs") as file:
        first, second = file["entry/correction"], file["entry/reconstruction"]
        assert text(first, "program") == "pancommons" and text(first, "version")
        assert text(first, "date") == "2026-01-02T03:04:05+00:00"
        assert (first["sequence_index"][()], second["sequence_index"][()]) == (1, 2)
        assert (text(second, "version"), text(second, "method")) == ("1.2", "FBP")
        assert text(second, "parameters/raw_file") == "scan.nxs"
        assert second["parameters/centre"][()] == 512.3
        restored = json.loads(text(second, "note/data") or "")
        assert restored == {"raw_file": "scan.nxs", "centre": 512.3, "angles": [0, 1, 2], "mask": None, "out": "x"}


def test_a_process_may_have_a_field_called_name(tmp_path: Path) -> None:
    with create(tmp_path / "named.nxs", title="named") as nexus:
        nexus.process("steps", name="SANS reduction", parameters={"name": "inner"})
    with h5py.File(tmp_path / "named.nxs") as file:
        assert file["entry/steps/name"].asstr()[()] == "SANS reduction"
        assert file["entry/steps/parameters/name"].asstr()[()] == "inner"


def test_groups_fields_and_links(tmp_path: Path) -> None:
    with create(tmp_path / "raw.nxs", title="Raw", entry="entry0000") as out:
        frames = Field("data", np.ones((3, 2, 2), "u2"), "counts", attributes={"interpretation": "image"})
        out.group("instrument/detector", "NXdetector", x_pixel_size=(6.5, "um"), name="pco", data=frames, note=None)
        out.group("instrument", "NXinstrument", name="TOMCAT")
        out.data("data", signal=Field("data", link="/entry0000/instrument/detector/data"))
        out.field("instrument", Field("tags", ["a", "ö"]))
    with open_file(tmp_path / "raw.nxs") as file:
        entry = file["entry0000"]
        assert number(entry, "instrument/detector/x_pixel_size", "m") == pytest.approx(6.5e-6)
        assert "note" not in entry["instrument/detector"]
        assert entry["instrument"].attrs["NX_class"] == "NXinstrument"
        assert entry["data/data"] == entry["instrument/detector/data"]
        assert entry["data/data"].attrs["target"] == "/entry0000/instrument/detector/data"
        assert entry["instrument/tags"].asstr()[1] == "ö"


def test_a_whole_out_of_ragged_parts(tmp_path: Path) -> None:
    for name, shape in (("a", (2, 3)), ("b", (1, 3))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["v"] = np.full(shape, 1.0 if name == "a" else 2.0, "f4")
    parts = [Part("a.h5", "/v", (2, 3), (0, 0)), Part("b.h5", "/v", (1, 3), (2, 0)), Part("c.h5", "/v", (3,), (3, 0))]
    with create(tmp_path / "whole.nxs", title="Whole") as out:
        out.data("data", signal=Field("v", parts=parts, dtype="f4", units="1/cm"))
    with open_file(tmp_path / "whole.nxs") as file:
        whole = file["entry/data/v"][()]
    np.testing.assert_array_equal(whole[:, 0], [1, 1, 2, np.nan])


@pytest.mark.parametrize("part", [Part("a.h5", "/v", (2, 3), (2, 0)), Part("a.h5", "/v", (2, 3), (0,))])
def test_a_part_outside_the_whole_is_refused(tmp_path: Path, part: Part) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file, pytest.raises(ValueError, match=r"part a\.h5"):
        virtual_stack(file, "v", [part], dtype="f4", shape=(3, 3))


def test_nothing_appears_when_it_goes_wrong(tmp_path: Path) -> None:
    path = tmp_path / "result.nxs"
    path.write_text("the old one")
    with pytest.raises(ZeroDivisionError), create(path, title="New") as out:
        out.data("data", signal=Field("v", np.ones(3)))
        _ = 1 / 0
    assert path.read_text() == "the old one" and [child.name for child in tmp_path.iterdir()] == ["result.nxs"]


def test_a_folder_that_is_missing_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such folder"), create(tmp_path / "no" / "x.nxs", title="x"):
        pass


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_file_that_may_not_grow_gets_one_sentence(tmp_path: Path, pieces: int) -> None:
    """One large dataset fails when written; many small compressed ones fail late, some only on closing."""
    code = (
        "import resource, signal, sys, numpy as np; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from pancommons.base.errors import PanError\n"
        "from pancommons.nexus.write import Field, create\n"
        "values = np.random.default_rng(1).random((1 << 20) // int(sys.argv[2]))\n"
        "try:\n"
        "    with create(sys.argv[1], title='x') as out:\n"
        "        for index in range(int(sys.argv[2])):\n"
        "            out.data(f'd{index}', signal=Field('v', values, compression=index > 0))\n"
        "except PanError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "x.nxs"), str(pieces)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("choose another folder.\n") and list(tmp_path.iterdir()) == []


def test_a_full_disk_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PanError, match="the disk is full"), create(tmp_path / "x.nxs", title="x"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_the_trouble_of_other_files_stays_their_own(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), create(tmp_path / "x.nxs", title="x"):
        raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/else.h5")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.uint16, np.int32]), hnp.array_shapes(max_dims=3, max_side=6)
    ),
    units=st.sampled_from(["", "1/cm", "keV", "µm", "Å"]),
    title=st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30),
    compression=st.sampled_from([None, True, "gzip"]),
)
def test_what_is_written_is_read(
    tmp_path: Path, values: np.ndarray, units: str, title: str, compression: str | None
) -> None:
    path = tmp_path / "round.nxs"
    with create(path, title=title) as out:
        out.data("data", signal=Field("v", values, units, compression=compression))
    with open_file(path) as file:
        measured = numbers(file, "entry/data/v")
        assert measured is not None and measured.unit == units
        np.testing.assert_array_equal(file["entry/data/v"][()], values)
        assert file["entry/data/v"].dtype == values.dtype
        assert file["entry/title"].asstr()[()] == title
