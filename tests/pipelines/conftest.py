"""Running the third party's technique of ``tests/plugin`` as its users would, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

PLUGIN = Path(__file__).parents[1] / "plugin"


class Pan:
    """The command, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(PLUGIN), "COLUMNS": "100"}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in a process group of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "pancommons", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run the command, expect its exit code, and return what it printed."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out + err

    def squares(self, run: str) -> np.ndarray:
        """Return the result of a run."""
        with h5py.File(self.folder / run / "result.nxs") as file:
            squares: np.ndarray = file["entry/data/squares"][()]
            return squares


@pytest.fixture
def pan(tmp_path: Path) -> Iterator[Pan]:
    """Give the command in a folder that holds ``vector.npy`` with the values 0 to 63."""
    command = Pan(tmp_path)
    np.save(tmp_path / "vector.npy", np.arange(64.0))
    yield command
    for process in command.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition, at most half a minute."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    return wait


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """List the processes that a command has started."""
    return psutil.Process(process.pid).children(recursive=True)
