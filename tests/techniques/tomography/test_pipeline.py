"""The whole pipeline on small scans: against the functions called by hand, against truth, against itself."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

import pancommons
from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines import creation, parameters, registry
from pancommons.pipelines.api import Run
from pancommons.pipelines.simulating import simulate as simulated
from pancommons.techniques.tomography.correction.attenuation import attenuation, averaged, flat_field
from pancommons.techniques.tomography.fourier import BATCH, FourierReconstruction
from pancommons.techniques.tomography.reading import opening
from pancommons.techniques.tomography.run import slices

PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
DATA = "entry/instrument/detector/data"
KEYS = "entry/instrument/detector/image_key"
COLUMNS, ROWS, ANGLES, CENTRE = 48, 21, 60, 25.25
Simulate = Callable[..., tuple[Path, Path]]
Reconstruct = Callable[..., Run]


@pytest.fixture(scope="session")
def simulate(tmp_path_factory: pytest.TempPathFactory) -> Simulate:
    """Simulate a scan once for each set of parameters; not to be changed."""
    made: dict[str, tuple[Path, Path]] = {}

    def once(**changes: Any) -> tuple[Path, Path]:
        wanted = {
            "columns": COLUMNS, "rows": ROWS, "angles": ANGLES, "flats": 4, "darks": 3,
            "centre_shift": CENTRE - (COLUMNS - 1) / 2, **changes,
        }  # fmt: skip
        key = json.dumps(wanted)
        if key not in made:
            pipeline = registry.load("tomography")
            assert pipeline.simulator is not None
            model = parameters.build(pipeline.simulator.parameters, wanted)
            made[key] = simulated(pipeline, model, tmp_path_factory.mktemp("scan") / "scan.nxs")
        return made[key]

    return once


@pytest.fixture
def reconstruct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reconstruct:
    """Run the pipeline silently in a folder of its own; figures, which have tests of their own, are empty."""
    monkeypatch.setattr(Drawing, "savefig", lambda self, file, **_: Path(file).write_bytes(PIXEL))
    numbers = itertools.count()

    def run(scan: Path, **named: Any) -> Run:
        return pancommons.run("tomography", scan, out=tmp_path / f"run-{next(numbers)}", listeners=(), **named)

    return run


def volume(run: Run | Path) -> NDArray[Any]:
    with h5py.File((run if isinstance(run, Path) else run.path) / "result.nxs", "r", locking=False) as file:
        data: NDArray[Any] = file["entry/data/data"][()]
        return data


def restored(source: Path, target: Path, chunks: tuple[int, ...] | None, **changes: Any) -> Path:
    """Copy a scan with its frames stored otherwise."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        frames = file[DATA][()]
        attributes = dict(file[DATA].attrs)
        del file["entry/data/data"], file[DATA]
        filters = dict(hdf5plugin.Bitshuffle()) if chunks else {}
        made = file.create_dataset(DATA, data=frames, chunks=chunks, **filters)
        made.attrs.update(attributes)
        file["entry/data/data"] = made
        for name, value in changes.items():
            file[name][...] = value
    return target


def by_hand(path: Path, centre: float = CENTRE, **options: Any) -> NDArray[np.float32]:
    """Reconstruct with the functions a scientist would call, all in memory."""
    scan = opening.open_scan(path)
    flats = np.average([averaged(frames) for frames in scan.read_flats()], axis=0).astype(np.float32)
    field = flat_field([flats], averaged(scan.read_darks()[0]))
    sinograms, _ = attenuation(scan.read_frames(), field)
    geometry = FourierReconstruction(scan.angles, scan.columns, centre=centre, **{"mask": 1.0, **options})
    assert scan.pixel_size is not None
    slices = np.concatenate([geometry(sinograms[start : start + BATCH]) for start in range(0, scan.rows, BATCH)])
    return slices * np.float32(1 / (100 * scan.pixel_size))


