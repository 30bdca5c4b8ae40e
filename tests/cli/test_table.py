"""``pan run --table``: a whole beamtime in one command."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.pipelines import registry
from pancommons.pipelines.creation import Request
from pancommons.pipelines.table import requests
from tests.cli.conftest import Command


def lines(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def table(here: Path, scan: Path) -> Path:
    """Give a table beside its data, in another folder than the current one."""
    folder = here / "beamtime"
    folder.mkdir()
    shutil.move(scan, folder / "a.nxs")
    shutil.copy(folder / "a.nxs", folder / "b.nxs")
    file = folder / "samples.csv"
    file.write_text("scan;filter;rows;name\na.nxs;hann;1:3;first\n\nb.nxs;;;\n")
    return file


def test_every_line_is_a_run(pan: Command, here: Path, table: Path) -> None:
    said = pan("run", "tomography", "--table", table, "--rows", "0:2", "--centre", "17")
    assert said.code == 0, said.err
    summary = lines(here / "samples" / "summary.csv")
    assert [(line["name"], line["state"], line["slices"]) for line in summary] == [
        ("first", "done", "2"), ("b", "done", "2"),
    ]  # fmt: skip
    assert "All figures of merit: samples/summary.csv" in said.out
    first = (here / "samples" / "first" / "run.json").read_text()
    assert '"hann"' in first and '"1:3"' in first and '"17"' in first


def test_a_second_time_only_what_is_missing_runs(pan: Command, here: Path, table: Path) -> None:
    assert pan("run", "tomography", "--table", table, "--out", "o").code == 0
    before = (here / "o" / "first" / "report.json").stat().st_mtime_ns
    shutil.rmtree(here / "o" / "b")
    said = pan("run", "tomography", "--table", table, "--out", "o")
    assert said.code == 0 and "o/first: done before" in said.err
    assert (here / "o" / "first" / "report.json").stat().st_mtime_ns == before
    assert (here / "o" / "b" / "report.json").exists()


def test_another_run_in_the_way_is_not_touched(pan: Command, here: Path, table: Path) -> None:
    assert pan("run", "tomography", "--table", table, "--out", "o").code == 0
    said = pan("run", "tomography", "--table", table, "--out", "o", "--filter", "shepp")
    assert said.code == 2 and "other inputs or parameters than the table asks for" in said.err
    assert "done before" in said.err  # the line whose own filter goes before the command's


def test_a_dry_run_says_every_plan(pan: Command, here: Path, table: Path) -> None:
    said = pan("run", "tomography", "--table", table, "--dry-run")
    assert said.code == 0 and "into samples/first" in said.out and "into samples/b" in said.out
    assert not (here / "samples").exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "samples.csv: is empty"),
        ("scan\n", "samples.csv: holds no line below its header"),
        ("scan,colour\na.nxs,red\n", "colour: tomography has no input and no parameter of this name"),
        ("scan,scan\na.nxs,b.nxs\n", "scan: this column is there twice"),
        ("scan\na.nxs\na.nxs\n", "line 3: a run named 'a' is there already"),
        ("scan\nc.nxs\n", "line 2: "),
        ("scan,filter\na.nxs,blue\n", "line 2: "),
        ("scan,filter\na.nxs,hann,3\n", "line 2: has 1 more cells than the header"),
        ("filter\nhann\n", "line 2: the input 'scan' is missing"),
        ("scan,name\na.nxs,../x\n", "'../x' cannot name a folder"),
    ],
)
def test_a_bad_table_starts_nothing(pan: Command, here: Path, table: Path, text: str, problem: str) -> None:
    table.write_text(text)
    said = pan("run", "tomography", "--table", table)
    assert said.code == 2 and problem in said.err, said.err
    assert not (here / "samples").exists()


def test_a_table_that_is_no_text(pan: Command, table: Path) -> None:
    table.write_bytes(b"scan\n\xff\xfe\n")
    said = pan("run", "tomography", "--table", table)
    assert said.code == 2 and "is no text in UTF-8" in said.err
    table.unlink()
    assert pan("run", "tomography", "--table", table).code == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(text=st.text(st.characters(blacklist_categories=["Cs"]), max_size=60))
def test_any_text_is_a_table_or_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput):  # no text this short names a scan that is there
        requests(registry.load("tomography"), file, Request("tomography", {}))
