"""A measurement of 74044, and running the pipeline without drawing."""

from __future__ import annotations

import itertools
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure as Drawing

import pancommons
from pancommons.pipelines import registry
from pancommons.pipelines.api import Run
from pancommons.techniques.sans.pipeline import PIPELINE

PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
Reduce = Callable[..., Run]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the pipeline whether or not the installed package names it yet."""
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda name: PIPELINE if name == "sans" else load(name))


@pytest.fixture
def runs_74044(shared_data: Callable[[str], Path]) -> dict[str, Path]:
    """Give the five runs and the user file of 74044 by role."""
    names = {
        "sample": "LOQ74044.nxs", "sample_transmission": "LOQ74024.nxs", "can": "LOQ74019.nxs",
        "can_transmission": "LOQ74020.nxs", "direct": "LOQ74014.nxs", "user_file": "MaskLOQData.txt",
    }  # fmt: skip
    return {role: shared_data(f"sans-loq/74044/{name}") for role, name in names.items()}


@pytest.fixture
def runs_54431(shared_data: Callable[[str], Path]) -> dict[str, Path]:
    """Give the five runs and the user file of 54431 by role."""
    names = {
        "sample": "LOQ54431.raw", "sample_transmission": "LOQ54435.raw", "can": "LOQ54432.raw",
        "can_transmission": "LOQ54434.raw", "direct": "LOQ54433.raw", "user_file": "MASK.094AA",
    }  # fmt: skip
    return {role: shared_data(f"sans-loq/54431/{name}") for role, name in names.items()}


@pytest.fixture
def reduce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reduce:
    """Run the pipeline silently in a folder of its own; figures are empty."""
    monkeypatch.setattr(Drawing, "savefig", lambda self, file, **_: Path(file).write_bytes(PIXEL))
    numbers = itertools.count()

    def run(**named: Any) -> Run:
        sample = named.pop("sample")
        return pancommons.run("sans", sample, out=tmp_path / f"run-{next(numbers)}", listeners=(), **named)

    return run
