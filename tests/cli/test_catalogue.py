"""``pan catalogue``: import, export, dump, restore and info, as they are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import pancommons.store.migrations
from pancommons.cli import main

Pan = Callable[..., tuple[int, str, str]]

DATASET = {"pid": "10.1/d", "title": "Foam", "isPublic": True, "creationDate": "2020-05-05T15:01:02.341Z"}


@pytest.fixture
def pan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pan:
    """Give a function that runs a command on a database of its own."""

    def run(*arguments: str, database: str = "one") -> tuple[int, str, str]:
        monkeypatch.setenv("PANCOMMONS_DATABASE", f"sqlite:///{tmp_path}/{database}.db")
        code = 0
        try:
            main(["catalogue", *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    monkeypatch.chdir(tmp_path)
    return run


def test_import_export_dump_and_restore(pan: Pan, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([DATASET]))
    assert pan("import", "a.json") == (0, "1 added, 0 changed, 0 unchanged, 0 refused\n", "")
    assert pan("import", "a.json") == (0, "0 added, 0 changed, 1 unchanged, 0 refused\n", "")
    assert pan("export", "b.json")[:2] == (0, "1 records\n")
    assert pan("export", "c.json", "--format", "scicat", "--public")[:2] == (0, "1 records\n")
    assert pan("export", "tables", "--format", "visa")[:2] == (0, "0 records\n")
    assert pan("import", "tables", "--facility", "ILL", database="empty")[:2] == (
        0, "0 added, 0 changed, 0 unchanged, 0 refused\n",
    )  # fmt: skip
    assert pan("import", "b.json", database="two")[0] == 0
    code, said, _ = pan("dump", "all.gz")
    newest = max(file.name[:4] for file in (Path(pancommons.store.migrations.__path__[0]) / "versions").glob("0*.py"))
    assert code == 0 and said.endswith(f"revision {newest}\n")
    assert pan("restore", "all.gz", database="three")[:2] == (0, said)
    told = json.loads(pan("info", "--json", database="three")[1])
    assert (told["datasets"], told["documents"], told["revision"], told["policy"]) == (1, 0, newest, "pancommons-1")
    assert "datasets     1\n" in pan("info", database="three")[1]
    code, _, problem = pan("restore", "all.gz")
    assert code == 2 and "not empty" in problem


def test_what_is_refused_is_said_and_shows_in_the_exit_code(pan: Pan, tmp_path: Path) -> None:
    bad = {**DATASET, "pid": "10.1/e", "title": "\x1b[2J", "size": -1}
    (tmp_path / "a.json").write_text(json.dumps([DATASET, bad]))
    code, said, _ = pan("import", "a.json")
    assert code == 3
    assert said.splitlines() == [
        "refused [1].size: expected a whole number that is not negative, found -1.",
        "1 added, 0 changed, 0 unchanged, 1 refused",
    ]
    (tmp_path / "a.json").write_text(json.dumps([bad]))
    code, said, _ = pan("import", "a.json", "--json")
    assert code == 1 and json.loads(said)["refusals"][0]["place"] == "[0]"


def test_wrong_input_is_one_sentence(pan: Pan, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[{")
    for arguments, problem in (
        (("import", "a.json"), "is no JSON"),
        (("import", "none.json"), "cannot be read"),
        (("import", str(tmp_path)), "whose instruments"),
        (("restore", "a.json"), "damaged"),
    ):
        code, said, error = pan(*arguments)
        assert (code, said) == (2, "") and problem in error and "Traceback" not in error
    code, _, error = pan("dump", "all.gz", database="none")
    assert code == 2 and "no catalogue yet" in error
