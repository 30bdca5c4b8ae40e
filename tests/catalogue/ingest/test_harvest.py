from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pancommons.catalogue.ingest.entry import Harvested
from pancommons.catalogue.ingest.harvest import harvest
from pancommons.catalogue.ingest.mapping import Site, read_mappings
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ontology.graph import PANET
from pancommons.catalogue.records import Parameter
from tests.catalogue.ingest.conftest import Read
from tests.catalogue.ingest.nexus import MEASUREMENT, without, write

ReadOne = Callable[..., Harvested]


def _parameters(one: Harvested) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in one.dataset.parameters}


def test_a_file_says_all_of_this(tmp_path: Path, read_one: ReadOne) -> None:
    one = read_one(write(tmp_path / "scan.nxs"), pictures=True)
    dataset = one.dataset
    assert dataset.pid == "diamond-light-source:mx-17:42"
    assert (dataset.kind, dataset.title) == ("raw", "Lysozyme at rest")
    assert dataset.creation_date == datetime(2024, 3, 1, 11, tzinfo=UTC)
    assert one.instrument is not None
    assert (one.instrument.name, one.instrument.facility) == ("B1", "Diamond Light Source")
    assert dataset.instrument == one.instrument.pid == "diamond-light-source:b1"
    assert one.proposal is not None
    assert dataset.terms.proposal == one.proposal.pid == "diamond-light-source:mx-17"
    assert [sample.name for sample in one.samples] == ["lysozyme"]
    assert one.samples[0].terms.proposal == one.proposal.pid
    temperature = _parameters(one)["sample_temperature"]
    assert (temperature.value, temperature.unit, temperature.original) == (300.0, "K", "26.85 celsius")
    assert _parameters(one)["data_shape"].value == "64 x 48"
    assert dataset.thumbnail is not None and dataset.thumbnail.content[8:12] == b"WEBP"
    [file] = dataset.files
    assert (file.root, file.path, file.size) == ("here", "scan.nxs", (tmp_path / "scan.nxs").stat().st_size)
    assert dataset.size == file.size
    assert dataset.remarks is not None
    assert dataset.remarks["creation_date"] == {"from": "/entry/start_time", "text": "2024-03-01T12:00:00+01:00"}


@pytest.mark.parametrize("text", ["", "unknown", "{title}", "NX_CHAR", "SAMPLE-CHAR-DATA", "  ", "None given", "tbd"])
def test_what_only_holds_a_place_is_dropped(tmp_path: Path, read_one: ReadOne, text: str) -> None:
    content = MEASUREMENT | {"entry/title": text, "entry/sample/name": text, "entry/instrument/name": text}
    one = read_one(write(tmp_path / "night shift 7.nxs", content))
    assert one.dataset.title == "night shift 7"
    assert one.dataset.remarks is not None and one.dataset.remarks["title"] == "derived from the file's name"
    assert not one.samples
    assert one.instrument is None


@pytest.mark.parametrize("value", [[b"Iron", b""], [b"Iron"], "Iron", ["", "Iron"]])
def test_strings_come_in_all_shapes(tmp_path: Path, read_one: ReadOne, value: Any) -> None:
    assert read_one(write(tmp_path / "a.nxs", MEASUREMENT | {"entry/title": value})).dataset.title == "Iron"


def test_a_time_without_zone_is_the_sites(tmp_path: Path, read_one: ReadOne) -> None:
    file = write(tmp_path / "a.nxs", MEASUREMENT | {"entry/start_time": "2024-07-01 12:00:00"})
    one = read_one(file, site=Site(time_zone="Europe/Berlin"))
    assert one.dataset.creation_date == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert one.dataset.remarks is not None
    assert one.dataset.remarks["creation_date"]["time_zone_assumed"] == "Europe/Berlin"


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00", "7200", "yesterday", "9999-12-31T00:00:00", "2024-13-01"])
def test_a_wrong_time_gives_way_to_that_of_the_file(tmp_path: Path, read_one: ReadOne, text: str) -> None:
    file = write(tmp_path / "a.nxs", MEASUREMENT | {"entry/start_time": text})
    os.utime(file, (1.7e9, 1.7e9))
    one = read_one(file)
    assert one.dataset.creation_date == datetime.fromtimestamp(1.7e9, UTC)
    assert one.dataset.remarks is not None
    assert one.dataset.remarks["creation_date"] == {"from": "the file's modification time"}


