"""Scans in every layout of the facilities, and what is refused or remarked on."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.techniques.tomography.reading.layouts import configured, read_tables
from pancommons.techniques.tomography.reading.opening import open_scan
from pancommons.techniques.tomography.reading.scan import runs

SharedData = Callable[[str], Path]
ROWS, COLUMNS = 4, 6
KEYS = [2, 2, 1, 1, 0, 0, 0, 0, 0, 1, 1, 2]
SHUFFLED = [2, 1, -1, 0, 0, 1, 1, 3, 0, 0, 0, 1]


def frames(keys: list[Any] = KEYS, level: float = 100) -> np.ndarray:
    """Frames whose counts tell their index: level + index everywhere."""
    return (level + np.arange(len(keys))[:, None, None] * np.ones((1, ROWS, COLUMNS))).astype("u2")


def nxtomo(path: Path, keys: list[Any] = KEYS, *, entry: str = "entry", angles: Any = None, **extra: Any) -> Path:
    """Write an NXtomo scan; ``extra`` sets datasets below the entry, ``a__b`` for a/b, None to leave one out."""
    if angles is None:
        angles = np.zeros(len(keys))
        projections = np.flatnonzero(np.asarray(keys) == 0)
        angles[projections] = np.arange(len(projections)) * 180 / max(1, len(projections))
    values = {"instrument/detector/data": frames(keys), "instrument/detector/image_key": np.asarray(keys)}
    values |= {"sample/rotation_angle": angles, "definition": "NXtomo", "title": "A scan", "sample/name": "Bone"}
    values |= {name.replace("__", "/"): value for name, value in extra.items()}
    with h5py.File(path, "a") as file:
        group = file.require_group(entry)
        group.attrs["NX_class"] = "NXentry"
        for name, value in values.items():
            if isinstance(value, tuple):
                group[name] = value[0]
                group[name].attrs["units"] = value[1]
            elif value is not None:
                group[name] = value
    return path


def exchange(path: Path, group: str = "exchange", **datasets: Any) -> Path:
    """Write a Data Exchange scan of 5 projections; ``datasets`` adds, ``process__x`` from the root."""
    with h5py.File(path, "a") as file:
        inside = file.require_group(group)
        inside["data"] = frames([0] * 5, 1000)
        for name, value in datasets.items():
            if value is not None:
                (file if "__" in name else inside)[name.replace("__", "/")] = value
    return path


FLATS = {"data_white": frames([1] * 3, 5000), "data_dark": frames([2] * 2, 10)}
THETA = np.arange(5) * 36.0


# ---- NXtomo


def test_nxtomo(tmp_path: Path) -> None:
    scan = open_scan(nxtomo(tmp_path / "a.nxs"))
    assert (scan.layout, scan.entry, scan.count, scan.rows, scan.columns) == ("NXtomo", "/entry", 5, ROWS, COLUMNS)
    assert scan.dtype == np.uint16 and scan.angles.dtype == np.float64
    np.testing.assert_allclose(scan.angles, np.deg2rad(THETA))
    assert [(s.frames.tolist(), s.position) for s in scan.flats] == [([2, 3], 0), ([9, 10], 5)]
    assert [(s.frames.tolist(), s.position) for s in scan.darks] == [([0, 1], 0), ([11], 5)]
    assert (scan.title, scan.sample, scan.warnings, scan.files) == ("A scan", "Bone", (), (tmp_path / "a.nxs",))
    assert scan.pixel_size is scan.energy is scan.distance is scan.centre_hint is None
    assert scan.span == pytest.approx(np.pi)


def test_reading_gives_counts_piece_by_piece(tmp_path: Path) -> None:
    scan = open_scan(nxtomo(tmp_path / "a.nxs", SHUFFLED, angles=np.arange(12) * 36.0))
    everything = scan.read_frames()
    np.testing.assert_array_equal(everything[:, 0, 0], [103, 104, 108, 109, 110])
    np.testing.assert_array_equal(scan.read_frames(1, 3)[:, 0, 0], [104, 108])
    np.testing.assert_array_equal(scan.read_rows(1, 3), everything[:, 1:3])
    np.testing.assert_array_equal(scan.read_frames(2, 4, slice(1, 2)), everything[2:4, 1:2])
    out = np.empty((5, 2, COLUMNS), np.float32)
    assert scan.read_rows(0, 2, out) is out
    np.testing.assert_array_equal(out, everything[:, :2])
    assert [flats[:, 0, 0].tolist() for flats in scan.read_flats()] == [[101], [105, 106], [111]]
    assert scan.read_darks(3)[0].shape == (1, 1, COLUMNS)
    assert [s.position for s in scan.flats] == [0, 2, 5]


def test_a_scan_travels_to_another_process(tmp_path: Path) -> None:
    scan = pickle.loads(pickle.dumps(open_scan(nxtomo(tmp_path / "a.nxs"))))
    assert scan.read_frames().shape == (5, ROWS, COLUMNS)


def test_float_keys_and_keys_of_no_meaning(tmp_path: Path) -> None:
    scan = open_scan(nxtomo(tmp_path / "a.nxs", [2.0, 1.0, 0.0, 0.0, 7.0, 0.0, np.nan]))
    assert scan.projections.tolist() == [2, 3, 5]
    assert any("no known meaning ([7])" in warning for warning in scan.warnings)


def test_esrf_control_keys_go_first(tmp_path: Path) -> None:
    control = [2, 1, 0, 0, 0, -1, -1]
    path = nxtomo(
        tmp_path / "a.nx", [2, 1, 0, 0, 0, 0, 0], entry="entry0000", angles=[0, 0, 0, 60, 120, 0, 90],
        instrument__detector__image_key_control=control, instrument__detector__x_pixel_size=6.5e-6,
        instrument__detector__y_pixel_size=6.5e-6, instrument__detector__distance=(150, "mm"),
        instrument__detector__field_of_view="Half", instrument__detector__x_rotation_axis_pixel_position=1.5,
        beam__incident_energy=(17.0, "keV"), instrument__source__name="ESRF", instrument__name="BM05",
        start_time="2026-01-02T03:04:05+01:00",
    )  # fmt: skip
    scan = open_scan(path)
    assert scan.projections.tolist() == [2, 3, 4] and scan.entry == "/entry0000"
    assert (scan.pixel_size, scan.distance, scan.energy) == (6.5e-6, pytest.approx(0.15), 17)
    assert (scan.field_of_view, scan.centre_hint) == ("Half", (COLUMNS - 1) / 2 + 1.5)
    assert (scan.facility, scan.instrument, scan.start_time) == ("ESRF", "BM05", "2026-01-02T03:04:05+01:00")


@pytest.mark.parametrize(("value", "hint"), [(-2.0, 0.5), (4.0, 4.0), (99.0, None), (np.nan, None)])
def test_the_centre_hint_is_a_column(tmp_path: Path, value: float, hint: float | None) -> None:
    path = nxtomo(tmp_path / "a.nxs", instrument__detector__estimated_cor_from_motor=value)
    assert open_scan(path).centre_hint == hint


def test_units_are_obeyed(tmp_path: Path) -> None:
    path = nxtomo(
        tmp_path / "a.nxs", angles=(np.deg2rad([0] * 4 + [0, 36, 72, 108, 144] + [0] * 3), "rad"),
        instrument__detector__x_pixel_size=(0.65, np.bytes_(b"\xb5m")),
        instrument__detector__y_pixel_size=(1.3, "um"),
        instrument__beam__incident_wavelength=(1.0, "Angstrom"),
    )  # fmt: skip
    scan = open_scan(path)
    np.testing.assert_allclose(scan.angles, np.deg2rad(THETA))
    assert scan.pixel_size == pytest.approx(0.65e-6) and scan.pixel_size_y == pytest.approx(1.3e-6)
    assert scan.energy == pytest.approx(12.398, abs=1e-3)
    assert any("not square" in warning for warning in scan.warnings)


def test_sentinels_and_texts_are_no_quantities(tmp_path: Path) -> None:
    path = nxtomo(
        tmp_path / "a.nxs", instrument__detector__x_pixel_size=np.bytes_(b"b2017b74"),
        instrument__beam__incident_energy=(-1.0, "keV"), instrument__detector__distance=np.nan,
        instrument__beam__incident_wavelength=(1.8, "A"), instrument__source__probe="neutron",
    )  # fmt: skip
    scan = open_scan(path)
    assert scan.pixel_size is scan.energy is scan.distance is None


def test_diamond_subentry(tmp_path: Path) -> None:
    extra = {"title": np.array([b"Mg", b""]), "instrument__detector__image_key": None}
    path = nxtomo(tmp_path / "a.nxs", entry="entry1/tomo_entry", **extra)
    with h5py.File(path, "a") as file:
        file["entry1"].attrs["NX_class"] = "NXentry"
        file["entry1/instrument/tomoScanDevice/image_key"] = np.asarray(KEYS, float)
        file["entry1/instrument/name"] = np.array([b"i13"])
    scan = open_scan(path)
    assert (scan.entry, scan.count, scan.title, scan.instrument) == ("/entry1/tomo_entry", 5, "Mg", "i13")


@pytest.mark.parametrize("place", ["instrument/image_key/image_key", "data/image_key"])
def test_keys_elsewhere(tmp_path: Path, place: str) -> None:
    extra = {"instrument__detector__image_key": None, place.replace("/", "__"): np.asarray(KEYS)}
    assert open_scan(nxtomo(tmp_path / "a.nxs", **extra)).count == 5


def test_diamond_without_a_definition(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.nxs", "w") as file:
        file["entry1/pco1/data"] = frames()
        file["entry1/instrument/tomoScanDevice/image_key"] = np.asarray(KEYS, float)
        file["entry1/instrument/tomoScanDevice/ss1_rot"] = np.arange(12) * 36.0
    scan = open_scan(tmp_path / "old.nxs")
    assert (scan.facility, scan.data.inside) == ("Diamond Light Source", "/entry1/pco1/data")
    with h5py.File(tmp_path / "new.nxs", "w") as file:
        file["entry/instrument/EtherCAT/image_key"] = np.asarray(KEYS)
        file["entry/instrument/EtherCAT/data"] = h5py.ExternalLink("gone.h5", "/data")
        file["entry/instrument/imaging/image_key"] = np.asarray(KEYS)
        file["entry/instrument/imaging/data"] = frames()
        for detector in ("EtherCAT", "imaging"):
            file[f"entry/{detector}/gts_theta_value"] = np.arange(12) * 36.0
    scan = open_scan(tmp_path / "new.nxs")
    assert scan.data.inside == "/entry/instrument/imaging/data" and scan.count == 5


def test_several_scans_in_a_file(tmp_path: Path) -> None:
    for entry in ("entry0000", "entry0001", "entry0002"):
        nxtomo(tmp_path / "a.nx", entry=entry)
    scan = open_scan(tmp_path / "a.nx")
    assert scan.entry == "/entry0000"
    assert scan.warnings == ("The file holds 3 scans; /entry0000 is taken, not /entry0001, /entry0002.",)


def test_references_in_detectors_of_their_own(tmp_path: Path) -> None:
    path = nxtomo(
        tmp_path / "a.nxs", [0] * 5, angles=THETA, instrument__detector__image_key=None,
        instrument__bright_field__data=FLATS["data_white"], instrument__dark_field__data=FLATS["data_dark"],
    )  # fmt: skip
    scan = open_scan(path)
    assert [len(s.frames) for s in (*scan.flats, *scan.darks)] == [3, 2]


# ---- Data Exchange


@pytest.mark.parametrize("flat", ["data_white", "data_flat", "flats"])
@pytest.mark.parametrize("dark", ["data_dark", "darks"])
@pytest.mark.parametrize("group", ["exchange", "exchange1"])
def test_data_exchange(tmp_path: Path, flat: str, dark: str, group: str) -> None:
    path = exchange(
        tmp_path / "a.h5", group, theta=THETA, measurement__sample__name="Tooth",
        **{flat: FLATS["data_white"], dark: FLATS["data_dark"]},
    )  # fmt: skip
    scan = open_scan(path)
    assert (scan.layout, scan.entry, scan.count, scan.sample) == ("Data Exchange", f"/{group}", 5, "Tooth")
    np.testing.assert_allclose(scan.angles, np.deg2rad(THETA))
    assert scan.read_flats()[0][:, 0, 0].tolist() == [5000, 5001, 5002]
    assert scan.read_darks(0, 1)[0].shape == (2, 1, COLUMNS) and scan.warnings == ()


def test_data_exchange_without_theta_is_a_half_turn(tmp_path: Path) -> None:
    scan = open_scan(exchange(tmp_path / "a.h5", **FLATS))
    np.testing.assert_allclose(scan.angles, np.linspace(0, np.pi, 5))
    assert "equally spaced from 0 to 180 degrees, both included" in scan.warnings[0]


def test_data_exchange_with_start_and_step(tmp_path: Path) -> None:
    rotation = {
        "process__acquisition__rotation__rotation_start": -90.0,
        "process__acquisition__rotation__rotation_step": 45.0,
    }
    count = "process__acquisition__rotation__num_angles"
    scan = open_scan(exchange(tmp_path / "a.h5", **FLATS, **rotation, **{count: 5}))
    np.testing.assert_allclose(np.rad2deg(scan.angles), [-90, -45, 0, 45, 90])
    with pytest.raises(BadInput, match="plans 7 angles, but there are 5 projections"):
        open_scan(exchange(tmp_path / "b.h5", **FLATS, **rotation, **{count: 7}))


def test_data_exchange_with_a_flat_value(tmp_path: Path) -> None:
    value = {"process__acquisition__flat_fields__flat_field_value": 3000.0}
    scan = open_scan(exchange(tmp_path / "a.h5", theta=THETA, data_dark=FLATS["data_dark"], **value))
    assert scan.flats[0].level == 3000
    np.testing.assert_array_equal(scan.read_flats(1, 3)[0], np.full((1, 2, COLUMNS), 3000, np.float32))


def test_flats_are_placed_by_their_angles(tmp_path: Path) -> None:
    path = exchange(tmp_path / "a.h5", theta=THETA, theta_white=[0.0, 0.0, 144.0], **FLATS)
    assert [(s.frames.tolist(), s.position) for s in open_scan(path).flats] == [([0, 1], 0), ([2], 5)]


def test_data_exchange_metadata(tmp_path: Path) -> None:
    detection = "measurement__instrument__detection_system__objective__resolution"
    energy = "measurement__instrument__monochromator__energy"
    scan = open_scan(exchange(tmp_path / "a.h5", theta=THETA, **FLATS, **{detection: 0.65, energy: 25.0}))
    assert (scan.pixel_size, scan.energy) == (pytest.approx(0.65e-6), 25)


# ---- references in other files


def _references(folder: Path) -> dict[str, Path]:
    nxtomo(folder / "keyed.nxs", [1, 1, 1, 2, 2])
    exchange(folder / "exchange.h5", **FLATS)
    with h5py.File(folder / "plain.h5", "w") as file:
        file["some/where"] = FLATS["data_white"]
        file["some/other"] = np.arange(3)
    with h5py.File(folder / "area.hdf", "w") as file:
        file["entry/data/data"] = FLATS["data_white"]
    with h5py.File(folder / "single.hdf", "w") as file:
        file["entry/data/data"] = FLATS["data_white"][0]
    tifffile.imwrite(folder / "stack.tif", FLATS["data_white"], photometric="minisblack")
    (folder / "series").mkdir()
    for index, frame in enumerate(FLATS["data_white"]):
        tifffile.imwrite(folder / "series" / f"flat_{index:04}.tif", frame, photometric="minisblack")
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "count"),
    [("keyed", 3), ("exchange", 3), ("plain", 3), ("area", 3), ("single", 1), ("stack", 3), ("series", 3)],
)
def test_flats_from_another_file(tmp_path: Path, name: str, count: int) -> None:
    (tmp_path / "ref").mkdir()
    other = _references(tmp_path / "ref")[name]
    scan = open_scan(nxtomo(tmp_path / "a.nxs", [0] * 5, angles=THETA), flats=other)
    (flats,) = scan.read_flats(1, 3)
    assert flats.shape == (count, 2, COLUMNS)
    assert scan.files[0] == tmp_path / "a.nxs" and len(scan.files) >= 2
    assert bool(scan.darks) == (name in ("keyed", "exchange"))
    if scan.darks:
        assert f"The darks are taken from {other.name} too." in scan.warnings
    else:
        assert "no dark fields" in scan.warnings[-1]


def test_given_references_replace_those_of_the_scan(tmp_path: Path) -> None:
    (tmp_path / "ref").mkdir()
    other = _references(tmp_path / "ref")
    scan = open_scan(nxtomo(tmp_path / "a.nxs"), flats=[other["area"], other["single"]], darks=str(other["stack"]))
    assert [(len(s.frames), s.position) for s in scan.flats] == [(3, 0), (1, 5)]
    assert [len(s.frames) for s in scan.darks] == [3]
    assert {path.name for path in scan.files} == {"a.nxs", "area.hdf", "single.hdf", "stack.tif"}


def test_references_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = nxtomo(tmp_path / "a.nxs")
    with h5py.File(tmp_path / "small.h5", "w") as file:
        file["v"] = np.ones((3, 2, 2))
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["v"] = file["w"] = np.ones((3, ROWS, COLUMNS))
    (tmp_path / "folder").mkdir()
    (tmp_path / "no.tif").write_text("no")
    nxtomo(tmp_path / "dark.nxs", [2, 2, 0, 0, 0])
    for name, words in [
        ("small.h5", "has frames of 2 x 2 pixels, the projections have 4 x 6"),
        ("two.h5", "several datasets that could be flat fields"),
        ("folder", "holds no TIFF files"),
        ("no.tif", "cannot be read as TIFF"),
        ("dark.nxs", "has no flat fields"),
        ("gone.h5", "there is no such file"),
    ]:
        with pytest.raises(BadInput, match=words):
            open_scan(path, flats=tmp_path / name)


# ---- refused and remarked


@pytest.mark.parametrize(
    ("keys", "extra", "words"),
    [
        (KEYS, {"angles": np.arange(11.0)}, "has 11 angles for 12 frames with 5 projections"),
        (KEYS, {"angles": np.full(12, np.nan)}, "5 of 5 angles are no numbers"),
        (KEYS, {"sample__rotation_angle": None}, "has no rotation angles; write them there"),
        (KEYS, {"instrument__detector__image_key": np.arange(9)}, "has 9 image keys for 12 frames"),
        ([1, 2, 0, 0], {}, "has 2 projections, where 3 are the least"),
        ([1, 2, 1, 1], {}, "marks no frame as a projection"),
        ([0, 0, 0, 2], {}, "has no flat fields; name a file that has them with flats=FILE"),
        (KEYS, {"instrument__detector__data": np.ones((12, 4))}, r"has the shape \(12, 4\)"),
        (KEYS, {"instrument__detector__data": h5py.ExternalLink("raw.h5", "/v")}, "lies in raw.h5, which is missing"),
    ],
)
def test_refused_in_one_sentence(tmp_path: Path, keys: list[int], extra: dict[str, Any], words: str) -> None:
    path = nxtomo(tmp_path / "a.nxs", keys, **extra)
    with pytest.raises(BadInput, match=words) as caught:
        open_scan(path)
    assert str(path) in str(caught.value)


def test_a_file_without_a_scan_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["words"] = "nothing"
    with pytest.raises(BadInput, match="no tomography data was found"):
        open_scan(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("angles", "words"),
    [
        ([0, 30, 60, 90, 120], "span 120 degrees, not 180 or 360"),
        (np.linspace(0, np.pi, 5), "are the angles in radians?"),
        ([0, 45, 45, 90, 135], "1 projections have the same angle as the one before"),
        ([7, 7, 7, 7, 7], "Most projections have the same angle"),
    ],
)
def test_remarks_on_angles(tmp_path: Path, angles: Any, words: str) -> None:
    scan = open_scan(nxtomo(tmp_path / "a.nxs", angles=np.asarray(angles, float)))
    assert any(words in warning for warning in scan.warnings)


@pytest.mark.parametrize(
    "angles",
    [
        [0, 45, 90, 135, 180],
        [0, 90, 180, 270, 360],
        np.arange(5) * 36.0 - 88.2,
        180 - np.arange(5) * 36.0,
        np.arange(5) * 72.0,
    ],
)
def test_no_remark_on_ordinary_angles(tmp_path: Path, angles: Any) -> None:
    assert open_scan(nxtomo(tmp_path / "a.nxs", angles=angles)).warnings == ()


def test_an_unknown_unit_of_angles_is_said(tmp_path: Path) -> None:
    scan = open_scan(nxtomo(tmp_path / "a.nxs", angles=(np.arange(5) * 36.0, "steps of motor")))
    assert "'steps of motor', is not understood; they are taken as degrees" in scan.warnings[0]


def test_transmission_needs_no_flats(tmp_path: Path) -> None:
    data = np.random.default_rng(1).uniform(0.2, 1.0, (5, ROWS, COLUMNS)).astype("f4")
    path = exchange(tmp_path / "a.h5", theta=THETA)
    with h5py.File(path, "a") as file:
        del file["exchange/data"]
        file["exchange/data"] = data
    scan = open_scan(path)
    assert scan.in_transmission and not scan.flats and "taken as transmission" in scan.warnings[0]


def test_empty_datasets_are_no_references(tmp_path: Path) -> None:
    empty = np.zeros((0, ROWS, COLUMNS), "u2")
    scan = open_scan(exchange(tmp_path / "a.h5", theta=THETA, data_white=FLATS["data_white"], data_dark=empty))
    assert scan.darks == () and len(scan.flats) == 1
    with pytest.raises(BadInput, match="has no flat fields"):
        open_scan(exchange(tmp_path / "b.h5", theta=THETA, data_white=empty))


def test_a_detector_is_chosen_by_its_frames(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["entry/instrument/current/data"] = np.ones(12)
        file["entry/instrument/pco/data"] = frames()
        file["entry/instrument/pco/image_key"] = np.asarray(KEYS)
        file["entry/sample/rotation_angle"] = np.arange(12) * 36.0
    scan = open_scan(tmp_path / "a.nxs")
    assert scan.data.inside == "/entry/instrument/pco/data" and scan.count == 5


def test_darks_may_be_missing(tmp_path: Path) -> None:
    scan = open_scan(nxtomo(tmp_path / "a.nxs", [1, 0, 0, 0]))
    assert scan.darks == () and "taken as zero; darks=FILE" in scan.warnings[0]


# ---- files within files, and how they are stored


def test_every_file_that_is_read_is_named(tmp_path: Path) -> None:
    for index, part in enumerate(np.split(frames(), 3)):
        with h5py.File(tmp_path / f"part{index}.h5", "w") as file:
            file.create_dataset("v", data=part, chunks=(1, ROWS, COLUMNS), **hdf5plugin.Bitshuffle(cname="lz4"))
    layout = h5py.VirtualLayout((12, ROWS, COLUMNS), "u2")
    for index in range(3):
        layout[4 * index : 4 * index + 4] = h5py.VirtualSource(f"part{index}.h5", "v", (4, ROWS, COLUMNS))
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file.create_virtual_dataset("whole", layout)
    with h5py.File(tmp_path / "angles.h5", "w") as file:
        file["theta"] = np.arange(12) * 36.0
    path = nxtomo(
        tmp_path / "a.nxs", instrument__detector__data=h5py.ExternalLink("stack.h5", "whole"),
        sample__rotation_angle=h5py.ExternalLink("angles.h5", "theta"),
    )  # fmt: skip
    scan = open_scan(path)
    names = [file.name for file in scan.files]
    assert names == ["a.nxs", "stack.h5", "part0.h5", "part1.h5", "part2.h5", "angles.h5"]
    assert (scan.data.chunks, scan.data.compressed, scan.rows_together) == ((1, ROWS, COLUMNS), True, ROWS)
    np.testing.assert_array_equal(scan.read_frames()[:, 0, 0], [104, 105, 106, 107, 108])
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(BadInput, match=r"lies in part1\.h5, which is missing \(1 of 4 sources are missing\)"):
        open_scan(path)


def test_contiguous_files_give_single_rows(tmp_path: Path) -> None:
    scan = open_scan(nxtomo(tmp_path / "a.nxs"))
    assert (scan.data.chunks, scan.data.compressed, scan.rows_together) == (None, False, 1)


def test_a_file_damaged_inside_is_one_sentence(tmp_path: Path) -> None:
    path = nxtomo(tmp_path / "a.nxs", instrument__detector__data=None)
    with h5py.File(path, "a") as file:
        shape, chunks = (12, ROWS, COLUMNS), (1, ROWS, COLUMNS)
        data = file["entry"].create_dataset("instrument/detector/data", shape, "u2", chunks=chunks, compression="gzip")
        data[:] = 1
        data.id.write_direct_chunk((6, 0, 0), b"damaged")
    scan = open_scan(path)
    with pytest.raises(BadInput, match="the data cannot be read"):
        scan.read_frames()


@given(st.lists(st.integers(0, 60), unique=True).map(sorted))
def test_runs_cover_all_indices(indices: list[int]) -> None:
    found = [(place + step, start + step) for start, stop, place in runs(np.array(indices, np.int64))
             for step in range(stop - start)]  # fmt: skip
    assert found == list(enumerate(indices))


# ---- the table of layouts


def test_a_user_s_layout_goes_first(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["scan_7/cam/images"] = frames()
        file["scan_7/cam/kind"] = np.asarray(KEYS)
        file["motors/rot"] = np.arange(12) * 36.0
        file["scan_7/cam/pixel"] = 0.5
    table = {
        "name": "mine", "facility": "Home", "entry": ["/scan_7"], "data": ["*/images"], "image_key": ["*/kind"],
        "angles": ["/motors/rot"], "pixel_size_x": ["*/pixel"], "units": {"pixel_size_x": "um", "angles": "degree"},
    }  # fmt: skip
    with pytest.raises(BadInput, match="no tomography data"):
        open_scan(tmp_path / "own.h5")
    scan = open_scan(tmp_path / "own.h5", layouts=[table])
    assert (scan.layout, scan.facility, scan.count, scan.pixel_size) == ("mine", "Home", 5, pytest.approx(5e-7))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "x", "entry": ["/"]}, "needs a name, an entry and data"),
        ({"name": "x", "entry": ["/"], "data": "data"}, "data is no list of texts"),
        ({"name": "x", "entry": ["/"], "data": ["d"], "angle": ["a"]}, "angle is not understood; known are"),
        ({"data": ["d"]}, "layout without a name"),
    ],
)
def test_a_wrong_layout_is_refused(table: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_tables([table], "pancommons.toml")


def test_layouts_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pancommons.toml"
    config.write_text(
        '[[techniques.tomography.layout]]\nname = "ours"\nentry = ["/e"]\ndata = ["d"]\nangles_missing = "half turn"\n'
    )
    monkeypatch.setenv("PANCOMMONS_CONFIG", str(config))
    (layout,) = configured()
    assert (layout.name, layout.places["data"], layout.angles_missing) == ("ours", ("d",), "half turn")


# ---- real files


@pytest.mark.real
def test_tooth(shared_data: SharedData) -> None:
    scan = open_scan(shared_data("tomography/tooth.h5"))
    assert (scan.layout, scan.count, scan.rows, scan.columns) == ("Data Exchange", 181, 2, 640)
    assert scan.sample == "Tooth" and scan.warnings == () and not scan.in_transmission
    assert scan.span == pytest.approx(np.pi, rel=1e-6)
    assert scan.read_flats()[0].shape == scan.read_darks()[0].shape == (10, 2, 640)


@pytest.mark.real
def test_diamond_k11(shared_data: SharedData) -> None:
    scan = open_scan(shared_data("nexus-examples/httomo/k11_diad/k11-18014.nxs"))
    assert (scan.count, scan.rows, scan.columns, scan.facility) == (3001, 22, 26, "Diamond Light Source")
    assert [(len(s.frames), s.position) for s in scan.flats] == [(50, 0), (50, 3001)]
    names = [path.name for path in scan.files]
    assert names == ["k11-18014.nxs", "k11-18014-imaging.h5", "k11-18014-pcompPanda.h5"]
    assert scan.rows_together == 22 and scan.read_rows(3, 5).shape == (3001, 2, 26)


@pytest.mark.real
def test_diamond_i13_names_what_is_missing(shared_data: SharedData) -> None:
    with pytest.raises(BadInput, match=r"pco1-24888\.hdf, which is missing"):
        open_scan(shared_data("nexus-examples/savu/24888.nxs"))


@pytest.mark.real
def test_diamond_i12_area_detector_files(shared_data: SharedData) -> None:
    path = shared_data("nexus-examples/savu/i12_test_data/lfov/tomo_data/pc2_projections.hdf")
    other = path.parents[1] / "dark_flat"
    with pytest.raises(BadInput, match="has no rotation angles"):
        open_scan(path)
    table = {"name": "i12", "entry": ["/entry"], "data": ["data/data"], "angles_missing": "half turn"}
    scan = open_scan(path, flats=other / "pco2_flats_00000.hdf", darks=other / "pco2_darks_00000.hdf", layouts=[table])
    assert scan.count == 19 and scan.read_flats()[0].mean() > 10 * scan.read_darks()[0].mean()
