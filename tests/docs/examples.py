"""The examples of the documentation: taken out of its pages, executed, and compared with what the pages state."""

from __future__ import annotations

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from pancommons.cli import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^\s*(?P<fence>`{3,}|:{3,})\s*(?:\{code-block\}\s*)?(?P<language>[^\s`]*)\s*$")
_PLAIN = re.compile(r"pan (?!.*--on)[\w\s=:./-]+")
"""Commands without any of a shell's signs, which need no process of their own."""
_OPTION = re.compile(r"^:(?P<name>[\w-]+):\s*(?P<value>.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line it begins at, its text, and the file it is, if its caption names one."""

    language: str
    line: int
    text: str
    file: str | None = None


def pages() -> list[Path]:
    """List every page a reader sees, built pages left out."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def executed_pages() -> list[Path]:
    """List the pages whose examples are executed."""
    return [ROOT / "README.md", *sorted(DOCS.glob("tutorials/*.md")), *sorted(DOCS.glob("how-to/*.md"))]


def blocks(page: Path) -> list[Block]:
    """Take the fenced blocks out of a page."""
    found: list[Block] = []
    fence, language, begin, lines, file = "", "", 0, [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not fence:
            if match := _FENCE.match(line):
                fence, language, begin, lines, file = match["fence"], match["language"], number, [], None
        elif line.strip() == fence:
            found.append(Block(language, begin, dedent("\n".join(lines)).strip("\n"), file))
            fence = ""
        elif not lines and (option := _OPTION.match(line)):
            file = option["value"] if option["name"] == "caption" else file
        else:
            lines.append(line)
    assert not fence, f"{page}: the block at line {begin} does not end"
    return found


@dataclass
class Session:
    """A reader who follows one page in an empty folder, block by block."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    installed: bool = False

    def follow(self, page: Path) -> int:
        """Execute a page's blocks, and return how many there were."""
        count, printed = 0, None
        for block in blocks(page):
            where = f"{page.relative_to(ROOT)}, line {block.line}"
            said, printed = printed, None
            if block.file is not None:
                self._write(block)
            elif block.language == "console":
                self._console(block, where)
            elif block.language == "python":
                printed = self._python(block, where)
            elif block.language == "text" and said is not None:
                expect(block.text, said, where)
            else:
                continue
            count += 1
        return count

    def _write(self, block: Block) -> None:
        file = self.folder / str(block.file)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text + "\n", encoding="utf-8")
        if file.name == "pyproject.toml":
            self._install(tomllib.loads(block.text)["project"])

    def _install(self, project: dict[str, Any]) -> None:
        """Put beside the module what ``pip install -e .`` would register; new processes find it there."""
        self.installed = True
        facts = self.folder / f"{project['name']}-{project['version']}.dist-info"
        facts.mkdir()
        header = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (facts / "METADATA").write_text(header)
        lines = []
        for group, points in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (facts / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def _console(self, block: Block, where: str) -> None:
        for command, expected in commands(block.text):
            here = _PLAIN.fullmatch(command) and not self.installed
            code, printed = self._pan(command) if here else self._shell(command)
            assert code == 0, f"{where}: exit {code} from {command}\n{printed}"
            assert "Traceback" not in printed, f"{where}: {command}\n{printed}"
            if expected:
                expect(expected, printed, f"{where}: {command}")

    def _shell(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    def _pan(self, command: str) -> tuple[int, str]:
        """Run a plain ``pan`` command in this process, which has imported everything already."""
        printed = io.StringIO()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with redirect_stdout(printed), redirect_stderr(printed):
                main(shlex.split(command)[1:])
        except SystemExit as end:
            return int(end.code or 0), printed.getvalue()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return 0, printed.getvalue()

    def _python(self, block: Block, where: str) -> str:
        printed = io.StringIO()
        code = compile(block.text, where, "exec")
        with redirect_stdout(printed):
            exec(code, self.names)
        return printed.getvalue()

    def _environment(self) -> dict[str, str]:
        binaries = Path(sys.executable).parent
        path = os.pathsep.join([str(binaries), os.environ["PATH"]])
        python_path = os.pathsep.join(filter(None, [str(self.folder), os.environ.get("PYTHONPATH")]))
        return {**os.environ, "PATH": path, "PYTHONPATH": python_path, "COLUMNS": "100"}


def commands(text: str) -> list[tuple[str, str]]:
    """Split a console block into its commands, each with what it is stated to print."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found[-1][1] and line.startswith("> "):
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [("\n".join(command), "\n".join(output)) for command, output in found]


def expect(stated: str, printed: str, where: str) -> None:
    """Compare what was printed with what a page states: ``...`` stands for anything within a line, or for lines."""
    pattern = "".join(_line_pattern(line) for line in stated.strip().splitlines())
    actual = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    assert re.fullmatch(pattern, actual), f"{where}: the page states\n{stated}\nbut this was printed\n{actual}"


def _line_pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"\n"
