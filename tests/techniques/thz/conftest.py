"""Fixtures of the THz tests: simulated runs, and the pipeline, which they register where the installation does not."""

from __future__ import annotations

import itertools
import json
import os
import sys
from base64 import b64decode
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure as Drawing

import pancommons
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.api import Run
from pancommons.pipelines.simulating import simulate as simulated
from pancommons.techniques.thz.pipeline import PIPELINE

PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
SHARED = "thz-telbe/900_0p7THz_SYN_2mmZnTe_31K_13.06.2018_0535_02"
Simulate = Callable[..., tuple[Path, Path]]
Evaluate = Callable[..., Run]


@pytest.fixture(scope="session", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Put an entry point on the path, for this process and its children, where the installed package has none."""
    if any(point.name == "thz" for point in entry_points(group=registry.GROUP)):
        return
    facts = tmp_path_factory.mktemp("plugin") / "thz-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: thz\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[{registry.GROUP}]\nthz = pancommons.techniques.thz.pipeline:PIPELINE\n")
    sys.path.insert(0, str(facts.parent))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(facts.parent), os.environ.get("PYTHONPATH")]))


@pytest.fixture(scope="session")
def simulate(tmp_path_factory: pytest.TempPathFactory) -> Simulate:
    """Simulate a run once for each set of parameters; not to be changed."""
    made: dict[str, tuple[Path, Path]] = {}

    def once(**changes: Any) -> tuple[Path, Path]:
        wanted = {"positions": 4, "pulses": 120, "pixels": 512, "jitter": 0.2, "drift": 0.1, "samples": 16, **changes}
        key = json.dumps(wanted)
        if key not in made:
            assert PIPELINE.simulator is not None
            model = parameters.build(PIPELINE.simulator.parameters, wanted)
            made[key] = simulated(PIPELINE, model, tmp_path_factory.mktemp("run") / "run.nxs")
        return made[key]

    return once


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Run the pipeline silently in a folder of its own; figures, which have tests of their own, are empty."""
    monkeypatch.setattr(Drawing, "savefig", lambda self, file, **_: Path(file).write_bytes(PIXEL))
    numbers = itertools.count()

    def run(source: Path, **named: Any) -> Run:
        return pancommons.run("thz", source, out=tmp_path / f"run-{next(numbers)}", listeners=(), **named)

    return run