def test_by_hand_gives_the_same_bits(simulate: Simulate, reconstruct: Reconstruct) -> None:
    raw, _ = simulate()
    np.testing.assert_array_equal(volume(reconstruct(raw, centre=CENTRE)), by_hand(raw))


@pytest.mark.parametrize("filter_", ["shepp", "parzen", "butterworth"])
def test_filters_mask_and_region_reach_the_kernel(simulate: Simulate, reconstruct: Reconstruct, filter_: str) -> None:
    raw, _ = simulate()
    run = reconstruct(raw, centre=CENTRE, filter=filter_, mask=0.6, region="3:40,5:17")
    np.testing.assert_array_equal(volume(run), by_hand(raw, filter=filter_, mask=0.6, region=(5, 17, 3, 40)))


def test_frames_chunked_or_contiguous_give_the_same_bits(
    simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path
) -> None:
    raw, _ = simulate()
    chunked = reconstruct(raw)
    contiguous = reconstruct(restored(raw, tmp_path / "contiguous.nxs", None))
    assert chunked.found["centre"] == contiguous.found["centre"] == pytest.approx(CENTRE, abs=0.1)
    np.testing.assert_array_equal(volume(chunked), volume(contiguous))
    assert list((chunked.path / "parts" / "frames").iterdir()) == []
    assert not (contiguous.path / "parts" / "frames").exists()


@pytest.mark.parametrize(
    "chunks", [(7, 5, COLUMNS), (7, 5, 11), (ANGLES + 11, 1, COLUMNS), (3, BATCH, COLUMNS), (64, 21, 48)]
)
def test_uneven_chunks_give_the_same_bits(
    simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path, chunks: tuple[int, int, int]
) -> None:
    raw, _ = simulate()
    run = reconstruct(restored(raw, tmp_path / "uneven.nxs", chunks), centre=CENTRE)
    np.testing.assert_array_equal(volume(run), by_hand(raw))


@pytest.mark.parametrize(
    "options",
    [
        {"on": "processes", "workers": 2},
        {"on": "dask", "workers": 2},
        {"workers": 1},
        {"workers": 7},
        {"memory": "60M"},
        {"memory": "20G", "workers": 3},
    ],
    ids=str,
)
def test_executor_workers_and_memory_do_not_change_a_bit(
    simulate: Simulate, reconstruct: Reconstruct, options: dict[str, Any]
) -> None:
    raw, _ = simulate()
    auto = reconstruct(raw, **options)
    reference = by_hand(raw, centre=auto.found["centre"])
    np.testing.assert_array_equal(volume(auto), reference)


