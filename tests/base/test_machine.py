"""What the machine allows, on machines that are not this one: trees of cgroup files, version 1 and 2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.base import machine
from pancommons.base.errors import BadInput

Tree = Callable[..., None]


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Pretend to be in a control group: the lines of /proc/self/cgroup, and the files of the tree."""
    real = Path.read_text

    def pretend(lines: str, **files: str | int) -> None:
        root = tmp_path / "cgroup"
        root.mkdir()
        for name, content in files.items():
            path = root / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        monkeypatch.setattr(machine, "_CGROUP", root)
        monkeypatch.setattr(
            Path, "read_text", lambda self, *a, **k: lines if str(self) == "/proc/self/cgroup" else real(self, *a, **k)
        )

    return pretend


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend to be allowed on sixteen cores with 8 GB free."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    free = type("Free", (), {"available": 8 << 30})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)


@pytest.mark.usefixtures("sixteen")
def test_without_control_groups_affinity_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path / "nothing")
    assert machine.cores() == 16
    assert machine.memory_limit() is None
    assert machine.memory_free() == 8 << 30


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("maximum", "cores"),
    [("max 100000", 16), ("400000 100000", 4), ("50000 100000", 1), ("250000 100000", 2), ("9900000 100000", 16)],
)
def test_quota_of_version_2(cgroup: Tree, maximum: str, cores: int) -> None:
    cgroup("0::/job/step\n", job__step__cpu_dot_max=maximum)
    assert machine.cores() == cores


@pytest.mark.usefixtures("sixteen")
def test_least_quota_of_all_levels_counts(cgroup: Tree) -> None:
    cgroup("0::/job/step\n", job__step__cpu_dot_max="max 100000", job__cpu_dot_max="300000 100000")
    assert machine.cores() == 3


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(("quota", "cores"), [(-1, 16), (200000, 2)])
def test_quota_of_version_1(cgroup: Tree, quota: int, cores: int) -> None:
    files = {"cpu,cpuacct__job__cpu_dot_cfs_quota_us": quota, "cpu,cpuacct__job__cpu_dot_cfs_period_us": 100000}
    cgroup("4:cpu,cpuacct:/job\n1:name=systemd:/elsewhere\n", **files)
    assert machine.cores() == cores


@pytest.mark.usefixtures("sixteen")
def test_version_1_in_a_container_that_sees_its_group_as_the_root(cgroup: Tree) -> None:
    files = {"memory__memory_dot_limit_in_bytes": 1 << 30, "memory__memory_dot_usage_in_bytes": 1 << 28}
    cgroup("9:memory:/docker/0123456789ab\n", **files)
    assert machine.memory_limit() == 1 << 30
    assert machine.memory_free() == (1 << 30) - (1 << 28)


@pytest.mark.usefixtures("sixteen")
def test_version_1_without_limit(cgroup: Tree) -> None:
    cgroup("9:memory:/\n", memory__memory_dot_limit_in_bytes=9223372036854771712)
    assert machine.memory_limit() is None
    assert machine.memory_free() == 8 << 30


@pytest.mark.usefixtures("sixteen")
def test_memory_of_version_2_at_the_tightest_level(cgroup: Tree) -> None:
    cgroup(
        "0::/a/b\n",
        a__b__memory_dot_max="max",
        a__b__memory_dot_current=1 << 20,
        a__memory_dot_max=2 << 30,
        a__memory_dot_current=(2 << 30) - (100 << 20),
        a__b__memory_dot_stat="anon 5\nfile 7",
    )
    assert machine.memory_limit() == 2 << 30
    assert machine.memory_free() == 100 << 20


@pytest.mark.usefixtures("sixteen")
def test_cached_file_contents_are_free_memory(cgroup: Tree) -> None:
    cgroup(
        "0::/a\n",
        a__memory_dot_max=4 << 30,
        a__memory_dot_current=4 << 30,
        a__memory_dot_stat=f"anon 1000\ninactive_file {3 << 30}",
    )
    assert machine.memory_free() == 3 << 30


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize("lines", ["", "0::/../../..\n", "0::/gone/away\n", "0::/a:b\n"])
def test_strange_groups_do_no_harm(cgroup: Tree, lines: str) -> None:
    cgroup(lines, cpu_dot_max="nonsense", memory_dot_max="nonsense")
    assert machine.cores() == 16
    assert machine.memory_free() == 8 << 30


@given(
    number=st.decimals(min_value=1, max_value=4096, places=3),
    unit=st.sampled_from(["", "K", "M", "G", "k", "m", "g"]),
    ending=st.sampled_from(["", "B", "iB", "b", "ib"]),
    space=st.sampled_from(["", " "]),
)
def test_sizes_are_binary_multiples(number: object, unit: str, ending: str, space: str) -> None:
    factor = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit.upper()]
    assert machine.parse_size(f" {number}{space}{unit}{ending} ") == int(float(str(number)) * factor)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused_in_one_sentence(text: str) -> None:
    try:
        assert machine.parse_size(text) >= 1
    except BadInput as error:
        assert repr(text) in str(error) and "such as 4G" in str(error)


@pytest.mark.parametrize(
    "text", ["", "0", "0.4", "-1G", "4 X", "4GG", "nan", "inf", "1e3", "9" * 400 + "G", "9999999T"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(BadInput, match="is no size"):
        machine.parse_size(text)


@given(st.integers(0, 1 << 60))
def test_written_sizes_are_short_and_nearly_right(size: int) -> None:
    text = machine.format_size(size)
    assert len(text) <= 12
    number, unit = text.split()
    factor = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}[unit]
    assert abs(float(number) * factor - size) <= 0.051 * max(size, 1)


def test_giving_way_counts_among_sessions_too() -> None:
    """Where the kernel groups processes by session, the niceness of one of them alone gives nothing to others."""
    group = Path("/proc/self/autogroup")
    told = "from pancommons.base.machine import give_way; from pathlib import Path; import os; give_way(7); "
    told += f"print(os.nice(0), Path('{group}').read_text() if Path('{group}').exists() else 'nice 7')"
    done = subprocess.run(
        [sys.executable, "-c", told], start_new_session=True, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == str(os.nice(0) + 7)
    assert done.stdout.split()[-2:] == ["nice", "7"]
