"""A notebook shows a run live, and its result as a table with pictures."""

from __future__ import annotations

import os
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import pytest


def test_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "vector.npy", np.arange(64.0))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1] / "plugin")]))
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("import pancommons"),
            nbformat.v4.new_code_cell(
                "run = pancommons.run('strips', 'vector.npy', out='r', pause='100 ms', workers=1); run"
            ),
            nbformat.v4.new_code_cell("run.merits, run.state"),
            nbformat.v4.new_code_cell("pancommons.run('strips', 'vector.npy', pause=-1)"),
        ]
    )
    updates: list[str] = []

    class Watching(nbclient.NotebookClient):
        def process_message(self, message, cell, index):  # type: ignore[no-untyped-def]
            if message["msg_type"] == "update_display_data":
                updates.append(message["content"]["data"]["text/html"])
            return super().process_message(message, cell, index)

    client = Watching(
        notebook, timeout=120, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert len(updates) >= 3
    assert any("of 64 values" in update and "0 of 64" not in update for update in updates)
    shown = [output for output in notebook.cells[1].outputs if output.output_type == "execute_result"]
    assert len(shown) == 1 and "done:" in shown[0].data["text/html"]
    assert "'done'" in notebook.cells[2].outputs[0].data["text/plain"]
    refusal = notebook.cells[3].outputs[-1]
    assert refusal.ename == "BadInput" and "pause" in refusal.evalue
    streams = [output for cell in notebook.cells for output in cell.outputs if output.output_type == "stream"]
    assert not streams, streams