def test_small_units_of_frames_do_not_change_a_bit(
    simulate: Simulate, reconstruct: Reconstruct, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pancommons.techniques.tomography.run import planning

    monkeypatch.setattr(planning, "_FRAMES_BYTES", 13 * ROWS * COLUMNS * 2)
    monkeypatch.setattr(slices, "_BLOCK", 3000)
    raw, _ = simulate()
    run = reconstruct(raw, centre=CENTRE)
    status = json.loads((run.path / "run.json").read_text())
    assert len(status["plan"]["frames"]) == 5
    np.testing.assert_allclose(volume(run), by_hand(raw), atol=1e-5 * float(volume(run).max()))


def test_rows_are_those_of_the_whole(simulate: Simulate, reconstruct: Reconstruct) -> None:
    raw, _ = simulate()
    whole, some = by_hand(raw), reconstruct(raw, centre=CENTRE, rows="4:7")
    np.testing.assert_allclose(volume(some), whole[4:7], atol=1e-5 * float(whole.max()))
    with some.open() as file:
        np.testing.assert_allclose(file["entry/data/z"][()], np.arange(4, 7) * 1.625)
    assert volume(reconstruct(raw, centre=CENTRE, rows=":2")).shape == (2, COLUMNS, COLUMNS)
    assert volume(reconstruct(raw, centre=CENTRE, rows=f"{ROWS - 1}:")).shape == (1, COLUMNS, COLUMNS)


def test_mask(simulate: Simulate, reconstruct: Reconstruct) -> None:
    raw, _ = simulate()
    y, x = np.mgrid[:COLUMNS, :COLUMNS] - (COLUMNS - 1) / 2
    radius = np.hypot(y, x)
    masked = volume(reconstruct(raw, centre=CENTRE, rows="0:1", mask=0.5))[0]
    bare = volume(reconstruct(raw, centre=CENTRE, rows="0:1", mask=0))[0]
    assert (masked[radius > 0.5 * COLUMNS / 2 + 1] == 0).all() and (bare[radius > COLUMNS / 2] != 0).any()
    inner = radius < 0.5 * COLUMNS / 2 - 1
    np.testing.assert_array_equal(masked[inner], bare[inner])


@pytest.mark.parametrize("turn", [{}, {"turn": "360", "angles": 241}])
def test_against_the_truth(simulate: Simulate, reconstruct: Reconstruct, turn: dict[str, Any]) -> None:
    wanted = {"columns": 128, "rows": 6, "angles": 201, "phantom": "disc", "centre_shift": 3.25, **turn}
    raw, truth = simulate(**wanted)
    run = reconstruct(raw, truth=truth)
    assert run.merits["scale"] == pytest.approx(1, abs=0.01)
    assert run.merits["psnr"] is not None and run.merits["psnr"] > 23
    assert run.found["centre"] == pytest.approx(63.5 + 3.25, abs=0.1)
    raw, truth = simulate(**{**wanted, "phantom": "grains", "noise": False})
    run = reconstruct(raw, truth=truth)
    assert run.merits["psnr"] is not None and run.merits["psnr"] > 31
    assert run.merits["scale"] == pytest.approx(1, abs=0.02)


def test_interpolated_flats_follow_a_drift(simulate: Simulate, reconstruct: Reconstruct) -> None:
    raw, truth = simulate(columns=96, rows=2, angles=151, phantom="disc", drift=0.4, noise=False, centre_shift=2.0)
    scores = {}
    for references in ("mean", "median", "interpolated"):
        run = reconstruct(raw, truth=truth, references=references, centre=49.5)
        scores[references] = run.merits["psnr"] or 0
    assert scores["interpolated"] > scores["mean"] + 2
    assert scores["median"] == pytest.approx(scores["mean"], abs=0.5)


def test_integers_with_limits(simulate: Simulate, reconstruct: Reconstruct) -> None:
    raw, _ = simulate()
    real = by_hand(raw)
    low, high = float(np.percentile(real, 5)), float(np.percentile(real, 95))
    run = reconstruct(raw, centre=CENTRE, type="uint16", limits=f"{low!r}:{high!r}")
    stored = volume(run)
    assert stored.dtype == np.uint16
    expected = np.clip(np.rint((real - np.float32(low)) * np.float32(65535 / (high - low))), 0, 65535)
    np.testing.assert_array_equal(stored, expected)
    outside = float(((real < np.float32(low)) | (real > np.float32(high))).mean())
    assert run.merits["clipped"] == pytest.approx(outside, abs=1e-6)
    with run.open() as file:
        data = file["entry/data/data"]
        back = data.attrs["offset"] + data.attrs["scaling"] * stored.astype(np.float64)
    within = (real > low) & (real < high)
    assert np.abs(back - real)[within].max() <= 0.51 * (high - low) / 65535 + 1e-4


def test_integers_find_limits_that_clip_next_to_nothing(simulate: Simulate, reconstruct: Reconstruct) -> None:
    raw, _ = simulate()
    run = reconstruct(raw, centre=CENTRE, preset="small")
    assert volume(run).dtype == np.uint16
    low, high = run.found["limits"]
    assert low < high and run.merits["clipped"] is not None and run.merits["clipped"] < 1e-3
    assert volume(run).max() > 30000


def test_tiff_stack_equals_the_volume(simulate: Simulate, reconstruct: Reconstruct) -> None:
    import tifffile

    raw, _ = simulate()
    for type_ in ("float32", "uint16"):
        run = reconstruct(raw, centre=CENTRE, type=type_, tiff=True)
        files = sorted((run.path / "tiff").iterdir())
        assert [file.name for file in files] == [f"slice_{row:05d}.tif" for row in range(ROWS)]
        np.testing.assert_array_equal(np.stack([tifffile.imread(file) for file in files]), volume(run))


@pytest.mark.parametrize(
    ("text", "centres"),
    [
        ("24:26:0.5", [24, 24.5, 25, 25.5, 26]),
        ("24,26,24", [24, 26]),
        ("25.25", [25.25]),
        ("5:24", [float(value) for value in range(5, 25)]),
    ],
)
def test_tried_centres(simulate: Simulate, reconstruct: Reconstruct, text: str, centres: list[float]) -> None:
    raw, truth = simulate()
    run = reconstruct(raw, try_centres=text, truth=truth)
    slices = volume(run)
    assert slices.shape == (len(centres), COLUMNS, COLUMNS)
    with run.open() as file:
        assert file["entry/data/centre"][()].tolist() == centres
    middle = volume(reconstruct(raw, centre=centres[-1], rows="10:11"))[0]
    np.testing.assert_allclose(slices[-1], middle, atol=1e-5 * float(middle.max()))
    assert (run.path / "figures" / "centres.png").exists() and run.merits["centre"] is None
    assert "centre" not in run.found


def test_preview_is_a_few_slices_and_says_so(simulate: Simulate, reconstruct: Reconstruct) -> None:
    raw, truth = simulate()
    run = reconstruct(raw, preview=True, truth=truth, tiff=True)
    assert volume(run).shape == (4, COLUMNS, COLUMNS) and run.report["preview"]
    assert not (run.path / "tiff").exists()
    assert volume(reconstruct(raw, preview=True, rows="3:4")).shape[0] == 1


def test_data_exchange_gives_the_same_bits(simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path) -> None:
    raw, _ = simulate(drift=0.0)
    with h5py.File(raw) as file:
        frames, keys, angles = file[DATA][()], file[KEYS][()], file["entry/sample/rotation_angle"][()]
    with h5py.File(tmp_path / "exchange.h5", "w") as file:
        file["exchange/data"] = frames[keys == 0]
        file["exchange/data_white"] = frames[keys == 1]
        file["exchange/data_dark"] = frames[keys == 2]
        file["exchange/theta"] = angles[keys == 0]
        file["exchange/theta"].attrs["units"] = "degrees"
    ours = volume(reconstruct(tmp_path / "exchange.h5", centre=CENTRE, pixel_size="1.625 um"))
    np.testing.assert_allclose(ours, by_hand(raw), rtol=1e-4, atol=1e-4 * float(ours.max()))
    bare = reconstruct(tmp_path / "exchange.h5", centre=CENTRE)
    assert any("1/pixel" in text for text in bare.warnings)
    with bare.open() as file:
        assert file["entry/data/data"].attrs["units"] == "1/pixel"
    np.testing.assert_allclose(volume(bare) * (1e4 / 1.625), ours, rtol=1e-5, atol=1e-5 * float(ours.max()))


def test_flats_and_darks_through_roles(simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path) -> None:
    import tifffile

    raw, _ = simulate()
    with h5py.File(raw) as file:
        frames, keys = file[DATA][()], file[KEYS][()]
    bare = restored(raw, tmp_path / "bare.nxs", (1, ROWS, COLUMNS), **{KEYS: np.where(keys == 0, 0, 3)})
    with h5py.File(tmp_path / "flats.h5", "w") as file:
        file["any/where"] = frames[keys == 1]
    tifffile.imwrite(tmp_path / "darks.tif", frames[keys == 2], photometric="minisblack")
    run = reconstruct(bare, flats=tmp_path / "flats.h5", darks=tmp_path / "darks.tif", centre=CENTRE)
    np.testing.assert_array_equal(volume(run), by_hand(raw))
    record = json.loads((run.path / "run.json").read_text())
    assert all(record["inputs"][role][0]["sha256"] for role in ("scan", "flats", "darks"))


def test_result_is_a_good_nexus_file(simulate: Simulate, reconstruct: Reconstruct) -> None:
    from pancommons.nexus import plot

    raw, _ = simulate()
    run = reconstruct(raw, centre=CENTRE, rows="2:9", region="4:40,10:30")
    with run.open() as file:
        entry = file[file.attrs["default"]]
        data = entry[entry.attrs["default"]]
        assert entry.attrs["NX_class"] == "NXentry" and data.attrs["NX_class"] == "NXdata"
        assert entry["definition"][()].decode() == "NXtomoproc"
        signal = data[data.attrs["signal"]]
        assert [len(data[name]) for name in data.attrs["axes"]] == list(signal.shape) == [7, 20, 36]
        assert signal.attrs["units"] == "1/cm" and "attenuation" in signal.attrs["long_name"]
        assert signal.is_virtual and np.isfinite(signal[()]).all()
        x = data["x"][()]
        assert x[0] == pytest.approx((4 - 23.5) * 1.625) and x[1] - x[0] == pytest.approx(1.625)
        process = entry["reconstruction"]
        assert process.attrs["NX_class"] == "NXprocess" and "program" in process and "date" in process
        assert process["parameters/centre"][()] == CENTRE
    assert plot is not None


def test_damaged_frames_leave_the_rest_usable(
    simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pancommons.techniques.tomography.run import planning

    monkeypatch.setattr(planning, "_FRAMES_BYTES", 12 * ROWS * COLUMNS * 2)
    raw, truth = simulate()
    damaged = restored(raw, tmp_path / "damaged.nxs", (1, ROWS, COLUMNS))
    with h5py.File(damaged) as file:
        projections = np.flatnonzero(file[KEYS][()] == 0)
        chunk = file[DATA].id.get_chunk_info_by_coord((int(projections[30]), 0, 0))
    with damaged.open("r+b") as handle:
        handle.seek(chunk.byte_offset + 12)
        handle.write(b"\xff" * (chunk.size - 12))
    run = reconstruct(damaged, truth=truth, centre=CENTRE)
    assert run.state == "partial"
    (failed,) = run.report["failed"]
    assert "unit 2" in failed and "start 24, stop 36" in failed and "damaged.nxs" in failed
    whole, ours = by_hand(raw), volume(run)
    assert np.isfinite(ours).all()
    assert np.corrcoef(whole.ravel(), ours.ravel())[0, 1] > 0.8
    assert "partial" in run._repr_html_() and (run.path / "report.html").exists()
    done = subprocess.run(
        [sys.executable, "-m", "pancommons", "resume", str(run.path)], capture_output=True, check=False
    )
    assert done.returncode == 3


def test_damaged_rows_read_as_gaps(simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path) -> None:
    """A chunk of rows that cannot be read costs its unit only, not the run nor its report."""
    raw, truth = simulate(rows=96)
    damaged = restored(raw, tmp_path / "damaged.nxs", (ANGLES + 11, BATCH, COLUMNS))
    with h5py.File(damaged) as file:
        chunk = file[DATA].id.get_chunk_info_by_coord((0, 3 * BATCH, 0))
    with damaged.open("r+b") as handle:
        handle.seek(chunk.byte_offset + 12)
        handle.write(b"\xff" * (chunk.size - 12))
    with pytest.raises(PanError, match=r"damaged\.nxs"):
        reconstruct(damaged, truth=truth, centre=CENTRE)


def test_a_failed_unit_of_slices_is_a_gap_in_result_and_report(
    simulate: Simulate, reconstruct: Reconstruct, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = slices.process

    def fails(job: Any, unit: Any) -> Any:
        if unit.index == 1:
            raise ValueError("planned accident")
        return real(job, unit)

    raw, truth = simulate(rows=40)
    monkeypatch.setattr(slices, "process", fails)
    for type_ in ("float32", "uint16"):
        run = reconstruct(raw, truth=truth, centre=CENTRE, type=type_)
        assert run.state == "partial" and "planned accident" in run.report["failed"][0]
        missing = volume(run)[BATCH : 2 * BATCH]
        assert np.isnan(missing).all() if type_ == "float32" else (missing == 0).all()
        assert np.isfinite(volume(run)[:BATCH]).all()
        json.loads((run.path / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    monkeypatch.undo()
    again = pancommons.resume(run.path, listeners=())
    assert again.state == "done"
    np.testing.assert_array_equal(volume(again), volume(reconstruct(raw, centre=CENTRE, type="uint16", limits=(
        f"{again.found['limits'][0]!r}:{again.found['limits'][1]!r}"))))  # fmt: skip


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """Make every unit of the pipeline, in any process, take a moment; give the environment and the folder."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import os, threading\n"
        "if os.environ.get('SLOW_UNITS'):\n"
        "    import time\n"
        "    from pancommons.pipelines import work\n"
        "    real = work.write_part\n"
        "    def write_part(file, arrays):\n"
        "        time.sleep(float(os.environ['SLOW_UNITS']))\n"
        "        real(file, arrays)\n"
        "    work.write_part = write_part\n"
    )
    yield {**os.environ, "PYTHONPATH": str(hook), "SLOW_UNITS": "0.25"}, tmp_path


HALF = {"turn": "360", "field_of_view": "half", "angles": 120}
WHOLE_FRAMES = {"phase": "paganin", "delta_beta": 20.0, "zingers": 0.5, "air": "0:4", "tilt": 0.3}


@pytest.mark.parametrize(
    ("on", "parts", "scan", "settings"),
    [
        ("processes", 1, {}, {}),
        ("processes", 4, {}, {}),
        ("threads", 3, {}, {}),
        ("processes", 1, {}, WHOLE_FRAMES),
        ("threads", 3, {}, {"rings": "all", "method": "cgls", "iterations": 5}),
        ("processes", 2, HALF, {"rings": "fourier-wavelet", "method": "tv", "iterations": 5, "tv_weight": 0.01}),
        ("threads", 2, HALF, {"rings": "sorting", **WHOLE_FRAMES}),
    ],
)
def test_killed_and_resumed_gives_the_same_bits(
    simulate: Simulate,
    reconstruct: Reconstruct,
    slow: tuple[dict[str, str], Path],
    on: str,
    parts: int,
    scan: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    environment, folder = slow
    raw, _ = simulate(rows=70, **scan)
    shutil.copy(raw, folder / "scan.nxs")
    command = [sys.executable, "-m", "pancommons", "run", "tomography", "scan.nxs", "--out", "r", "--workers", "2"]
    for name, value in settings.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    process = subprocess.Popen(
        [*command, "--on", on], cwd=folder, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    index = folder / "r" / "parts" / "index.jsonl"
    end = time.monotonic() + 60
    while not index.exists() or len(index.read_text().splitlines()) < parts:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "r" / "result.nxs").exists()
    again = pancommons.resume(folder / "r", listeners=())
    np.testing.assert_array_equal(volume(again), volume(reconstruct(raw, **settings)))


def test_everything_read_is_in_the_provenance(simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path) -> None:
    raw, truth = simulate()
    linked = tmp_path / "linked.nxs"
    shutil.copy(raw, tmp_path / "frames.nxs")
    shutil.copy(raw, linked)
    with h5py.File(linked, "r+") as file:
        del file["entry/data/data"], file[DATA]
        file[DATA] = h5py.ExternalLink("frames.nxs", f"/{DATA}")
        file["entry/data/data"] = h5py.SoftLink(f"/{DATA}")
    run = reconstruct(linked, truth=truth, centre=CENTRE)
    np.testing.assert_array_equal(volume(run), by_hand(raw))
    record = json.loads((run.path / "run.json").read_text())
    (frames,) = record["files"]
    expected = subprocess.run(["sha256sum", tmp_path / "frames.nxs"], capture_output=True, text=True, check=True)
    assert frames["path"] == str(tmp_path / "frames.nxs") and frames["sha256"] == expected.stdout.split()[0]


def test_dead_pixels_are_mended_and_all_dead_is_refused(
    simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path
) -> None:
    raw, _ = simulate()
    with h5py.File(raw) as file:
        frames, keys = file[DATA][()], file[KEYS][()]
    spotted = restored(raw, tmp_path / "spotted.nxs", None)
    flats = frames.copy()
    flats[keys == 1, 5, 20] = 0
    with h5py.File(spotted, "r+") as file:
        file[DATA][...] = flats
    run = reconstruct(spotted, centre=CENTRE)
    assert any("1 pixels" in text and "neighbours" in text for text in run.warnings)
    assert np.isfinite(volume(run)).all()
    whole = by_hand(raw)
    assert np.abs(volume(run)[5] - whole[5]).max() < 0.5 * whole[5].max()
    for wrong in (0, 90):
        flats[keys == 1] = wrong
        with h5py.File(spotted, "r+") as file:
            file[DATA][...] = flats
        with pytest.raises(BadInput, match=r"spotted\.nxs.*detector/data: the flat fields are not above the dark"):
            pancommons.run("tomography", spotted, out=tmp_path / "refused", listeners=())
        assert not (tmp_path / "refused").exists()


def test_a_scan_of_nothing_ends_with_a_warning_or_a_sentence(
    simulate: Simulate, reconstruct: Reconstruct, tmp_path: Path
) -> None:
    raw, _ = simulate()
    with h5py.File(raw) as file:
        frames, keys = file[DATA][()], file[KEYS][()]
    frames[keys == 0] = frames[keys == 1][0]
    empty = restored(raw, tmp_path / "empty.nxs", None)
    for change in (frames, np.where((keys == 2)[:, None, None], 100, 5000)):
        with h5py.File(empty, "r+") as file:
            file[DATA][...] = change
        try:
            run = reconstruct(empty)
        except PanError:
            continue
        assert np.isfinite(volume(run)).all()
        assert any("unsure" in text for text in run.warnings), run.warnings


def test_the_tooth(shared_data: Callable[[str], Path], reconstruct: Reconstruct) -> None:
    run = reconstruct(shared_data("tomography/tooth.h5"))
    assert run.found["centre"] == pytest.approx(296.0, abs=0.5)
    confidence = run.merits["centre_confidence"]
    assert confidence is not None and confidence > 0.5
    slices = volume(run)
    assert np.isfinite(slices).all()
    inner = slices[0][200:440, 200:440]
    enamel, dentine = np.percentile(inner, [99, 50])
    assert enamel > 1.5 * dentine > 0


def test_planned_resources_are_of_the_right_size(simulate: Simulate) -> None:
    raw, _ = simulate()
    prepared = creation.examine(creation.Request("tomography", {"scan": [raw]}))
    assert prepared.estimate.disk > 4 * ROWS * COLUMNS * COLUMNS
    assert all(unit.output > 0 and unit.memory > 0 for units in prepared.record.plan.values() for unit in units)
    assert sum(unit.size for unit in prepared.record.plan["frames"]) == ANGLES
    assert sum(unit.size for unit in prepared.record.plan["slices"]) == ROWS