@pytest.mark.parametrize(
    ("definition", "probe", "number"),
    [
        ("NXtomo", "x-ray", "01207"),
        ("NXtomo", "neutron", "01129"),
        ("NXtomo", None, "01129"),
        ("NXsas", "neutron", "01189"),
        ("NXcanSAS", "Spallation Neutron Source", "01189"),
        ("NXcanSAS", "synchrotron X-ray", "01188"),
        ("NXsas", None, "01124"),
        ("NXmx", "x-ray", "01164"),
        ("NXmx", "Free Electron Laser", "01168"),
        ("NXcxi_ptycho", "x-ray", "01212"),
        ("NXsastof", "neutron", "01277"),
        ("NXxas", "x-ray", "01196"),
        ("NXfluo", "x-ray", "01177"),
        ("NXstxm", "x-ray", "01219"),
        ("NXarpes", "x-ray", "01089"),
        ("NXmonopd", "neutron", "01100"),
        ("NXtofnpd", "neutron", "01100"),
        ("NXentry", "x-ray", None),
        ("NXarchive", "x-ray", None),
    ],
)
def test_the_technique_follows_definition_and_probe(
    tmp_path: Path, read_one: ReadOne, definition: str, probe: str | None, number: str | None
) -> None:
    content = without("entry/instrument/source/probe") | {"entry/definition": definition}
    if probe:
        content["entry/instrument/source/type"] = probe
    one = read_one(write(tmp_path / "tomography.nxs", content))
    assert one.dataset.techniques == ((f"{PANET}PaNET{number}",) if number else ())


def test_rotation_makes_ptychography_a_tomography(tmp_path: Path, read_one: ReadOne) -> None:
    angles = {"entry/definition": "NXcxi_ptycho", "entry/sample/rotation_angle": (np.linspace(0, 180, 19), "degree")}
    one = read_one(write(tmp_path / "a.nxs", MEASUREMENT | angles))
    assert one.dataset.techniques == (f"{PANET}PaNET01213",)
    assert _parameters(one)["rotation_range"].value == pytest.approx(180)
    assert _parameters(one)["number_of_frames"].value == 19


def test_every_subentry_has_its_technique(tmp_path: Path, read_one: ReadOne) -> None:
    content = without("entry/title", "entry/instrument") | {
        "entry/fluo": "NXsubentry",
        "entry/fluo/definition": "NXfluo",
        "entry/fluo/title": "Leaf",
        "entry/xas": "NXsubentry",
        "entry/xas/definition": "NXxas",
        "entry/odd": "NXsubentry",
        "entry/odd/definition": "NXodd",
    }
    one = read_one(write(tmp_path / "a.nxs", content))
    assert one.dataset.techniques == (f"{PANET}PaNET01177", f"{PANET}PaNET01196")
    assert one.dataset.title == "Leaf"


@pytest.mark.parametrize(
    ("probe", "given", "derived", "value"),
    [
        ("x-ray", ("incident_energy", 12398.4198, "eV"), "incident_wavelength", 1.0),
        ("x-ray", ("incident_wavelength", 1e-10, "m"), "incident_photon_energy", 12.3984198),
        ("neutron", ("incident_energy", 0.0818042, "eV"), "incident_wavelength", 1.0),
        ("neutron", ("incident_wavelength", 2.0, "A"), "incident_neutron_energy", 20.4510526),
        (None, ("incident_wavelength", 1.0, "Angstrom"), None, 0.0),
    ],
)
def test_wavelength_and_energy_follow_from_each_other(
    tmp_path: Path,
    read_one: ReadOne,
    probe: str | None,
    given: tuple[str, float, str],
    derived: str | None,
    value: float,
) -> None:
    content = without("entry/instrument/source/probe") | {"entry/instrument/beam": "NXbeam"}
    content[f"entry/instrument/beam/{given[0]}"] = given[1:]
    if probe:
        content["entry/instrument/source/probe"] = probe
    found = _parameters(read_one(write(tmp_path / "a.nxs", content)))
    assert [name for name, one in found.items() if one.derived] == ([derived] if derived else [])
    if derived:
        assert found[derived].value == pytest.approx(value, rel=1e-6)  # the given ones have seven digits


