"""On a terminal: bars, and Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.environ.update(environment, TERM="xterm", COLUMNS="110", LINES="40")
            os.execv(sys.executable, [sys.executable, "-m", "pancommons", *arguments])
        self.text = ""

    def read(self, until: str = "", seconds: float = 60) -> str:
        """Read until some words appear, or to the end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until in self.text):
            if select.select([self._file], [], [], 0.2)[0]:
                try:
                    data = os.read(self._file, 1 << 16)
                except OSError:
                    break
                if not data:
                    break
                self.text += data.decode(errors="replace")
        assert until in self.text, self.text
        return self.text

    def press(self, key: bytes) -> None:
        os.write(self._file, key)

    def end(self) -> int:
        """Read the rest and return the exit code."""
        self.read()
        _, status = os.waitpid(self.pid, 0)
        os.close(self._file)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def strips(here: Path) -> dict[str, str]:
    """Give the third party's technique, whose units take as long as one says, and a vector for it."""
    import numpy as np

    np.save(here / "vector.npy", np.arange(64.0))
    return {"PYTHONPATH": str(Path(__file__).parents[1] / "plugin")}


def test_bars(here: Path, strips: dict[str, str]) -> None:
    terminal = Terminal("run", "strips", "vector.npy", "--out", "r", "--pause", "0.1", "--workers", "2", **strips)
    assert terminal.end() == 0
    for word in ("━", "Scaling", "Squaring", "64/64", "values/s", "Result:  r/result.nxs"):
        assert word in terminal.text, terminal.text
    assert terminal.text.count("\x1b[?25h") >= terminal.text.count("\x1b[?25l") > 0


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(here: Path, strips: dict[str, str]) -> None:
    terminal = Terminal("run", "strips", "vector.npy", "--out", "r", "--pause", "0.3", "--workers", "1", **strips)
    terminal.read("Scaling")
    time.sleep(0.5)
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert "Stopping after the units in hand" in terminal.text
    assert "pan resume" in terminal.text and "Traceback" not in terminal.text
    assert Terminal("resume", "r", **strips).end() == 0


def test_second_ctrl_c_ends_at_once_and_gives_the_cursor_back(here: Path, strips: dict[str, str]) -> None:
    terminal = Terminal("run", "strips", "vector.npy", "--out", "r", "--pause", "30", "--workers", "1", **strips)
    terminal.read("Scaling")
    time.sleep(0.5)
    terminal.press(b"\x03")
    terminal.read("Stopping after")
    began = time.monotonic()
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert time.monotonic() - began < 10
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
    again = Terminal("status", "r", **strips)
    assert again.end() == 0 and "interrupted" in again.text


def test_ctrl_c_while_a_batch_runs_stops_all_of_it(here: Path, strips: dict[str, str]) -> None:
    for name in ("a.npy", "b.npy"):
        (here / name).write_bytes((here / "vector.npy").read_bytes())
    terminal = Terminal("run", "strips", "a.npy", "b.npy", "--out", "all", "--pause", "0.3", **strips)
    terminal.read("Scaling")
    time.sleep(0.3)
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert [path.name for path in (here / "all").iterdir()] == ["a"]


def test_a_hang_up_is_no_loss(here: Path, strips: dict[str, str]) -> None:
    terminal = Terminal("run", "strips", "vector.npy", "--out", "r", "--pause", "0.3", "--workers", "1", **strips)
    terminal.read("Scaling")
    time.sleep(0.5)
    with contextlib.suppress(ProcessLookupError):
        os.kill(terminal.pid, signal.SIGHUP)
    terminal.end()
    assert Terminal("resume", "r", **strips).end() == 0
