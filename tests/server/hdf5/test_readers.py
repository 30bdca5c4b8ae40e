"""A process that reads, as the server starts one."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from pancommons.nexus.serving.answering import Asked
from pancommons.nexus.serving.budget import Budget
from pancommons.server.hdf5.readers import _Reader

SECONDS = 4.0
SLOW = f"""
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "matplotlib":
            sys.meta_path.remove(self)
            time.sleep({SECONDS} + 1)
sys.meta_path.insert(0, Slow())
"""


def test_loading_what_draws_is_no_part_of_the_time_for_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(SLOW)
    ways = [str(tmp_path / "slow"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(ways))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["values"] = np.arange(9.0)
    reader = _Reader([str(tmp_path)], Budget(seconds=SECONDS))
    try:
        answer = reader.ask(Asked(str(tmp_path / "a.h5"), "picture", "/values"))
    finally:
        reader.end()
    assert (answer.status, answer.problem) == (200, None)
    assert answer.body.startswith(b"\x89PNG")
