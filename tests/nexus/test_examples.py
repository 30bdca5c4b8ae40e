"""Every example file of the facilities opens, tells its entries and its plot, or is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.nexus.links import missing_sources
from pancommons.nexus.plot import default_plot
from pancommons.nexus.read import entries, open_file
from pancommons.nexus.thumbnail import thumbnail

pytestmark = pytest.mark.real
SharedData = Callable[[str], Path]

# file below nexus-examples: definitions of its entries, signal of its default plot, number of missing sources
EXPECTED = {
    "nexpy/chopper.nxs": ([()], "/entry/data/data", 0),
    "nexpy/example.nxs": ([()], "/entry/data/signal", 0),
    "pynxtools/201805_WSe2_arpes.nxs": ([("NXarpes",)], "/entry/data/data", 0),
    "httomo/k11_diad/k11-18014.nxs": ([()], "/entry/imaging/data", 34),
    "httomo/k11_diad/k11-18014/k11-18014-imaging.h5": ([], "/entry/detector/detector", 0),
    "httomo/k11_diad/k11-18014/k11-18014-pcompPanda.h5": ([], "/entry/gts_theta.value/gts_theta.value", 0),
    "savu/24888.nxs": ([("NXtomo",)], None, 4),
    "savu/fluo.nxs": ([("NXfluo",)], "/entry1/fluo_entry/data/data", 0),
    "savu/mm.nxs": ([("NXfluo", "NXstxm", "NXxrd")], "/entry1/fluo_entry/data/data", 0),
    "savu/i12_test_data/lfov/dark_flat/pco2_darks_00000.hdf": ([()], "/entry/data/data", 0),
    "savu/i12_test_data/lfov/dark_flat/pco2_flats_00000.hdf": ([()], "/entry/data/data", 0),
    "savu/i12_test_data/lfov/tomo_data/pc2_projections.hdf": ([()], "/entry/data/data", 0),
    "punx/1998spheres.h5": ([("NXcanSAS",), ("NXcanSAS",)], "/sasentry_0/sasdata/I", 0),
    "punx/USAXS_flyScan_GC_M4_NewD_15.h5": ([()], "/entry/flyScan/mca3", 0),
    "punx/DLS_i03_i04_NXmx_Therm_6_2.nxs": ([("NXmx",)], "/entry/data/data", 1),
    "punx/33id_spec_22_2D.hdf5": ([("NXspecdata",)], "/S22/data/I0", 0),
    "punx/example_mapping.nxs": ([(), ()], "/entry1/data/data", 0),
    "sasdata/33837rear_1D_1.75_16.5_NXcanSAS_v3.h5": ([("NXcanSAS",)], "/sasentry01/sasdata/I", 0),
    "sasdata/33837rear_2D_1.75_16.5_NXcanSAS_v3.h5": ([("NXcanSAS",)], "/sasentry01/sasdata/I", 0),
    "sasdata/multiframe_1d.nxs": ([("NXcanSAS",)], "/sasentry/sasdata/I", 0),
    "nexgen/00001.h5": ([], None, 0),
}
UNDRAWN = {"savu/24888.nxs": "is missing", "punx/DLS_i03_i04_NXmx_Therm_6_2.nxs": "is missing"}


@pytest.mark.parametrize("name", EXPECTED)
def test_example(shared_data: SharedData, name: str) -> None:
    path = shared_data(f"nexus-examples/{name}")
    definitions, signal, missing = EXPECTED[name]
    with open_file(path) as file:
        assert [entry.definitions for entry in entries(file)] == definitions
        plot = default_plot(file)
    if signal is not None or name in UNDRAWN:
        assert (plot and plot.signal) == signal
    assert len(missing_sources(path)) == missing
    if name in UNDRAWN:
        with pytest.raises(BadInput, match=UNDRAWN[name]):
            thumbnail(path)
    else:
        assert thumbnail(path)[8:12] == b"WEBP"


def test_none_is_forgotten(shared_data: SharedData) -> None:
    folder = shared_data("nexus-examples")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files - {"SOURCE.txt"} == set(EXPECTED)


def test_a_text_file_is_refused(shared_data: SharedData) -> None:
    with pytest.raises(BadInput, match="is no HDF5 file"):
        open_file(shared_data("nexus-examples/SOURCE.txt"))
