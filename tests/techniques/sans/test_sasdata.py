"""Every file that is written, read by SasView's own reader: Q, I, errors, resolution and units."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest

from pancommons.pipelines.simulating import simulate
from pancommons.techniques.sans.pipeline import PIPELINE, SimulationParameters
from tests.techniques.sans.conftest import Reduce

loader = pytest.importorskip("sasdata.dataloader.loader")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Simulate spheres as histograms and neutron by neutron; not to be changed."""
    folder = tmp_path_factory.mktemp("measured")
    return {
        mode: simulate(PIPELINE, SimulationParameters(counts=2e5, mode=mode), folder / f"{mode}.nxs")[0]
        for mode in ("histogram", "events")
    }


VARIANTS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "merged": ("histogram", {}, {"sasdata01", "sasdata01_rear", "sasdata01_hab"}),
    "one bank": ("histogram", {"bank": "hab"}, {"sasdata01"}),
    "bands": (
        "histogram",
        {"bank": "rear", "wavelength_bands": 3},
        {"sasdata01", *(f"sasdata01_band_{band}" for band in (1, 2, 3))},
    ),
    "sector": ("histogram", {"bank": "rear", "sector": "-30:30"}, {"sasdata01"}),
    "pattern": ("histogram", {"bank": "rear", "qxy_binning": "0.1:0.01"}, {"sasdata01", "sasdata01_plane"}),
    "slices": (
        "events",
        {"bank": "rear", "time_slices": "2", "qxy_binning": "0.1:0.02"},
        {"sasdata01", "sasdata02", "sasdata01_plane", "sasdata02_plane"},
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_sasview_reads_what_was_written(measured: dict[str, Path], reduce: Reduce, variant: str) -> None:
    mode, parameters, names = VARIANTS[variant]
    run = reduce(sample=measured[mode], model="sphere", **parameters)
    result = run.path / "result.nxs"
    read = loader.Loader().load(str(result))
    with h5py.File(result) as file:
        written = {name: group for name, group in file["entry"].items() if is_data(group)}
        assert set(written) == names
        assert len(read) == len(written)
        for group in written.values():
            seen, columns = columns_of(group)
            assert any(same(seen, columns, data) for data in read), group.name
    assert not any(data.errors for data in read)


def is_data(group: Any) -> bool:
    return group.attrs.get("canSAS_class") == "SASdata"


def columns_of(group: h5py.Group) -> tuple[str, dict[str, np.ndarray]]:
    if "Qx" in group:
        use = group["mask"][()] == 0
        names = {
            "qx_data": "Qx", "qy_data": "Qy", "data": "I", "err_data": "Idev", "dqx_data": "Qxdev", "dqy_data": "Qydev",
        }  # fmt: skip
        return "Data2D", {name: group[field][()][use] for name, field in names.items()}
    return "Data1D", {
        name: group[field][()] for name, field in {"x": "Q", "y": "I", "dy": "Idev", "dx": "Qdev"}.items()
    }


def same(kind: str, columns: dict[str, np.ndarray], data: Any) -> bool:
    """Say whether a set that was read holds these columns, in its units, 1/Angstrom and 1/cm."""
    if type(data).__name__ != kind:
        return False
    units = [data._xunit, data._yunit, *([data.Q_unit] if kind == "Data2D" else [data.x_unit])]
    assert set(units) <= {"A^{-1}", "cm^{-1}", "1/A"}, units
    intensity = data._zunit if kind == "Data2D" else data._yunit
    assert intensity == "cm^{-1}"
    return all(
        getattr(data, name).shape == values.shape and np.allclose(getattr(data, name), values, rtol=1e-6, atol=0)
        for name, values in columns.items()
    )


def test_sasview_reads_the_xml(measured: dict[str, Path], reduce: Reduce) -> None:
    run = reduce(sample=measured["events"], time_slices="2")
    read = loader.Loader().load(str(run.path / "curve.xml"))
    with h5py.File(run.path / "result.nxs") as file:
        for number, data in enumerate(read, 1):
            kind, columns = columns_of(file[f"entry/sasdata{number:02d}"])
            assert same(kind, columns, data)
            assert not data.errors
    assert len(read) == 2
    space = "{urn:cansas1d:1.1}"
    entries = ElementTree.parse(run.path / "curve.xml").getroot().findall(f"{space}SASentry")
    assert len(entries) == 2
