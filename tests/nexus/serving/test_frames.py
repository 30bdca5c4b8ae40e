"""Frames averaged down, against the plain way of doing it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pancommons.nexus.serving.frames import PERCENTILES, binned
from tests.nexus.serving.test_answering import ask


def _naive(pixels: np.ndarray, factor: int) -> np.ndarray:
    rows, columns = (-(-edge // factor) for edge in pixels.shape)
    out = np.empty((rows, columns))
    for row in range(rows):
        for column in range(columns):
            part = pixels[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor].astype(float)
            finite = part[np.isfinite(part)]
            out[row, column] = finite.mean() if finite.size else np.nan
    return out


@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64, np.bool_]),
        array_shapes(min_dims=2, max_dims=2, max_side=40),
        elements={"min_value": 0, "max_value": 1},
    )
    | arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=40)),
    st.integers(1, 45),
    st.floats(0, 0.5),
)
def test_means_of_squares(pixels: np.ndarray, factor: int, missing: float) -> None:
    if pixels.dtype.kind == "f":
        pixels = pixels.copy()
        pixels[np.random.default_rng(0).random(pixels.shape) < missing] = np.nan
    # float32 holds 24 bits: means of 16-bit counts are right to 6e-8 of their size
    np.testing.assert_allclose(binned(pixels, factor), _naive(pixels, factor), rtol=2e-7, atol=1e-7)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["v"] = rng.poisson(1000, (3, 100, 150)).astype("uint16")
        file["hole"] = np.where(rng.random((60, 60)) < 0.5, np.nan, 7.0)
        file["nothing"] = np.full((20, 20), np.nan)
        file["text"] = np.array([[b"a", b"b"]])
        file["empty"] = np.zeros((0, 5))
        file.create_dataset("vast", (200_000, 200_000), "u1", chunks=(100, 100))
    return tmp_path / "stack.h5"


def test_a_frame_and_what_is_told_of_it(stack: Path) -> None:
    answer = ask(stack, "frame", "/v", selection="1", max_px=50)
    assert answer.status == 200 and answer.headers["X-Binning"] == "3" and answer.headers["X-Shape"] == "34,50"
    with h5py.File(stack) as file:
        pixels = file["v"][1]
    assert answer.headers["X-Dtype"] == "<f2"
    small = np.frombuffer(answer.body, "<f2").reshape(34, 50)
    np.testing.assert_allclose(small, _naive(pixels, 3), rtol=2**-11)
    assert answer.headers["X-Range"] == f"{pixels.min()},{pixels.max()}"
    told = [float(share) for share in answer.headers["X-Percentiles"].split(",")]
    np.testing.assert_allclose(told, np.percentile(_naive(pixels, 3), PERCENTILES, method="nearest"), rtol=1e-6)


def test_what_is_not_finite_is_left_out(stack: Path) -> None:
    assert ask(stack, "frame", "/hole", max_px=16).headers["X-Range"] == "7,7"
    answer = ask(stack, "frame", "/nothing", max_px=16)
    assert (
        np.isnan(np.frombuffer(answer.body, answer.headers["X-Dtype"])).all() and answer.headers["X-Range"] == "nan,nan"
    )


def test_single_precision_where_half_would_lose(tmp_path: Path) -> None:
    values = {"high": [[1e5, 2e5]], "low": [[1e-6, 1.0]], "zero": [[0.0, 1.0]], "edge": [[65504.0, 0.0]]}
    with h5py.File(tmp_path / "v.h5", "w") as file:
        for name, value in values.items():
            file[name] = np.array(value)
    for name, value in values.items():
        answer = ask(tmp_path / "v.h5", "frame", f"/{name}")
        assert answer.headers["X-Dtype"] == ("<f4" if name in ("high", "low") else "<f2")
        np.testing.assert_allclose(np.frombuffer(answer.body, answer.headers["X-Dtype"]), value[0], rtol=1e-7)


@pytest.mark.parametrize(
    ("path", "selection", "status"),
    [("/v", None, 422), ("/v", "1, 2", 422), ("/text", None, 422), ("/empty", None, 422), ("/vast", None, 413)],
)
def test_what_is_no_frame_is_refused(stack: Path, path: str, selection: str | None, status: int) -> None:
    answer = ask(stack, "frame", path, selection=selection)
    assert answer.status == status and answer.problem and not answer.body
