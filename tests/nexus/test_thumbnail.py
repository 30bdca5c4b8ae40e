"""Small pictures: of every kind of plot, and a sentence where there is nothing to draw."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pancommons.base.errors import BadInput
from pancommons.nexus.thumbnail import draw, thumbnail
from pancommons.nexus.write import Field, Part, create


def _pixels(webp: bytes) -> NDArray[np.uint8]:
    picture = Image.open(io.BytesIO(webp))
    assert (picture.format, picture.size) == ("WEBP", (256, 192))
    return np.asarray(picture.convert("RGB"))


def test_an_image_shows_its_bright_side() -> None:
    ramp = np.tile(np.linspace(0.0, 1.0, 300), (200, 1))
    pixels = _pixels(draw(ramp, colormap="gray")).astype(int).sum(axis=2)[96]
    assert pixels[20] < pixels[128] < pixels[235]


def test_a_logarithmic_image_shows_what_a_linear_one_hides() -> None:
    rings = 10.0 ** -np.hypot(*np.mgrid[-4:4:128j, -4:4:128j])
    grey = [len(np.unique(_pixels(draw(rings, log=log, colormap="gray"))[96, 40:128])) for log in (False, True)]
    halfway = [int(_pixels(draw(rings, log=log, colormap="gray"))[96, 80, 0]) for log in (False, True)]
    assert grey[1] > grey[0] and halfway[0] < 20 and halfway[1] > 100


def test_dead_pixels_and_nan_do_not_blind_it() -> None:
    counts = np.tile(np.arange(100, dtype=np.uint16), (100, 1))
    counts[10:20] = 65535
    masked = counts.astype(float)
    masked[10:20] = np.nan
    for array in (counts, masked):
        row = _pixels(draw(array, colormap="gray")).astype(int).sum(axis=2)[150]
        assert row[210] - row[50] > 300


def test_a_curve_is_ink_on_paper() -> None:
    x = np.linspace(0.1, 10, 100_000)
    pixels = _pixels(draw(np.sin(x), x=x, errors=np.full_like(x, 0.1)))
    ink = (pixels.sum(axis=2) < 600).mean()
    assert 0.01 < ink < 0.5 and pixels[0, 0].sum() > 740


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan, 1.0], np.zeros((0, 3)), np.full((3, 3), np.nan), 5.0])
def test_nothing_to_draw_is_one_sentence(values: object) -> None:
    with pytest.raises(BadInput, match="nothing to draw"):
        draw(np.asarray(values))


def test_a_constant_image_and_curve_are_drawn() -> None:
    _pixels(draw(np.ones((4, 5))))
    _pixels(draw(np.ones(9)))
    with pytest.raises(BadInput):
        draw(np.zeros((4, 5)), log=True)


@pytest.mark.parametrize(
    ("signal", "definition"),
    [
        (Field("v", np.random.default_rng(1).random((3, 50, 60))), "NXtomoproc"),
        (Field("v", np.arange(1, 500.0), errors=np.ones(499)), "NXcanSAS"),
        (Field("v", np.random.default_rng(1).random((2, 3, 400)), attributes={"interpretation": "spectrum"}), None),
        (Field("v", np.full((20, 30, 3), 200, "u1"), attributes={"interpretation": "rgb-image"}), None),
        (Field("v", np.full((4, 20, 30), 0.5), attributes={"interpretation": "rgba-image"}), None),
        (Field("v", np.ones((2, 5000), "u4")), None),
        (Field("v", np.eye(9, dtype=bool)), None),
    ],
)
def test_files_of_every_kind(tmp_path: Path, signal: Field, definition: str | None) -> None:
    with create(tmp_path / "x.nxs", title="x", definition=definition) as out:
        out.data("data", signal=signal)
    _pixels(thumbnail(tmp_path / "x.nxs"))


def test_missing_data_is_named_and_not_drawn_as_zeros(tmp_path: Path) -> None:
    with create(tmp_path / "x.nxs", title="x") as out:
        out.data("data", signal=Field("v", parts=[Part("gone.h5", "/v", (3, 4), (0, 0))], dtype="f4"))
    with pytest.raises(BadInput, match=r"gone\.h5, which is missing"):
        thumbnail(tmp_path / "x.nxs")
    with h5py.File(tmp_path / "y.nxs", "w") as file:
        group = file.create_group("data")
        group.attrs["NX_class"] = "NXdata"
        group["data"] = h5py.ExternalLink("lost.h5", "/v")
    with pytest.raises(BadInput, match=r"lost\.h5, which is missing"):
        thumbnail(tmp_path / "y.nxs")


def test_a_group_is_drawn_in_place_of_the_default(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "two.nxs", "w") as file:
        for name, values in (("one", np.arange(30.0)), ("two", np.arange(30.0)[::-1])):
            group = file.create_group(f"{name}/data")
            file[name].attrs["NX_class"], group.attrs["NX_class"] = "NXentry", "NXdata"
            group.attrs["signal"], group["y"] = "y", values
    default = thumbnail(tmp_path / "two.nxs")
    assert thumbnail(tmp_path / "two.nxs", group="/one/data") == default
    assert thumbnail(tmp_path / "two.nxs", group="/two/data") != default
