from __future__ import annotations

import json
from pathlib import Path

import pytest

from pancommons.cli import main
from tests.catalogue.ingest.nexus import write


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["ingest", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PANCOMMONS_DATA_ROOTS", json.dumps({"here": str(tmp_path / "data")}))
    (tmp_path / "data").mkdir()


def test_every_file_is_told_and_the_code_says_how_it_went(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    write(data / "a.nxs")
    code, out, _ = _run(capsys, str(data), "--workers", "1")
    assert code == 0
    assert out.splitlines()[0] == "added    here:a.nxs"
    assert out.splitlines()[-1] == "1 added"
    (data / "b.nxs").write_bytes(b"no")
    code, out, _ = _run(capsys, str(data), "--json", "--no-digest")
    assert code == 3
    *files, last = map(json.loads, out.splitlines())
    assert {Path(one["path"]).name: one["status"] for one in files} == {"a.nxs": "unchanged", "b.nxs": "failed"}
    assert last == {"event": "done", "unchanged": 1, "failed": 1}
    code, out, _ = _run(capsys, str(data / "b.nxs"))
    assert (code, out.splitlines()[0]) == (1, "failed   here:b.nxs: is no HDF5 file")


def test_what_cannot_be_ingested_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = _run(capsys, str(tmp_path))
    assert code == 2 and "lies below no data root" in err and "[data_roots]" in err
    code, _, err = _run(capsys, str(tmp_path / "data" / "none.nxs"))
    assert code == 2 and "no such file" in err
    code, _, err = _run(capsys, str(tmp_path / "data"))
    assert code == 2 and "no file called as HDF5 files are" in err


def test_a_wrong_configuration_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = tmp_path / "b1.yaml"
    monkeypatch.setenv("PANCOMMONS_MAPPINGS", json.dumps([str(mapping)]))
    for text, says in (
        ("title: [title]", "expected a mapping that says when it holds"),
        ("when: {path: ['*']}\ntitel: [title]", "titel: there is no such key"),
        ("when: {path: ['*']}\ntitle: ['a//b']", "is no path"),
        ("when: {path: ['*']}\nprobe: {words: {x-ray: ['(']}}", "is no regular expression"),
        ("when: [", "cannot be read as YAML"),
    ):
        mapping.write_text(text)
        code, _, err = _run(capsys, str(tmp_path / "data"))
        assert code == 2 and says in err, err
    mapping.write_text("when: {path: ['*']}\n")
    monkeypatch.setenv("PANCOMMONS_SITE__TIME_ZONE", "Mars/Olympus")
    code, _, err = _run(capsys, str(tmp_path / "data"))
    assert code == 2 and "no time zone" in err
