"""Promises of a long reconstruction, in full: bounded memory, frames read once, killed at ten moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import psutil
import pytest

from pancommons.pipelines.folder import RunFolder

pytestmark = pytest.mark.soak


def write_scan(path: Path, rows: int, columns: int, angles: int, turn: float = np.pi) -> Path:
    """Write a large scan quickly: a disc off the axis with photon noise, sixteen rows repeated, a frame to a chunk."""
    random_numbers = np.random.default_rng(1)
    theta = np.arange(angles) * turn / angles
    column = np.arange(columns) - (columns - 1) / 2 - 7.25
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        shape = (angles + 20, rows, columns)
        data = detector.create_dataset("data", shape, np.uint16, chunks=(1, rows, columns), **hdf5plugin.Bitshuffle())
        detector["image_key"] = np.repeat([2, 1, 0], [10, 10, angles])
        detector["x_pixel_size"] = 1.0
        detector["x_pixel_size"].attrs["units"] = "um"
        degrees = np.zeros(angles + 20)
        degrees[20:] = np.rad2deg(theta)
        entry["sample/rotation_angle"] = degrees
        entry["sample/rotation_angle"].attrs["units"] = "degree"
        for index in range(20):
            light = 0 if index < 10 else 20000
            data[index] = _tiled(random_numbers.poisson(light, (16, columns)) + 100, rows)
        for index, angle in enumerate(theta):
            offset = column - 0.4 * columns / 2 * np.cos(angle)
            chord = np.sqrt(np.clip((0.3 * columns / 2) ** 2 - offset**2, 0, None)) / (0.3 * columns / 2)
            light = np.broadcast_to(20000 * np.exp(-1.5 * chord), (16, columns))
            data[20 + index] = _tiled(random_numbers.poisson(light) + 100, rows)
    return path


def _tiled(block: np.ndarray, rows: int) -> np.ndarray:
    return np.tile(block.astype(np.uint16), (-(-rows // 16), 1))[:rows]


def run_watched(*arguments: str) -> tuple[int, float]:
    """Run `pan run tomography` and return the peak of the summed resident memory and the CPU seconds."""
    before = os.times()
    process = subprocess.Popen(
        [sys.executable, "-m", "pancommons", "run", "tomography", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        total = 0
        for member in (watched, *_children(watched)):
            try:
                total += member.memory_info().rss
            except psutil.Error:
                continue
        peak = max(peak, total)
        time.sleep(0.05)
    assert process.returncode == 0, process.stderr.read() if process.stderr else ""
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return peak, spent


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_memory_does_not_grow_with_the_scan(tmp_path: Path, on: str) -> None:
    peaks = {}
    for rows in (256, 1024):
        scan = write_scan(tmp_path / f"{rows}.nxs", rows, 2048, 1500)
        out = tmp_path / f"r{rows}"
        peaks[rows], _ = run_watched(str(scan), "--out", str(out), "--on", on, "--memory", "4G", "--workers", "2")
        _remove(out)
        scan.unlink()
    print(f"peak of summed RSS on {on}: {peaks}")
    assert max(peaks.values()) <= 4 << 30
    assert abs(peaks[1024] - peaks[256]) <= 0.1 * peaks[256]


def test_a_scan_larger_than_the_memory_allowed_runs(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.nxs", 1024, 1024, 900)
    counts = 900 * 1024 * 1024 * 2
    peak, _ = run_watched(str(scan), "--out", str(tmp_path / "r"), "--memory", "1G", "--workers", "2")
    print(f"counts {counts >> 20} MB, peak of RSS {peak >> 20} MB, allowed 1024 MB beside the interpreter")
    assert counts > 1 << 30
    assert peak <= (1 << 30) + (512 << 20)


@pytest.mark.parametrize(
    ("turn", "arguments"),
    [
        (
            2 * np.pi,
            "--phase paganin --delta-beta 100 --distance 50 --energy 20 --rings all --field-of-view half --zarr",
        ),
        (np.pi, "--method tv --iterations 4 --rings fourier-wavelet --rows 480:544"),
    ],
    ids=["wide", "iterative"],
)
def test_every_stage_keeps_within_the_memory_allowed(tmp_path: Path, turn: float, arguments: str) -> None:
    scan = write_scan(tmp_path / "scan.nxs", 1024, 1024, 900, turn)
    out = tmp_path / "r"
    chosen = [*arguments.split(), "--centre", "900" if turn > 4 else "511.5"]
    peak, _ = run_watched(str(scan), "--out", str(out), "--memory", "1500M", "--workers", "2", *chosen)
    print(f"peak of RSS {peak >> 20} MB, allowed 1500 MB beside the interpreter")
    assert 900 * 1024 * 1024 * 2 > 1500e6
    assert peak <= 1500e6 + (512 << 20)
    _remove(out)


def test_each_frame_is_read_once(tmp_path: Path) -> None:
    """Count what the process asks the kernel for, less the intermediate parts it made itself."""
    scan = write_scan(tmp_path / "scan.nxs", 512, 1024, 600)
    script = (
        "import sys, psutil, pancommons\n"
        "pancommons.run('tomography', sys.argv[1], out=sys.argv[2] + '/warm', rows='0:16', listeners=())\n"
        "before = psutil.Process().io_counters().read_chars\n"
        "pancommons.run('tomography', sys.argv[1], out=sys.argv[2] + '/r', listeners=())\n"
        "print(psutil.Process().io_counters().read_chars - before)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, str(scan), str(tmp_path)], capture_output=True, text=True, check=True
    )
    frames = RunFolder(tmp_path / "r").index("frames")
    intermediate = sum(line["bytes"] for line in frames.values())
    read = int(said.stdout.split()[-1])
    print(f"read {read / scan.stat().st_size:.2f} of the input, intermediate {intermediate / scan.stat().st_size:.2f}")
    assert read - 1.3 * intermediate <= 1.5 * scan.stat().st_size


def test_killed_at_ten_moments_gives_the_same_volume(tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "scan.nxs", 160, 512, 400)
    run_watched(str(scan), "--out", str(tmp_path / "whole"))
    expected = volume(tmp_path / "whole")
    moments = random.Random(7)
    for index in range(10):
        victim = ("parent", "worker", "group")[index % 3]
        on = "threads" if index % 3 != 1 and index % 2 else "processes"
        out = tmp_path / f"r{index}"
        process = subprocess.Popen(
            [sys.executable, "-m", "pancommons", "run", "tomography", str(scan), "--out", str(out), "--on", on],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait(lambda out=out: (out / "lock").exists())
        time.sleep(moments.uniform(0.0, 6.0))
        family = _children(psutil.Process(process.pid)) if process.poll() is None else []
        if victim == "worker":
            workers = [child for child in family if "spawn_main" in " ".join(child.cmdline())]
            if workers:
                workers[0].kill()
            assert process.wait(120) == 0
        else:
            if process.poll() is None:
                (os.kill if victim == "parent" else os.killpg)(process.pid, signal.SIGKILL)
            process.wait()
            _wait(lambda family=family: not any(_alive(child) for child in family))
            subprocess.run([sys.executable, "-m", "pancommons", "resume", str(out)], check=True, capture_output=True)
        np.testing.assert_array_equal(volume(out), expected, err_msg=f"{victim} on {on}")
        _remove(out)


def volume(run: Path) -> np.ndarray:
    with h5py.File(run / "result.nxs", "r", locking=False) as file:
        data: np.ndarray = file["entry/data/data"][()]
    assert np.isfinite(data).all()
    return data


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
