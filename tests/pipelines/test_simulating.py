"""An interrupted simulation leaves nothing behind, be it a file or a folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pancommons.pipelines import simulating
from pancommons.pipelines.declaration import Parameters, Simulator
from tests.pipelines import toy


def write_half(parameters: Parameters, raw: Path, truth: Path, progress: Callable[[float], None]) -> None:
    """Write some files of a folder and a part of the truth; then the machine is shut down."""
    (raw / "images").mkdir(parents=True)
    (raw / "images" / "1.tif").write_bytes(b"II")
    truth.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGTERM if raw.name.startswith(".term") else signal.SIGINT)


@pytest.mark.parametrize("name", ["term", "int"])
def test_nothing_is_left(tmp_path: Path, name: str) -> None:
    simulator = Simulator(Parameters, f"{__name__}:write_half", "run")
    pipeline = replace(toy.PIPELINE, simulator=simulator)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        simulating.simulate(pipeline, Parameters(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before
