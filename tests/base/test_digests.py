"""Digests that anybody can check with the tools of any machine."""

from __future__ import annotations

import hashlib
import random
import subprocess
from pathlib import Path

import pytest

from pancommons.base.digests import manifest, quick, sha256


def shell(command: str, folder: Path) -> bytes:
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=True).stdout


@pytest.mark.parametrize("size", [0, 1, (16 << 20) - 1, 16 << 20, (16 << 20) + 1])
def test_file_as_sha256sum(tmp_path: Path, size: int) -> None:
    file = tmp_path / "data"
    file.write_bytes(random.Random(size).randbytes(size))
    seen: list[int] = []
    assert sha256(file, seen.append) == shell("sha256sum data", tmp_path).decode().split()[0]
    assert sum(seen) == size


def test_folder_as_sha256sum(tmp_path: Path) -> None:
    names = ["b", "a/b", "a.txt", "a/ä €.txt", "with space", "B", "a-b/c", "sub/deep/er", "back\\slash", "new\nline"]
    for name in names:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (tmp_path / "empty").mkdir()
    expected = shell("find * -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum", tmp_path)
    assert manifest(tmp_path).encode() == expected
    assert sha256(tmp_path) == hashlib.sha256(expected).hexdigest()


def test_folder_with_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "sc\udce4n").write_bytes(b"x")
    expected = shell("find * -type f -print0 | xargs -0 sha256sum | sha256sum", tmp_path).decode().split()[0]
    assert sha256(tmp_path) == expected


def test_digests_see_one_changed_bit(tmp_path: Path) -> None:
    file = tmp_path / "part"
    content = bytearray(random.Random(1).randbytes(100_000))
    file.write_bytes(content)
    before = (quick(file), sha256(file))
    content[50_000] ^= 1
    file.write_bytes(content)
    after = (quick(file), sha256(file))
    assert before[0] != after[0] and before[1] != after[1]


def test_progress_may_stop_it(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(100))

    def stop(count: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        sha256(tmp_path / "data", stop)
