"""Images of one wavelength: spheres of known size in an image, and what files and headers say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from pancommons.base.errors import BadInput
from pancommons.techniques.sans.image import is_image, read_image
from tests.techniques.sans.conftest import Reduce

WAVELENGTH, DISTANCE, PIXEL, CENTRE = 6.0, 2.5, 5.0, (318.0, 305.0)
RADIUS, INTENSITY, MONITOR, THROUGH, THICKNESS = 60.0, 50.0, 4e8, 0.72, 2.0
SIZE = 128


def sphere(q: np.ndarray) -> np.ndarray:
    x = q * RADIUS
    return np.asarray(INTENSITY * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2 + 0.3)


def expected(scattering: Callable[[np.ndarray], np.ndarray], efficiency: np.ndarray | float = 1.0) -> np.ndarray:
    """Return counts, float64 [row, column], from what the textbook says: solid angle by its cosine law."""
    across = ((np.arange(SIZE) + 0.5) * PIXEL - CENTRE[0]) / 1e3
    up = ((np.arange(SIZE) + 0.5) * PIXEL - CENTRE[1]) / 1e3
    x, y = np.meshgrid(across, up)
    far = np.sqrt(x**2 + y**2 + DISTANCE**2)
    solid = (PIXEL / 1e3) ** 2 * DISTANCE / far**3
    q = 4 * np.pi / WAVELENGTH * np.sin(np.arctan2(np.hypot(x, y), DISTANCE) / 2)
    return np.asarray(MONITOR * THROUGH * solid * THICKNESS / 10 * scattering(q) * efficiency)


def write_nxsas(path: Path, counts: np.ndarray, **other: Any) -> Path:
    with h5py.File(path, "w") as file:

        def group(name: str, nx_class: str) -> h5py.Group:
            made = file.create_group(name)
            made.attrs["NX_class"] = nx_class
            return made

        group("entry", "NXentry")["definition"] = "NXsas"
        group("entry/instrument", "NXinstrument")["name"] = "D99"
        chromator = group("entry/instrument/monochromator", "NXmonochromator")
        chromator["wavelength"], chromator["wavelength_spread"] = WAVELENGTH / 10, 0.1
        chromator["wavelength"].attrs["units"] = "nm"
        detector = group("entry/instrument/detector", "NXdetector")
        detector["data"] = counts
        for name, value, unit in (
            ("distance", DISTANCE, "m"), ("x_pixel_size", PIXEL, "mm"), ("y_pixel_size", PIXEL, "mm"),
            ("beam_center_x", CENTRE[0] / 1e3, "m"), ("beam_center_y", CENTRE[1] / 1e3, "m"),
        ):  # fmt: skip
            if name not in other.get("without", ()):
                detector[name] = value
                detector[name].attrs["units"] = unit
        sample = group("entry/sample", "NXsample")
        sample["thickness"], sample["transmission"] = THICKNESS, other.get("transmission", THROUGH)
        sample["thickness"].attrs["units"] = "mm"
        group("entry/control", "NXmonitor")["integral"] = MONITOR
    return path


def write_edf(path: Path, counts: np.ndarray, header: dict[str, Any]) -> Path:
    said = {
        "HeaderID": "EH:000001", "ByteOrder": "LowByteFirst", "DataType": "SignedInteger", "Dim_1": counts.shape[1],
        "Dim_2": counts.shape[0], **header,
    }  # fmt: skip
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in said.items())
    head = text + " " * (-(len(text) + 2) % 512) + "}\n"
    path.write_bytes(head.encode() + counts.astype("<i4").tobytes())
    return path


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    return np.asarray(np.random.default_rng(3).poisson(expected(sphere)), np.int32)


def curve(folder: Path, name: str = "sasdata01") -> tuple[np.ndarray, ...]:
    with h5py.File(folder / "result.nxs") as file:
        group = file[f"entry/{name}"]
        return group["Q"][()], group["I"][()], group["Idev"][()], group["Qdev"][()]


def test_spheres_in_an_nxsas_file_come_out_on_the_absolute_scale(
    counts: np.ndarray, tmp_path: Path, reduce: Reduce
) -> None:
    run = reduce(sample=write_nxsas(tmp_path / "image.nxs", counts), radius_range="15:300", qxy_binning="0.12:0.004")
    q, intensity, error, spread = curve(run.path)
    pull = (intensity - sphere(q)) / error
    steep = np.abs(np.gradient(np.log(sphere(q)), q)) * np.gradient(q) > 0.05  # where a bin is no point of the curve
    assert np.mean(pull[~steep] ** 2) < 1.6
    assert np.median(np.abs(intensity / sphere(q) - 1)) < 0.02
    pixel = 2 * np.pi / WAVELENGTH * PIXEL / 1e3 / np.sqrt(12) / DISTANCE
    wave = q * 0.1 / np.sqrt(6)
    np.testing.assert_allclose(spread, np.hypot(pixel, wave), rtol=0.03)
    with h5py.File(run.path / "result.nxs") as file:
        source = file["entry/instrument/source"]
        assert source["probe"].asstr()[()] == "neutron"
        assert "type" not in source


def test_the_radius_of_the_spheres(counts: np.ndarray, tmp_path: Path, reduce: Reduce) -> None:
    run = reduce(sample=write_nxsas(tmp_path / "image.nxs", counts), model="sphere", wavelength_spread=0.0)
    found = {merit["name"]: merit["value"] for merit in run.report["merits"]}
    assert found["size"] == pytest.approx(RADIUS, rel=0.005)


def test_plain_images_are_the_same_curve(counts: np.ndarray, tmp_path: Path, reduce: Reduce) -> None:
    nexus = reduce(sample=write_nxsas(tmp_path / "image.nxs", counts), wavelength_spread=0.0)
    tifffile.imwrite(tmp_path / "image.tif", counts)
    said = {
        "WaveLength": WAVELENGTH / 1e10, "SampleDistance": DISTANCE, "PSize_1": PIXEL / 1e3, "PSize_2": PIXEL / 1e3,
        "Center_1": CENTRE[0] / PIXEL, "Center_2": CENTRE[1] / PIXEL,
    }  # fmt: skip
    plain = {"thickness": THICKNESS, "transmission_value": THROUGH, "scale": 1 / MONITOR}
    edf = reduce(sample=write_edf(tmp_path / "image.edf", counts, said), **plain)
    tiff = reduce(
        sample=tmp_path / "image.tif", wavelength=WAVELENGTH, distance=DISTANCE, pixel_size=f"{PIXEL}",
        centre=f"{CENTRE[0]},{CENTRE[1]}", **plain,
    )  # fmt: skip
    for other in (edf, tiff):
        np.testing.assert_allclose(curve(other.path)[1], curve(nexus.path)[1], rtol=1e-6)


def test_flat_field_broken_pixels_and_a_can(tmp_path: Path, reduce: Reduce) -> None:
    random = np.random.default_rng(5)
    efficiency = random.uniform(0.5, 1.5, (SIZE, SIZE))
    both = random.poisson(expected(lambda q: sphere(q) + 2.0, efficiency)).astype(np.int32)
    can = random.poisson(expected(lambda q: np.full_like(q, 2.0), efficiency) / THROUGH * 0.9).astype(np.int32)
    both[40:44] = -1
    flat = random.poisson(efficiency * 1e5).astype(np.int32)
    run = reduce(
        sample=write_nxsas(tmp_path / "image.nxs", both),
        can=write_nxsas(tmp_path / "can.nxs", can, transmission=0.9),
        flat_cell=write_nxsas(tmp_path / "flat.nxs", flat),
        radius_range="15:300",
    )
    q, intensity, error, _ = curve(run.path)
    steep = np.abs(np.gradient(np.log(sphere(q)), q)) * np.gradient(q) > 0.05
    assert np.mean(((intensity - sphere(q)) / error)[~steep] ** 2) < 1.8


def test_a_transmission_from_images(counts: np.ndarray, tmp_path: Path, reduce: Reduce) -> None:
    beam = np.zeros((SIZE, SIZE), np.int32)
    beam[60:62, 62:64] = 100_000
    images = {
        "sample": write_nxsas(tmp_path / "image.nxs", counts),
        "sample_transmission": write_nxsas(tmp_path / "through.nxs", (beam * 0.72).astype(np.int32)),
        "direct": write_nxsas(tmp_path / "direct.nxs", beam),
    }
    found = reduce(**images).found["transmission_sample"]
    assert found == pytest.approx(0.72, abs=1e-6)
    with pytest.raises(BadInput, match="above 1"):
        reduce(**images | {"sample_transmission": images["direct"], "direct": images["sample_transmission"]})


def test_the_centre_is_found(counts: np.ndarray, tmp_path: Path, reduce: Reduce) -> None:
    lost = write_nxsas(tmp_path / "image.nxs", counts, without=("beam_center_x", "beam_center_y"))
    found = reduce(sample=lost, centre="find", radius_range="15:300").found["centre"]
    np.testing.assert_allclose(found, CENTRE, atol=0.2)


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("distance", "does not say the distance; give --distance in m"),
        ("x_pixel_size", "does not say the pixel size; give --pixel-size in mm"),
        ("beam_center_x", "does not say where the beam meets the detector"),
    ],
)
def test_what_an_image_does_not_say_is_asked_for(
    counts: np.ndarray, tmp_path: Path, reduce: Reduce, without: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        reduce(sample=write_nxsas(tmp_path / "image.nxs", counts, without=(without,)))


def test_images_that_are_none(counts: np.ndarray, tmp_path: Path, reduce: Reduce) -> None:
    good = write_nxsas(tmp_path / "image.nxs", counts)
    with pytest.raises(BadInput, match="an image of 64 x 64 pixels, the sample's has 128 x 128"):
        reduce(sample=good, can=write_nxsas(tmp_path / "small.nxs", counts[:64, :64]))
    with pytest.raises(BadInput, match="above 1"):
        reduce(sample=good, transmission_value=1.3)
    with pytest.raises(BadInput, match="has not time slices"):
        reduce(sample=good, time_slices="3")
    tiff, edf = tmp_path / "image.tif", write_edf(tmp_path / "image.edf", counts, {})
    tifffile.imwrite(tiff, counts)
    for path in (tiff, edf):
        path.write_bytes(path.read_bytes()[:3000])
        with pytest.raises(BadInput, match="cut short"):
            read_image(path)
    edf.write_bytes(b"nothing of the kind")
    with pytest.raises(BadInput, match="has no EDF header"):
        read_image(edf)


def test_reduced_files_are_no_images(shared_data: Callable[[str], Path], reduce: Reduce) -> None:
    for kind in ("1D", "2D"):
        path = shared_data(f"nexus-examples/sasdata/33837rear_{kind}_1.75_16.5_NXcanSAS_v3.h5")
        assert not is_image(path)
        with pytest.raises(BadInput, match="reduced already"):
            reduce(sample=path)
