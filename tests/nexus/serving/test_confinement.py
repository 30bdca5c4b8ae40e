"""A process that gave up all but its folders, whatever is done in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_TRY = """
import sys
from pathlib import Path
from pancommons.nexus.serving.confinement import bound_files, bound_memory

print(bound_files([Path(sys.argv[1])]))
bound_memory(200 << 20)
for name in ("root/in.txt", "out.txt", "root/link.txt"):
    try:
        print(Path(sys.argv[2], name).read_text())
    except OSError as error:
        print(type(error).__name__)
try:
    Path(sys.argv[1], "new.txt").write_text("x")
except OSError as error:
    print(type(error).__name__)
try:
    bytes(400 << 20)
except MemoryError:
    print("MemoryError")
import sqlite3  # what Python needs is still there
"""


def test_only_the_folders_are_left(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "in.txt").write_text("inside")
    (tmp_path / "out.txt").write_text("outside")
    (tmp_path / "root" / "link.txt").symlink_to(tmp_path / "out.txt")
    done = subprocess.run(
        [sys.executable, "-c", _TRY, str(tmp_path / "root"), str(tmp_path)], capture_output=True, text=True, check=True
    )
    confined, *told = done.stdout.split()
    if confined != "True":
        pytest.skip("this kernel has no Landlock")
    assert told == ["inside", "PermissionError", "PermissionError", "PermissionError", "MemoryError"]
