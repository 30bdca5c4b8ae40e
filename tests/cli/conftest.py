"""The command within this process, which is fast, and small simulated scans to run it on."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pancommons.cli import main
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.simulating import simulate

SMALL = {"columns": 32, "rows": 6, "angles": 31, "flats": 4, "darks": 4, "centre_shift": 1.5, "phantom": "disc"}


@dataclass(frozen=True)
class Said:
    """What the command said, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder that is the current one."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def pan(here: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Give the command; no traceback ever leaves it."""

    def call(*arguments: str | Path) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        logging.disable(logging.NOTSET)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        code = ended.value.code
        assert isinstance(code, int) or code is None
        return Said(code or 0, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small simulated scan, with its truth beside it; not to be changed."""
    pipeline = registry.load("tomography")
    assert pipeline.simulator is not None
    model = parameters.build(pipeline.simulator.parameters, SMALL)
    raw, _ = simulate(pipeline, model, tmp_path_factory.mktemp("simulated") / "scan.nxs")
    return raw


@pytest.fixture
def scan(simulated: Path, here: Path) -> Path:
    """Give a copy of the small scan, ``scan.nxs`` in the current folder."""
    shutil.copy(simulated.with_name("scan-truth.nxs"), here)
    return Path(shutil.copy(simulated, here))
