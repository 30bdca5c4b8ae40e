"""The notebook made of a run runs it again, whatever the technique."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

import pancommons
from pancommons.base.errors import BadInput
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.notebook import Source, notebook, write
from tests.pipelines import toy

SMALL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tomography": ({"columns": 64, "rows": 4, "angles": 61}, {"filter": "hann", "rows": "1:3"}),
    "sans": ({"counts": 2e4}, {"model": "sphere", "mirror_sector": False}),
    "thz": ({"positions": 6, "pulses": 60, "pixels": 512}, {"bin": 0.05}),
}


@pytest.mark.parametrize("name", [*SMALL])
def test_it_executes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(tmp_path / "mpl")))
    simulated, given = SMALL[name]
    raw, _ = pancommons.simulate(name, tmp_path / "raw.nxs", **simulated)
    run = pancommons.run(name, raw, out=tmp_path / "run", listeners=(), **given)
    made = nbformat.read(write(run.path, tmp_path / "again.ipynb"), as_version=4)
    assert made.metadata.kernelspec.name == "python3"
    nbclient.NotebookClient(made, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    again = next(tmp_path.glob(f"raw-{name}-*"))
    assert RunFolder(again).record().parameters == RunFolder(run.path).record().parameters
    assert pancommons.open_run(again).merits.keys() == run.merits.keys()
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert all(merit["label"] in printed for merit in run.report["merits"])
    with pytest.raises(BadInput, match="exists"):
        write(run.path, tmp_path / "again.ipynb")


def test_what_is_fetched_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register(monkeypatch)
    folder = toy.run(toy.write_input(tmp_path / "vector.npy"), tmp_path / "run", preset="cubes", scale=2.0)
    where = {
        "array": [Source(server="https://portal.example", file="abc", name="vector.npy")],
        "extra": [Source(path="/a'b"), Source(server="https://portal.example", file="d", name="../vector.npy")],
    }
    made = nbformat.reads(notebook(folder.record(), folder.report_facts(), where), as_version=4)
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    assert "portal = Client('https://portal.example')" in code[0]
    assert "array = portal.download('abc', 'inputs/vector.npy')" in code[0]
    assert """extra = ["/a'b", portal.download('d', 'inputs/extra-vector.npy')]""" in code[0]
    assert code[0].count("Client(") == 1 and str(tmp_path) not in "".join(code)
    assert code[1] == (
        "run = pancommons.run(\n    'toy',\n    array,\n    extra=extra,\n    preset='cubes',\n    scale=2.0,\n)\nrun"
    )
    assert "median of all values | 0.87" in made.cells[2].source
    for text in code:
        compile(text, "cell", "exec")
