"""Help: everything is listed, every command has one, and it costs next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pancommons.pipelines import registry
from tests.cli.conftest import Command

COMMANDS = [
    "run",
    "resume",
    "status",
    "stop",
    "report",
    "compare",
    "reproduce",
    "result",
    "pipelines",
    "simulate",
    "demo",
]
BELOW = [
    *([command] for command in COMMANDS),
    ["run", "tomography"],
    ["simulate", "tomography"],
    ["result", "pack"],
    ["pipelines", "list"],
    ["pipelines", "show"],
    ["pipelines", "schema"],
]  # fmt: skip


def imported(*arguments: str, **environment: str) -> set[str]:
    """Run the command in a fresh process and return the modules it has imported at its end."""
    code = (
        "import sys, atexit; atexit.register(lambda: print('|' + ' '.join(sys.modules), file=sys.stderr));"
        "from pancommons.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return set(done.stderr.rpartition("|")[2].split())


def test_help_lists_everything(pan: Command) -> None:
    said = pan("--help")
    assert said.code == 0
    listed = {line.split()[0] for line in said.out.partition("Commands:")[2].splitlines() if line.startswith("  ")}
    assert set(COMMANDS) <= listed


@pytest.mark.parametrize("words", BELOW, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(pan: Command, words: list[str], flag: str) -> None:
    said = pan(*words, flag)
    assert said.code == 0 and "Usage:" in said.out and len(said.out.splitlines()) > 5


@pytest.mark.parametrize("words", [[], ["run"], ["simulate"], ["result"], ["pipelines"]])
def test_alone_they_show_their_help(pan: Command, words: list[str]) -> None:
    said = pan(*words)
    assert "Usage:" in said.out + said.err


def test_pipelines_help_has_every_parameter_with_unit_and_default(
    pan: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("TERMINAL_WIDTH", "250")
    pipeline = registry.load("tomography")
    said, shown = pan("run", "tomography", "--help").out, pan("pipelines", "show", "tomography").out
    for text in (said, shown):
        for name in pipeline.parameters.model_fields:
            assert f"--{name.replace('_', '-')}" in text
        for role in pipeline.roles:
            assert role.name in text
    assert "um" in said and "default: auto" in said


def test_help_imports_no_heavy_library() -> None:
    modules = imported("--help")
    heavy = {
        "numpy",
        "scipy",
        "h5py",
        "numba",
        "pydantic",
        "matplotlib",
        "pint",
        "rich.progress",
        "jinja2",
        "distributed",
    }
    assert not heavy & modules
    assert not any(name.startswith("pancommons.techniques") for name in modules)


def test_a_pipelines_help_imports_no_kernel() -> None:
    modules = imported("run", "tomography", "--help")
    assert not {"numpy", "scipy", "h5py", "numba", "matplotlib", "pint"} & modules
    assert "pancommons.techniques.tomography.pipeline" in modules


def test_importing_the_package_imports_next_to_nothing() -> None:
    code = "import sys, pancommons; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pydantic", "h5py", "typer"} & set(done.stdout.split())


def test_version(pan: Command) -> None:
    from importlib.metadata import version

    assert pan("--version").out == f"pancommons {version('pancommons')}\n"


def test_lists_and_schema(pan: Command) -> None:
    assert "tomography" in pan("pipelines", "list").out
    listed = json.loads(pan("pipelines", "list", "--json").out)
    tomography = next(one for one in listed if one["name"] == "tomography")
    assert {"version": "1.0", "title": "Full-field tomography"}.items() <= tomography.items()
    schema = json.loads(pan("pipelines", "schema", "tomography").out)
    properties = schema["properties"]
    assert properties["pixel_size"]["unit"] == "um" and properties["pixel_size"]["default"] == "auto"
    assert all({"description", "group", "default"} <= set(one) for one in properties.values())


@pytest.mark.parametrize(
    "words", [["frobnicate"], ["run", "alchemy"], ["simulate", "alchemy"], ["pipelines", "show", "alchemy"]]
)
def test_what_there_is_not(pan: Command, words: list[str]) -> None:
    said = pan(*words)
    assert said.code == 2 and words[-1] in said.err


def test_output_into_a_pipe_that_closes_is_no_error(tmp_path: Path) -> None:
    line = f"{sys.executable} -m pancommons pipelines show tomography | head -1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
