"""The promises of a run: resumed after any accident with the same result, one runner, culprits known."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pancommons.pipelines.folder import RunFolder
from tests.pipelines.conftest import Pan, descendants

EXPECTED = (np.arange(64.0) + 1) ** 2
Wait = Callable[[Callable[[], bool]], None]


def parts_done(pan: Pan, run: str) -> int:
    index = pan.folder / run / "parts" / "index.jsonl"
    return len(index.read_text().splitlines()) if index.exists() else 0


@pytest.mark.parametrize("on", ["threads", "processes", "dask"])
def test_every_executor_gives_the_same_result(pan: Pan, on: str) -> None:
    pan("run", "strips", "vector.npy", "--out", "r", "--on", on)
    np.testing.assert_array_equal(pan.squares("r"), EXPECTED)


@pytest.mark.parametrize("on", ["processes", "dask"])
def test_unit_that_kills_its_worker_is_isolated(pan: Pan, on: str) -> None:
    said = pan("run", "strips", "vector.npy", "--out", "r", "--on", on, "--kill", "3", code=3)
    assert "unit 3" in said and "kills its worker" in said
    expected = EXPECTED.copy()
    expected[24:32] = np.nan
    np.testing.assert_array_equal(pan.squares("r"), expected)
    facts = json.loads((pan.folder / "r" / "report.json").read_text())
    assert facts["state"] == "partial" and len(facts["failed"]) == 2


def test_unit_that_raises_leaves_the_others(pan: Pan) -> None:
    said = pan("run", "strips", "vector.npy", "--out", "r", "--bad", "0", code=3)
    assert "planned accident" in said and "pan resume" in said
    assert np.isnan(pan.squares("r")[:8]).all()
    np.testing.assert_array_equal(pan.squares("r")[8:], EXPECTED[8:])


def test_all_units_failing_is_a_failure(pan: Pan) -> None:
    np.save(pan.folder / "short.npy", np.arange(8.0))
    said = pan("run", "strips", "short.npy", "--out", "r", "--bad", "0", code=1)
    assert "every unit failed" in said
    assert "failed" in pan("status", "r")


@pytest.mark.parametrize(
    ("victim", "on"),
    [
        ("parent", "processes"),
        ("worker", "processes"),
        ("group", "processes"),
        ("parent", "threads"),
        ("group", "threads"),
    ],
)
def test_killed_at_any_moment_resumes_to_the_same(pan: Pan, wait_until: Wait, victim: str, on: str) -> None:
    seconds = random.Random(f"{victim}{on}").uniform(0.2, 1.2)
    process = pan.start("run", "strips", "vector.npy", "--out", "r", "--on", on, "--pause", "0.1")
    wait_until(lambda: (pan.folder / "r" / "lock").exists())
    time.sleep(seconds)
    family = descendants(process)
    if victim == "worker":
        workers = [child for child in family if "spawn_main" in " ".join(child.cmdline())]
        if workers:
            workers[0].kill()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    else:
        kill = os.kill if victim == "parent" else os.killpg
        kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(child.is_running() and child.status() != "zombie" for child in family))
        pan("resume", "r", "--on", on)
    np.testing.assert_array_equal(pan.squares("r"), EXPECTED)


def test_finished_parts_are_not_done_again(pan: Pan, wait_until: Wait) -> None:
    process = pan.start("run", "strips", "vector.npy", "--out", "r", "--pause", "0.15")
    wait_until(lambda: parts_done(pan, "r") >= 4)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {file: file.stat().st_mtime_ns for file in (pan.folder / "r" / "parts" / "scale").glob("*.h5")}
    done = RunFolder(pan.folder / "r").whole_parts("scale")
    assert "interrupted" in pan("status", "r")
    pan("run", "strips", "vector.npy", "--out", "other")
    said = pan("resume", "r")
    assert f"{8 * len(done)} already done" in said
    assert before


def test_damaged_part_is_made_again(pan: Pan, wait_until: Wait) -> None:
    process = pan.start("run", "strips", "vector.npy", "--out", "r", "--pause", "0.15")
    wait_until(lambda: parts_done(pan, "r") >= 10)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    part = sorted((pan.folder / "r" / "parts" / "square").glob("*.h5"))[0]
    damaged = bytearray(part.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    part.write_bytes(bytes(damaged))
    pan("resume", "r")
    np.testing.assert_array_equal(pan.squares("r"), EXPECTED)


def test_second_runner_is_refused_and_told_who_runs(pan: Pan, wait_until: Wait) -> None:
    process = pan.start("run", "strips", "vector.npy", "--out", "r", "--pause", "0.3")
    wait_until(lambda: (pan.folder / "r" / "parts").exists())
    said = pan("resume", "r", code=1)
    assert "has a runner already" in said and str(process.pid) in said
    status = json.loads(pan("status", "r", "--json"))
    assert status["state"] == "running" and str(process.pid) in status["runner"]
    os.killpg(process.pid, signal.SIGKILL)


def test_stop_and_ctrl_c_end_cleanly_and_resume(pan: Pan, wait_until: Wait) -> None:
    process = pan.start("run", "strips", "vector.npy", "--out", "r", "--pause", "0.2")
    wait_until(lambda: parts_done(pan, "r") >= 2)
    pan("stop", "r")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "pan resume" in err
    assert "stopped" in pan("status", "r")
    process = pan.start("resume", "r", "--on", "processes")
    wait_until(lambda: not (pan.folder / "r" / "stop").exists() and parts_done(pan, "r") >= 10)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "pan resume" in err
    pan("resume", "r")
    np.testing.assert_array_equal(pan.squares("r"), EXPECTED)
    assert "nothing is left to do" in pan("resume", "r")


def test_intermediate_parts_are_removed_at_the_end(pan: Pan) -> None:
    pan("run", "strips", "vector.npy", "--out", "r")
    assert list((pan.folder / "r" / "parts" / "scale").iterdir()) == []
    assert len(list((pan.folder / "r" / "parts" / "square").iterdir())) == 8


def test_changed_input_is_refused_on_resume(pan: Pan, wait_until: Wait) -> None:
    process = pan.start("run", "strips", "vector.npy", "--out", "r", "--pause", "0.2")
    wait_until(lambda: parts_done(pan, "r") >= 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    np.save(pan.folder / "vector.npy", np.arange(65.0))
    assert "changed since" in pan("resume", "r", code=2)


def test_input_digest_is_the_files_sha256(pan: Pan) -> None:
    pan("run", "strips", "vector.npy", "--out", "r")
    expected = subprocess.run(
        ["sha256sum", str(pan.folder / "vector.npy")], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert RunFolder(pan.folder / "r").record().inputs["vector"][0].sha256 == expected


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a mounted disk of 8 MB; needs the right to mount."""
    place = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(f"cannot mount: {mounted.stderr.decode()}")
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_disk_is_one_sentence_and_nothing_is_lost(small_disk: Path, pan: Pan) -> None:
    run = small_disk / "r"
    (small_disk / "ballast").write_bytes(b"")
    process = pan.start("run", "strips", "vector.npy", "--out", str(run), "--pause", "0.2", "--workers", "1")
    deadline = time.monotonic() + 30
    while not (run / "parts" / "scale").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with (small_disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "the disk is full" in err and "Traceback" not in err
    (small_disk / "ballast").unlink()
    pan("resume", str(run))
    np.testing.assert_array_equal(pan.squares(str(run)), EXPECTED)


def test_too_little_disk_is_refused_before_the_start(small_disk: Path, pan: Pan) -> None:
    said = pan("run", "strips", "vector.npy", "--out", str(small_disk / "r"), "--fill", "2", code=2)
    assert "of disk" in said and not (small_disk / "r").exists()


def test_read_only_out_is_one_sentence(small_disk: Path, pan: Pan) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    said = pan("run", "strips", "vector.npy", "--out", str(small_disk / "r"), code=2)
    assert "Read-only file system" in said and said.count("\n") <= 2


def test_no_more_threads_than_workers_compute(pan: Pan, wait_until: Wait) -> None:
    process = pan.start("run", "strips", "vector.npy", "--out", "r", "--pause", "0.2", "--workers", "1")
    wait_until(lambda: parts_done(pan, "r") >= 1)
    events = [json.loads(line) for line in (pan.folder / "r" / "events.jsonl").read_text().splitlines()]
    assert [event["workers"] for event in events if event["event"] == "started"] == [1]
    assert psutil.Process(process.pid).is_running()
    assert process.wait(60) == 0
    units = [event for event in map(json.loads, (pan.folder / "r" / "events.jsonl").open()) if event["event"] == "unit"]
    starts = [unit["time"] - unit["seconds"] for unit in units]
    assert all(later >= unit["time"] - 0.05 for unit, later in zip(units, starts[1:], strict=False))


def test_interrupting_python_keeps_what_is_in_hand(pan: Pan, wait_until: Wait) -> None:
    script = "import pancommons; pancommons.run('strips', 'vector.npy', out='r', pause=0.2, listeners=())"
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=pan.folder, env=pan.environment, stderr=subprocess.PIPE, text=True
    )
    pan.started.append(process)
    wait_until(lambda: parts_done(pan, "r") >= 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "RunStopped" in err and "pan resume" in err
    assert "stopped" in pan("status", "r")
    said = pan("resume", "r")
    assert "already done" in said
    np.testing.assert_array_equal(pan.squares("r"), EXPECTED)
