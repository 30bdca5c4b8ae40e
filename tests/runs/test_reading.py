"""Events read as they come, each once, whatever a crash left of the last line; and folders kept out of sight."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pancommons.base import durable
from pancommons.catalogue.ingest.roots import Roots
from pancommons.runs.hiding import Hiding
from pancommons.runs.reading import Tail, lines, open_inside


def test_events_come_once_and_with_the_same_number_wherever_one_begins(tmp_path: Path) -> None:
    file, chance = tmp_path / "events.jsonl", random.Random(3)
    whole, following, got = Tail(tmp_path), Tail(tmp_path, 7), []
    for number in range(60):
        if chance.random() < 0.2:
            with file.open("ab") as cut:
                cut.write(b'{"event": "cut sh')
        durable.append_line(file, f'{{"number": {number}}}')
        if chance.random() < 0.5:
            got += whole.more()
    got += whole.more()
    numbers = [line for line, _ in got]
    assert [event["number"] for _, event in got] == list(range(60))
    assert numbers == sorted(set(numbers)) and numbers[-1] == lines(tmp_path) > 60
    assert following.more() == [one for one in got if one[0] > 7]
    for after in (0, 1, 30, numbers[-1]):
        assert Tail(tmp_path, after).more() == [one for one in got if one[0] > after]


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    assert tail.more() == []
    with (tmp_path / "events.jsonl").open("wb") as file:
        file.write(b'{"a": 1}\n{"b"')
        file.flush()
        assert tail.more() == [(1, {"a": 1})]
        file.write(b": 2}\n")
        file.flush()
        assert tail.more() == [(2, {"b": 2})]


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "a/../../outside", "", ".", "a//b", "a\0b", "link", "in/x"]
)
def test_nothing_outside_of_the_folder_is_opened(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "outside").write_text("x")
    (tmp_path / "x").write_text("x")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "in").symlink_to(tmp_path)
    assert open_inside(folder, name) is None


def test_folders_of_the_server_become_places(tmp_path: Path) -> None:
    root = tmp_path / "a b"
    root.mkdir()
    hiding = Hiding(Roots({"raw": root, "raw2": tmp_path / "a b c"}))
    assert hiding.text(f"{root}/2026/scan.nxs: is damaged") == "raw:2026/scan.nxs: is damaged"
    assert hiding.text(f"in '{root}', and {root}.") == "in 'raw:', and raw:."
    assert hiding.text(f"{tmp_path}/a b c/x") == "raw2:x"
    assert hiding.text((root / "x").as_uri()) == "raw:x"
    assert hiding.json({f"{root}/k": [f"{root}/v", 1, None]}) == {"raw:k": ["raw:v", 1, None]}
    told = f"https://x.example{root}/y and /entry{root}"
    assert hiding.text(told) == told