@pytest.mark.parametrize(
    ("value", "unit", "kept"),
    [
        (4.2, "K", (4.2, "K", None)),
        (0.0, "K", None),
        (-1.0, "K", None),
        (float("nan"), "K", None),
        (20.0, "m", None),
        (4.2, "gizmo", (4.2, "gizmo", None)),
        (4200.0, "mK", (4.2, "K", "4200 mK")),
        (np.array([4.2]), "K", (4.2, "K", None)),
        (np.full(100, 4.2), "K", (4.2, "K", None)),
        (np.array([4.2, 5.0]), "K", None),
    ],
)
def test_a_value_is_kept_with_its_origin_or_dropped(
    tmp_path: Path, read_one: ReadOne, value: Any, unit: str, kept: tuple[float, str, str | None] | None
) -> None:
    found = _parameters(read_one(write(tmp_path / "a.nxs", MEASUREMENT | {"entry/sample/temperature": (value, unit)})))
    one = found.get("sample_temperature")
    assert (None if one is None else (one.value, one.unit, one.original)) == kept


def test_two_detectors_that_differ_leave_no_distance(tmp_path: Path, read_one: ReadOne) -> None:
    content = MEASUREMENT | {"entry/instrument/one": "NXdetector", "entry/instrument/two": "NXdetector"}
    distances = {"entry/instrument/one/distance": (1.0, "m"), "entry/instrument/two/distance": (1000.0, "mm")}
    same = _parameters(read_one(write(tmp_path / "a.nxs", content | distances)))
    assert same["detector_distance"].value == 1.0
    distances["entry/instrument/two/distance"] = (2000.0, "mm")
    assert "detector_distance" not in _parameters(read_one(write(tmp_path / "b.nxs", content | distances)))


def test_names_of_people_are_for_all_only_where_their_role_says_so(tmp_path: Path, read_one: ReadOne) -> None:
    people = {
        "entry/user_1": "NXuser",
        "entry/user_1/name": "Ada Example",
        "entry/user_1/role": "Principal Investigator",
        "entry/user_1/ORCID": "https://orcid.org/0000-0002-1825-0097",
        "entry/user_2": "NXuser",
        "entry/user_2/name": "Ben Example",
        "entry/user_2/ORCID": "0000-0002-1825-0098",
        "entry/user_3": "NXuser",
        "entry/user_3/username": "abc123",
    }
    members = read_one(write(tmp_path / "a.nxs", MEASUREMENT | people)).dataset.members
    told = [(one.person.full_name, one.person.orcid, one.public) for one in members if one.person]
    assert told == [("Ada Example", "0000-0002-1825-0097", True), ("Ben Example", None, False)]


def test_what_was_processed_or_simulated_says_so_and_is_not_named_as_the_raw_data(
    tmp_path: Path, read_one: ReadOne
) -> None:
    raw = read_one(write(tmp_path / "raw.nxs")).dataset
    processed = read_one(write(tmp_path / "processed.nxs", MEASUREMENT | {"entry/reduction": "NXprocess"})).dataset
    simulated = read_one(write(tmp_path / "simulated.nxs", MEASUREMENT | {"entry/simulation": "NXprocess"})).dataset
    reduced = read_one(write(tmp_path / "reduced.nxs", MEASUREMENT | {"entry/definition": "NXcanSAS"})).dataset
    assert [one.kind for one in (raw, processed, simulated, reduced)] == ["raw", "processed", "simulated", "processed"]
    assert len({one.pid for one in (raw, processed, simulated, reduced)}) == 4
    assert simulated.terms.proposal is None


def test_entries_with_one_identifier_are_two_datasets(tmp_path: Path, read: Read) -> None:
    other = {name.replace("entry", "second", 1): value for name, value in MEASUREMENT.items()}
    done = read(write(tmp_path / "a.nxs", MEASUREMENT | other))
    assert [one.dataset.pid for one in done.found] == [
        "diamond-light-source:mx-17:42",
        "diamond-light-source:mx-17:42:second",
    ]
    assert len({one.dataset.title for one in done.found}) == 1


