"""OME-Zarr: what is written is what others read, at every resolution."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

import pancommons
from pancommons.base.errors import BadInput
from pancommons.pipelines import registry
from pancommons.pipelines.simulating import simulate
from pancommons.techniques.tomography.results import pyramid

zarr = pytest.importorskip("zarr")


def halved(volume: np.ndarray) -> np.ndarray:
    padded = np.pad(volume, [(0, size % 2) for size in volume.shape], mode="edge").astype(np.float64)
    z, y, x = padded.shape
    return padded.reshape(z // 2, 2, y // 2, 2, x // 2, 2).mean((1, 3, 5))


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
@pytest.mark.parametrize("shape", [(37, 300, 611), (3, 20, 30)])
def test_levels_are_means(tmp_path: Path, dtype: type, shape: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(1).uniform(0, 60000, shape).astype(dtype)
    out = tmp_path / "v.ome.zarr"
    pyramid.write_ome_zarr(out, iter(volume), shape, np.dtype(dtype), spacing=1.5, unit="micrometer", name="v")
    group = zarr.open_group(out, mode="r")
    expected = volume.astype(np.float64)
    levels = sorted(group.array_keys())
    assert len(levels) == (3 if max(shape) > 512 else 1)
    for level in levels:
        stored = group[level][:]
        assert stored.dtype == dtype
        np.testing.assert_allclose(stored, expected, rtol=1e-6, atol=0 if dtype is np.float32 and level == "0" else 1.1)
        expected = halved(expected)
    assert max(group[levels[-1]].shape) <= pyramid.CHUNK[1]


def test_others_read_it(tmp_path: Path) -> None:
    models = pytest.importorskip("ome_zarr_models")
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    raw, _ = simulate(
        pipeline, pipeline.simulator.parameters(columns=40, rows=20, angles=31, flats=2, darks=2), tmp_path / "s.nxs"
    )
    run = pancommons.run("tomography", raw, out=tmp_path / "r", listeners=(), zarr=True, rows="2:19", centre=22.0)
    out = run.path / "result.ome.zarr"
    image = models.open_ome_zarr(zarr.open_group(out, mode="r"))
    scale = image.attributes.ome.multiscales[0]
    assert [axis.unit for axis in scale.axes] == ["micrometer"] * 3
    transforms = scale.datasets[0].coordinateTransformations
    assert transforms[0].scale == [1.625] * 3
    assert transforms[1].translation == pytest.approx([2 * 1.625, -19.5 * 1.625, -19.5 * 1.625])
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    location = parse_url(out)
    assert location is not None
    (node,) = Reader(location)()
    with h5py.File(run.path / "result.nxs") as file:
        np.testing.assert_array_equal(np.asarray(node.data[0]), file["entry/data/data"][()])


def test_slices_pass_through_in_bounded_memory(tmp_path: Path) -> None:
    size = (512, 512)
    pyramid.write_ome_zarr(  # imports are counted here, and not below
        tmp_path / "a.zarr", iter([np.zeros(size, np.float32)]), (1, *size), np.dtype(np.float32), spacing=1, unit=None,
        name="a",
    )  # fmt: skip
    peaks = []
    for count in (32, 96):
        tracemalloc.start()
        slices = (np.full(size, index, np.float32) for index in range(count))
        pyramid.write_ome_zarr(
            tmp_path / f"{count}.zarr", slices, (count, *size), np.dtype(np.float32), spacing=1, unit=None, name="b"
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramid, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"without the package zarr.*pancommons\[zarr\]"):
        pyramid.check_extra()
