"""The default plot, by the rules of NeXus and by the older ways."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pancommons.nexus.plot import default_plot
from pancommons.nexus.read import open_file


@pytest.fixture
def file(tmp_path: Path) -> h5py.File:
    with h5py.File(tmp_path / "plot.nxs", "w") as opened:
        yield opened


def _group(parent: h5py.Group, name: str, nx_class: str, **attributes: object) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    for key, value in attributes.items():
        group.attrs[key] = value
    return group


def test_defaults_lead_to_the_plot(file: h5py.File) -> None:
    file.attrs["default"] = "b"
    _group(_group(file, "a", "NXentry"), "first", "NXdata", signal="v")["v"] = np.ones(3)
    entry = _group(file, "b", "NXentry", default="process")
    entry["title"] = "Second"
    _group(entry, "aaa", "NXdata", signal="v")["v"] = np.ones(3)
    process = _group(entry, "process", "NXprocess", default="result")
    data = _group(process, "result", "NXdata", signal=[b"v"], axes=np.array([b"y", b"."]))
    data["v"], data["y"], data["v_errors"], data["fit"] = np.ones((2, 3)), [0.0, 1.0], np.ones((2, 3)), np.ones((2, 3))
    data.attrs["auxiliary_signals"] = ["fit", "not there"]
    data.attrs["SILX_style"] = '{"axes_scale_type": ["log"], "signal_scale_type": "log"}'
    data["v"].attrs["interpretation"] = "image"
    plot = default_plot(file)
    assert plot is not None
    assert (plot.group, plot.signal) == ("/b/process/result", "/b/process/result/v")
    assert plot.axes == ("/b/process/result/y", None)
    assert plot.errors == "/b/process/result/v_errors"
    assert plot.auxiliary == ("/b/process/result/fit",)
    assert plot.log and plot.log_axes and plot.interpretation == "image" and plot.title == "Second"


def test_without_defaults_the_first_nxdata(file: h5py.File) -> None:
    entry = _group(file, "entry", "NXentry")
    _group(_group(entry, "a", "NXcollection"), "deep", "NXdata", signal="v")["v"] = np.ones(3)
    _group(entry, "b", "NXdata", signal="v")["v"] = np.ones(3)
    plot = default_plot(file)
    assert plot is not None and plot.signal == "/entry/b/v"


def test_a_default_that_is_missing_gives_way(file: h5py.File) -> None:
    file.attrs["default"] = "entry"
    entry = _group(file, "entry", "NXentry", default="lost")
    lost = _group(entry, "lost", "NXdata", signal="data")
    lost["data"] = h5py.ExternalLink("gone.h5", "/data")
    lost["angle"] = np.arange(3.0)
    assert default_plot(file) is None
    _group(entry, "other", "NXdata", signal="v")["v"] = np.ones(3)
    plot = default_plot(file)
    assert plot is not None and plot.signal == "/entry/other/v"


def test_the_old_way(file: h5py.File) -> None:
    data = _group(_group(file, "entry", "NXentry"), "data", "NXdata")
    for name, size in (("counts", (2, 3)), ("tof", 4), ("x", 2), ("x2", 2)):
        data[name] = np.ones(size)
    data["counts"].attrs["signal"] = 1
    data["tof"].attrs["axis"] = 2
    for name, primary in (("x2", 2), ("x", 1)):
        data[name].attrs["axis"], data[name].attrs["primary"] = np.bytes_(b"1"), primary
    plot = default_plot(file)
    assert plot is not None and plot.axes == ("/entry/data/x", "/entry/data/tof")
    data["counts"].attrs["axes"] = "x2:tof"
    plot = default_plot(file)
    assert plot is not None and plot.axes == ("/entry/data/x2", "/entry/data/tof")


def test_cansas_axes_and_uncertainties(file: h5py.File) -> None:
    entry = file.create_group("sasentry")
    entry.attrs["canSAS_class"] = "SASentry"
    data = _group(entry, "sasdata", "NXdata", signal="I", I_axes="Q", Q_indices=0)
    data["I"], data["Q"], data["Idev"] = np.ones(3), np.ones(3), np.ones(3)
    data["I"].attrs["uncertainties"] = "Idev"
    plot = default_plot(file)
    assert plot is not None and plot.axes == ("/sasentry/sasdata/Q",) and plot.errors == "/sasentry/sasdata/Idev"


def test_axes_are_placed_by_their_indices_and_left_out_where_they_do_not_fit(file: h5py.File) -> None:
    data = _group(_group(file, "entry", "NXentry"), "data", "NXdata", signal="v", axes=["t", "wrong"])
    data["v"], data["t"], data["wrong"] = np.ones((2, 3)), np.ones(3), np.ones(7)
    data.attrs["t_indices"] = 1
    plot = default_plot(file)
    assert plot is not None and plot.axes == (None, "/entry/data/t")


def test_circles_end(file: h5py.File) -> None:
    file.attrs["default"] = "entry"
    entry = _group(file, "entry", "NXentry", default="self")
    entry["self"] = h5py.SoftLink("/entry")
    entry["hard"] = entry
    entry["round"] = h5py.SoftLink("/entry/round")
    assert default_plot(file) is None
    _group(entry, "z", "NXdata")["data"] = np.ones(4)
    plot = default_plot(file)
    assert plot is not None and plot.signal.endswith("/z/data")


def test_a_plot_through_an_external_link_is_named_by_its_path_here(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "raw.h5", "w") as raw:
        raw["elsewhere"] = np.ones((2, 3, 4))
    with h5py.File(tmp_path / "main.h5", "w") as main:
        _group(_group(main, "entry", "NXentry"), "data", "NXdata", signal="data")["data"] = h5py.ExternalLink(
            "raw.h5", "/elsewhere"
        )
    with open_file(tmp_path / "main.h5") as main:
        plot = default_plot(main)
        assert plot is not None and plot.signal == "/entry/data/data" and main[plot.signal].shape == (2, 3, 4)


def test_a_file_without_nexus_shows_its_largest_numbers(file: h5py.File) -> None:
    file["exchange/theta"] = np.ones(5)
    file["exchange/data"] = np.ones((5, 4, 4))
    file["exchange/words"] = "much text"
    plot = default_plot(file)
    assert plot is not None and plot.signal == "/exchange/data" and plot.axes == (None, None, None)


def test_an_empty_file_has_no_plot(file: h5py.File) -> None:
    assert default_plot(file) is None
    _group(file, "entry", "NXentry")["title"] = "nothing but words"
    assert default_plot(file) is None