def test_linked_files_are_listed_missing_ones_and_those_elsewhere_too(tmp_path: Path, read_one: ReadOne) -> None:
    write(tmp_path / "data" / "frames.h5", {"frames": np.ones((4, 8, 8))})
    outside = write(tmp_path.parent / f"{tmp_path.name}-outside.h5", {"secret": "of another team"})
    file = write(tmp_path / "a.nxs", without("entry/data", "entry/title"))
    with h5py.File(file, "a") as opened:
        opened["entry/frames"] = h5py.ExternalLink("data/frames.h5", "/frames")
        opened["entry/gone"] = h5py.ExternalLink("data/gone.h5", "/frames")
        opened["entry/title"] = h5py.ExternalLink(str(outside), "/secret")
        layout = h5py.VirtualLayout((4, 8, 8), float)
        layout[:] = h5py.VirtualSource("data/later.h5", "/x", (4, 8, 8))
        opened.create_virtual_dataset("entry/virtual", layout)
    dataset = read_one(file).dataset
    assert [(one.path, one.role, one.missing) for one in dataset.files] == [
        ("a.nxs", "data", False),
        ("data/frames.h5", "linked", False),
        ("data/gone.h5", "linked", True),
        ("data/later.h5", "linked", True),
    ]
    assert dataset.title == "a"
    assert dataset.remarks is not None and dataset.remarks["elsewhere"] == [str(outside)]
    assert dataset.size == file.stat().st_size + (tmp_path / "data" / "frames.h5").stat().st_size


def test_nothing_is_read_from_outside_the_roots(tmp_path: Path, read_one: ReadOne) -> None:
    outside = write(tmp_path.parent / f"{tmp_path.name}-other.h5", MEASUREMENT | {"entry/title": "secret"})
    inside = write(tmp_path / "inside.h5", MEASUREMENT | {"entry/title": "ours"})
    file = write(tmp_path / "a.nxs", {"entry": "NXentry"})
    with h5py.File(file, "a") as opened:
        opened["entry/there"] = h5py.ExternalLink(str(outside), "/entry")
        opened["entry/title"] = h5py.SoftLink("there/title")
        opened["entry/sample"] = h5py.SoftLink("/entry/there/sample")
        opened["entry/near"] = h5py.ExternalLink("inside.h5", "/entry")
        opened["entry/scan_command"] = h5py.SoftLink("/entry/near/title")
        layout = h5py.VirtualLayout((64, 48), np.uint16)
        layout[:] = h5py.VirtualSource(str(outside), "/entry/data/data", (64, 48))
        data = opened.create_group("entry/data")
        data.attrs["NX_class"], data.attrs["signal"] = "NXdata", "data"
        data.create_virtual_dataset("data", layout)
    one = read_one(file, pictures=True)
    assert one.dataset.title == "ours"
    assert not one.samples
    assert one.dataset.thumbnail is None
    assert one.dataset.remarks is not None
    assert one.dataset.remarks["thumbnail"] == "its data lie outside of the data roots"
    assert inside.exists()


def test_a_folder_of_ones_own_names_what_files_do_not(tmp_path: Path, read_one: ReadOne) -> None:
    content = without("entry/instrument/source", "entry/instrument/name")
    site = Site(facility="Example Light Source", instrument=None)
    mapping = "when: {path: ['*/b7/*']}\nsite: {instrument: B7}\n"
    one = read_one(write(tmp_path / "b7" / "a.nxs", content), mapping, site=site)
    assert one.instrument is not None
    assert (one.instrument.name, one.instrument.facility) == ("B7", "Example Light Source")
    assert one.dataset.pid == "example-light-source:mx-17:42"
    assert read_one(write(tmp_path / "b8" / "a.nxs", content), mapping, site=site).instrument is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"no HDF5 at all", "is no HDF5 file"),
        (None, "holds no entry"),
    ],
)
def test_a_file_that_is_none_says_why(tmp_path: Path, read: Read, content: bytes | None, problem: str) -> None:
    file = tmp_path / "a.nxs"
    write(file, {"numbers": np.arange(3)}) if content is None else file.write_bytes(content)
    assert read(file).problem == problem


def test_a_damaged_file_has_a_problem_or_a_dataset_but_no_exception(tmp_path: Path, read: Read) -> None:
    whole = write(tmp_path / "whole.nxs").read_bytes()
    rng = np.random.default_rng(5)
    for number in range(40):
        damaged = bytearray(whole)
        for place in rng.integers(100, len(whole), 20):
            damaged[place] = rng.integers(256)
        file = tmp_path / f"{number}.nxs"
        file.write_bytes(damaged if number % 2 else whole[: rng.integers(1, len(whole))])
        done = read(file, pictures=True)
        assert (done.problem is None) == bool(done.found)


def test_a_file_with_terabytes_of_nothing_and_circles_of_links_is_read(tmp_path: Path, read_one: ReadOne) -> None:
    file = write(tmp_path / "a.nxs", without("entry/title", "entry/sample/temperature"))
    with h5py.File(file, "a") as opened:
        opened.create_dataset("entry/sample/temperature", (1 << 18, 1 << 18), float, chunks=(1 << 10, 1 << 10))
        opened.create_dataset("entry/title", (1 << 30,), "S100", chunks=(1 << 10,))
        opened.create_dataset("entry/end_time", (1 << 30,), h5py.string_dtype(), chunks=(1 << 10,))
        many = opened.create_group("entry/many")
        for number in range(3000):
            many[f"{number}"] = h5py.SoftLink(f"/entry/many/{(number + 1) % 3000}")
        opened["entry/loop"] = opened["entry"]
    one = read_one(file)
    assert "sample_temperature" not in _parameters(one)
    assert one.dataset.title == "a"


def test_a_time_of_day_changes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.nxs", without("entry/entry_identifier"))
    mappings, roots = read_mappings(), Roots({"here": tmp_path})
    assert harvest(file, mappings, roots) == harvest(file, mappings, roots)


@pytest.mark.real
def test_every_example_file_is_harvested(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("nexus-examples")
    roots, mappings = Roots({"examples": folder}), read_mappings()
    found: dict[str, list[Any]] = {}
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".nxs", ".h5", ".hdf5", ".hdf")):
        done = harvest(file, mappings, roots)
        found[file.name] = [
            (one.dataset.title, one.instrument.facility if one.instrument else None,
             " ".join(pid[-5:] for pid in one.dataset.techniques), one.dataset.thumbnail is not None)
            for one in done.found
        ]  # fmt: skip
    assert found == {
        "k11-18014.nxs": [("k11-18014", None, "", True)],
        "k11-18014-imaging.h5": [],
        "k11-18014-pcompPanda.h5": [],
        "00001.h5": [],
        "chopper.nxs": [("MgB2 PDOS 43.37g 8K 120meV E0@240Hz T0@120Hz", "IPNS", "", True)],
        "example.nxs": [("Example Data", None, "", True)],
        "1998spheres.h5": [("255 nm PS spheres", None, "01188", True), ("460 nm PS spheres", None, "01188", True)],
        "33id_spec_22_2D.hdf5": [("22 mesh eta 57 57.1 10 chi 90.9 91 10 1", None, "", True)],
        "DLS_i03_i04_NXmx_Therm_6_2.nxs": [("DLS_i03_i04_NXmx_Therm_6_2", "Diamond Light Source", "01164", False)],
        "USAXS_flyScan_GC_M4_NewD_15.h5": [("GC_M4_NewD", None, "", True)],
        "example_mapping.nxs": [("Example Mapping Scan", None, "", True), ("White image of scan", None, "", True)],
        "201805_WSe2_arpes.nxs": [
            ("Excited-state dynamics of WSe2 in the Valence Band and Core-Levels", "FLASH", "01089", True)
        ],
        "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5": [("MH4_5deg_16T_SLOW", None, "01189", True)],
        "33837rear_2D_1.75_16.5_NXcanSAS_v3.h5": [("MH4_5deg_16T_SLOW", None, "01189", True)],
        "multiframe_1d.nxs": [("BBAA_processed_180309_132658", None, "01124", True)],
        "24888.nxs": [("Mg[2]33C1", "Diamond Light Source", "01207", False)],
        "fluo.nxs": [("fluo", None, "01177", True)],
        "mm.nxs": [("mm", None, "01177 01219", True)],
        "pco2_darks_00000.hdf": [("pco2_darks_00000", None, "", True)],
        "pco2_flats_00000.hdf": [("pco2_flats_00000", None, "", True)],
        "pc2_projections.hdf": [("pc2_projections", None, "", True)],
    }
