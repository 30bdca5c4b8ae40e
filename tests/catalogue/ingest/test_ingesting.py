"""Ingest into both databases: once, again, changed, moved, copied, deleted, killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import sqlalchemy as sa

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.editing import edit
from pancommons.catalogue.ingest.crates import CRATE
from pancommons.catalogue.ingest.harvest import Harvest
from pancommons.catalogue.ingest.ingesting import walk, watch
from pancommons.catalogue.ingest.mapping import read_mappings
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ingest.storing import Catalogue, Outcome
from pancommons.catalogue.ingest.workers import Reading, Task, read_all
from pancommons.catalogue.ontology.graph import core
from pancommons.catalogue.ontology.stored import load_ontology, stored_ontology
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import Found, fetch
from pancommons.catalogue.records import Dataset
from pancommons.catalogue.write import Refused, delete
from pancommons.store.engine import Database
from pancommons.store.schema import METADATA
from tests.catalogue.ingest.nexus import MEASUREMENT, without, write
from tests.databases import database, empty_postgresql, empty_sqlite, new_database, postgresql

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "postgresql"]

Ingest = Callable[..., list[Outcome]]
NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def catalogue(database: Database, tmp_path: Path) -> Catalogue:
    roots = Roots({"here": tmp_path / "data"})
    made = Catalogue(database, roots, read_mappings().digest, read_policy(), LOCAL_USER)
    made.prepare()
    return made


@pytest.fixture
def ingest(catalogue: Catalogue) -> Ingest:
    """Ingest paths in this process: what the readers' processes do is tested by itself."""
    reading = Reading(read_mappings(), catalogue.roots, pictures=False)

    def one_round(paths: list[Path], *, last: bool) -> Iterator[Outcome]:
        for path in paths:
            task = catalogue.task(path)
            yield Outcome(path, "unchanged") if task is None else catalogue.put(reading.read(task), last=last)

    def ingesting(*paths: Path) -> list[Outcome]:
        first = list(one_round(list(walk(paths)), last=False))
        second = one_round([one.path for one in first if one.later], last=True)
        return [one for one in first if not one.later] + list(second)

    return ingesting


def _rows(database: Database, *, sequences: bool = True) -> dict[str, list[Any]]:
    """Return everything in the database."""
    with database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table))))
            for table in METADATA.sorted_tables
            if table.name not in (() if sequences else ("counters",))
        }


def _datasets(database: Database) -> dict[str, Dataset]:
    with database.read() as connection:
        pids = connection.execute(sa.text("SELECT pid FROM datasets WHERE deleted_at IS NULL")).scalars().all()
        found = [fetch(connection, "dataset", pid, LOCAL_USER, datetime.now(UTC)) for pid in pids]
        return {one.record.title: one.record for one in found if one and isinstance(one.record, Dataset)}  # type: ignore[union-attr]


def test_what_was_harvested_is_in_the_catalogue(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    [done] = ingest(write(tmp_path / "data" / "a.nxs").parent)
    assert (done.status, done.problem) == ("added", None)
    assert [title for _, title in done.datasets] == ["Lysozyme at rest"]
    one = _datasets(database)["Lysozyme at rest"]
    assert one.instrument == "diamond-light-source:b1"
    assert one.documents == ("diamond-light-source:mx-17",)
    assert one.terms.proposal == "diamond-light-source:mx-17"
    assert len(one.samples) == 1
    assert {parameter.name for parameter in one.parameters} >= {"sample_temperature", "data_shape"}
    assert len(one.files[0].sha256 or "") == 64


def test_a_second_ingest_changes_nothing(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / "data" / f"{number}.nxs", MEASUREMENT | {"entry/entry_identifier": str(number)})
    (tmp_path / "data" / "bad.nxs").write_bytes(b"no")
    write(tmp_path / "data" / "part.h5", {"entry": "group", "entry/data": np.ones(3)})
    first = Counter(one.status for one in ingest(tmp_path / "data"))
    assert first == {"added": 6, "failed": 1}
    before = _rows(database)
    again = Counter(one.status for one in ingest(tmp_path / "data"))
    assert again == {"unchanged": 6, "failed": 1}
    assert _rows(database) == before


def test_a_touched_file_is_read_for_its_digest_only(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    file = write(tmp_path / "data" / "a.nxs")
    ingest(file)
    before = _rows(database)
    os.utime(file, (1.6e9, 1.6e9))
    assert [one.status for one in ingest(file)] == ["unchanged"]
    after = _rows(database)
    assert {name for name in after if after[name] != before[name]} == {"files"}


def test_a_changed_file_keeps_its_identifier(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    content = without("entry/entry_identifier")
    file = write(tmp_path / "data" / "a.nxs", content)
    [before] = ingest(file)
    write(file, content | {"entry/title": "Lysozyme in motion"})
    [after] = ingest(file)
    assert after.status == "changed"
    assert [identifier for identifier, _ in after.datasets] == [identifier for identifier, _ in before.datasets]
    assert list(_datasets(database)) == ["Lysozyme in motion"]
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM samples")).scalar() == 1


def test_a_moved_file_keeps_its_identifier(ingest: Ingest, tmp_path: Path) -> None:
    file = write(tmp_path / "data" / "a.nxs", without("entry/entry_identifier"))
    [before] = ingest(file)
    other = tmp_path / "data" / "archive" / "b.nxs"
    other.parent.mkdir()
    file.rename(other)
    [after] = ingest(tmp_path / "data")
    assert after.datasets == before.datasets
    assert after.notes == ("was moved from here:a.nxs",)
    assert [one.status for one in ingest(tmp_path / "data")] == ["unchanged"]


def test_a_copy_is_not_a_second_dataset_and_another_file_with_its_identifiers_is(
    ingest: Ingest, database: Database, tmp_path: Path
) -> None:
    file = write(tmp_path / "data" / "a.nxs")
    (tmp_path / "data" / "b.nxs").write_bytes(file.read_bytes())
    write(tmp_path / "data" / "c.nxs", MEASUREMENT | {"entry/title": "Other"})
    done = {one.path.name: one for one in ingest(tmp_path / "data")}
    assert [done[name].status for name in ("a.nxs", "b.nxs", "c.nxs")] == ["added", "skipped", "added"]
    assert done["b.nxs"].problem == "is a copy of here:a.nxs"
    assert _datasets(database)["Other"].pid.startswith("file:")
    before = _rows(database)
    ingest(tmp_path / "data")
    assert _rows(database) == before


def test_what_a_data_manager_deleted_does_not_come_back(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    file = write(tmp_path / "data" / "a.nxs")
    [done] = ingest(file)
    with database.write() as connection:
        delete(connection, "dataset", done.datasets[0][0], by=LOCAL_USER, at=datetime.now(UTC))
    [again] = ingest(file)
    assert again.status == "skipped" and again.problem is not None and "deleted" in again.problem
    assert not _datasets(database)


def test_a_part_of_another_file_is_no_dataset_whatever_their_order(ingest: Ingest, tmp_path: Path) -> None:
    write(tmp_path / "data" / "a-frames.h5", {"entry": "group", "entry/data": np.ones((4, 8, 8))})
    master = write(tmp_path / "data" / "b-master.nxs", without("entry/data"))
    with h5py.File(master, "a") as opened:
        opened["entry/frames"] = h5py.ExternalLink("a-frames.h5", "/entry/data")
    done = {one.path.name: one for one in ingest(tmp_path / "data")}
    assert done["b-master.nxs"].status == "added"
    assert (done["a-frames.h5"].status, done["a-frames.h5"].problem) == (
        "skipped",
        "is a part of diamond-light-source:mx-17:42",
    )


def test_a_missing_file_that_comes_is_noticed(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    master = write(tmp_path / "data" / "master.nxs", without("entry/data"))
    with h5py.File(master, "a") as opened:
        opened["entry/frames"] = h5py.ExternalLink("frames.h5", "/frames")
    ingest(master)
    assert [one.missing for one in _datasets(database)["Lysozyme at rest"].files] == [False, True]
    write(tmp_path / "data" / "frames.h5", {"frames": np.ones((4, 8, 8))})
    assert [one.status for one in ingest(master)] == ["changed"]
    assert [one.missing for one in _datasets(database)["Lysozyme at rest"].files] == [False, False]


def test_another_mapping_reads_everything_again(catalogue: Catalogue, ingest: Ingest, tmp_path: Path) -> None:
    file = write(tmp_path / "data" / "a.nxs")
    ingest(file)
    assert catalogue.task(file) is None
    other = Catalogue(catalogue.database, catalogue.roots, "another", catalogue.policy, LOCAL_USER)
    assert other.task(file) == Task(file)


def test_records_that_others_curate_are_left_alone(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    ingest(write(tmp_path / "data" / "a.nxs"))
    with database.write() as connection:
        connection.execute(sa.text("UPDATE documents SET title = 'Structure of lysozyme'"))
    ingest(write(tmp_path / "data" / "b.nxs", MEASUREMENT | {"entry/entry_identifier": "43"}))
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT title FROM documents")).scalars().all() == ["Structure of lysozyme"]


def _crate(folder: Path, inputs: list[tuple[Path, str | None]], identifier: str = "urn:uuid:1") -> Path:
    """Write a crate as ``pan run`` does, in short."""
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>well</p>")
    named = [f"#input-{number}" for number in range(len(inputs))]
    graph: list[dict[str, Any]] = [
        {"@id": "./", "@type": "Dataset", "name": "Tomography: a.nxs", "identifier": identifier,
         "mentions": {"@id": "#1"}, "license": {"@id": "#l"}, "about": {"@id": core().named("tomography")[0].pid},
         "conformsTo": {"@id": "https://w3id.org/ro/wfrun/process/0.5"},
         "hasPart": [{"@id": "report.html"}, {"@id": "gone.nxs"}, {"@id": "../secret"}]},
        {"@id": "#l", "@type": "CreativeWork", "name": "CC-BY-4.0"},
        {"@id": core().named("tomography")[0].pid, "@type": "DefinedTerm"},
        {"@id": "report.html", "@type": "File", "contentSize": "11", "sha256": "0" * 64},
        {"@id": "gone.nxs", "@type": "File", "contentSize": "7"},
        {"@id": "../secret", "@type": "File"},
        {"@id": "#1", "@type": "CreateAction", "endTime": "2026-11-21T15:17:53+00:00", "agent": {"@id": "#who"},
         "instrument": {"@id": "#p"}, "actionStatus": "http://schema.org/CompletedActionStatus",
         "object": [{"@id": name} for name in named] + [{"@id": "#parameter-centre"}], "result": {"@id": "#merit-snr"}},
        {"@id": "#p", "@type": "SoftwareApplication", "name": "pancommons pipeline tomography", "version": "1.0"},
        {"@id": "#who", "@type": "Person", "name": "Ada Example"},
        {"@id": "#parameter-centre", "@type": "PropertyValue", "name": "centre", "value": 34.75, "unitText": "pixel"},
        {"@id": "#merit-snr", "@type": "PropertyValue", "name": "signal to noise", "value": 40},
    ]  # fmt: skip
    for name, (path, digest) in zip(named, inputs, strict=True):
        entity = {"@id": name, "@type": "File", "name": path.name, "contentUrl": path.as_uri()}
        graph.append(entity | ({"sha256": digest} if digest else {}))
    (folder / CRATE).write_text(json.dumps({"@graph": graph}))
    return folder


def test_a_run_is_linked_to_what_it_was_made_from(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    file = write(tmp_path / "data" / "a.nxs")
    write(tmp_path / "data" / "run" / "parts" / "0.h5", MEASUREMENT)
    (tmp_path / "data" / "run").rename(tmp_path / "data" / "other")
    run = _crate(tmp_path / "data" / "run", [(file, None)])
    (tmp_path / "data" / "other" / "parts").rename(run / "parts")
    done = {one.path.name: one for one in ingest(tmp_path / "data")}
    assert {name: one.status for name, one in done.items()} == {"a.nxs": "added", "run": "added"}
    one = _datasets(database)["Tomography: a.nxs"]
    assert (one.kind, one.license, one.pid) == ("processed", "CC-BY-4.0", "urn:uuid:1")
    assert [link.target for link in one.relations] == ["diamond-light-source:mx-17:42"]
    assert one.terms.proposal == "diamond-light-source:mx-17"
    assert [pid[-5:] for pid in one.techniques] == ["01129"]
    assert {parameter.name: parameter.value for parameter in one.parameters} == {
        "pipeline": "tomography 1.0",
        "tomography.centre": 34.75,
        "tomography.snr": 40.0,
    }
    assert [(file.path, file.missing) for file in one.files] == [
        ("run/ro-crate-metadata.json", False), ("run/report.html", False), ("run/gone.nxs", True),
    ]  # fmt: skip
    assert one.remarks is not None and one.remarks["state"] == "completed"
    assert [done.status for done in ingest(tmp_path / "data")] == ["unchanged", "unchanged"]


def test_an_input_that_comes_later_is_linked_then_and_bounds_the_result(
    ingest: Ingest, database: Database, tmp_path: Path
) -> None:
    from pancommons.base.digests import sha256

    file = write(tmp_path / "later" / "a.nxs", MEASUREMENT | {"entry/start_time": "2026-06-01T00:00:00Z"})
    run = _crate(tmp_path / "data" / "run", [(Path("/elsewhere/a.nxs"), sha256(file))])
    ingest(run)
    before = _datasets(database)["Tomography: a.nxs"]
    assert [link.target for link in before.relations] == [f"sha256:{sha256(file)}"]
    assert before.remarks is not None and before.remarks["unknown_inputs"] == ["a.nxs"]
    file.rename(tmp_path / "data" / "a.nxs")
    ingest(tmp_path / "data")
    after = _datasets(database)["Tomography: a.nxs"]
    assert [link.target for link in after.relations] == ["diamond-light-source:mx-17:42"]
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM guards")).scalar() == 1


@pytest.mark.parametrize("crate", ["", "{", "[]", '{"@graph": []}', '{"@graph": [{"@id": "./"}]}', '{"@graph": 3}'])
def test_a_run_without_a_good_crate_is_told_so(ingest: Ingest, tmp_path: Path, crate: str) -> None:
    folder = tmp_path / "data" / "run"
    folder.mkdir(parents=True)
    for name in ("run.json", "events.jsonl"):
        (folder / name).write_text("{}")
    write(folder / "parts" / "0.h5")
    if crate:
        (folder / CRATE).write_text(crate)
    [done] = ingest(tmp_path / "data")
    assert done.status == ("failed" if crate else "skipped")
    assert done.problem is not None


def test_what_is_not_public_is_not_shown(ingest: Ingest, database: Database, tmp_path: Path) -> None:
    ingest(write(tmp_path / "data" / "a.nxs", MEASUREMENT | {"entry/start_time": "2026-06-01T00:00:00Z"}))
    with database.read() as connection:
        found = fetch(
            connection, "dataset", "diamond-light-source:mx-17:42", ANONYMOUS, datetime(2026, 7, 1, tzinfo=UTC)
        )
    assert found is not None
    assert not found.record.files and not found.record.samples  # type: ignore[union-attr]


def test_names_become_synonyms_when_an_ontology_is_loaded(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "newer.json"
    tomography = core().named("tomography")[0].pid
    told = [{"pid": tomography, "name": "seeing inside", "parents": ["https://example.org/unknown"]}]
    file.write_text(json.dumps([*told, {"pid": "https://example.org/x", "name": "X", "parents": [tomography]}]))
    with database.write() as connection:
        Catalogue(database, Roots({}), "", read_policy(), LOCAL_USER)
        from pancommons.catalogue.ontology.stored import ensure_core

        ensure_core(connection, by=LOCAL_USER, at=datetime.now(UTC))
        assert load_ontology(connection, file, by=LOCAL_USER, at=datetime.now(UTC)) == 2
        ensure_core(connection, by=LOCAL_USER, at=datetime.now(UTC))
    with database.read() as connection:
        ontology = stored_ontology(connection)
    assert [one.name for one in ontology.named("tomography")] == ["seeing inside"]
    assert "https://example.org/x" in ontology.closure[tomography]
    assert len(ontology) == len(core()) + 1


def test_readers_survive_what_crashes_them_and_what_takes_too_long(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{number}.nxs") for number in range(3)]
    fifo = tmp_path / "fifo.nxs"
    os.mkfifo(fifo)
    reading = Reading(read_mappings(), Roots({"here": tmp_path}), pictures=False)
    tasks = [Task(files[0]), Task(fifo), "passed on", Task(files[1]), Task(files[2])]
    done = list(read_all(tasks, reading, workers=1, seconds=20))
    assert done.pop(2) == "passed on"
    harvests = [one for one in done if isinstance(one, Harvest)]
    assert [(one.path.name, one.problem) for one in harvests] == [
        ("0.nxs", None),
        ("fifo.nxs", "took too long to read"),
        ("1.nxs", None),
        ("2.nxs", None),
    ]


def test_watching_takes_a_file_once_it_rests(catalogue: Catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    reading = Reading(read_mappings(), catalogue.roots, pictures=False)
    watched = watch([folder], catalogue, reading, workers=1, seconds=0.01)
    assert next(watched) is None
    write(folder / "a.nxs")
    (folder / "b.nxs").write_bytes(b"no")
    seen: list[Outcome | None] = []
    while seen.count(None) < 5:
        seen.append(next(watched))
    watched.close()
    assert seen[0] is None
    assert [(one.path.name, one.status) for one in seen if one] == [("a.nxs", "added"), ("b.nxs", "failed")]


def test_walking_leaves_out_what_is_hidden_linked_or_of_a_run(tmp_path: Path) -> None:
    for name in ("a.nxs", "b.txt", ".c.nxs", ".d/e.nxs", "f/g.HDF5", "run/result.nxs", "named.dat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for name in ("run.json", "events.jsonl"):
        (tmp_path / "run" / name).write_text("{}")
    (tmp_path / "round").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in walk([tmp_path, tmp_path / "named.dat"])]
    assert found == ["a.nxs", "run", "f/g.HDF5", "named.dat"]


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """SIGKILL to the whole ingest a few times while it writes; then once to the end, compared with one never killed."""
    data, count = tmp_path / "data", 24
    for number in range(count):
        write(data / f"{number:02}.nxs", MEASUREMENT | {"entry/entry_identifier": str(number)})

    def start(home: str) -> subprocess.Popen[bytes]:
        roots = json.dumps({"here": str(data)})
        environment = os.environ | {"PANCOMMONS_HOME": str(tmp_path / home), "PANCOMMONS_DATA_ROOTS": roots}
        command = [sys.executable, "-m", "pancommons", "ingest", str(data), "--json"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True)

    def told(home: str) -> list[list[Any]]:
        with sqlite3.connect(tmp_path / home / "pancommons.db") as opened:
            return [
                opened.execute(statement).fetchall()
                for statement in (
                    "SELECT pid, title, kind FROM datasets ORDER BY 1",
                    "SELECT pid, name FROM samples ORDER BY 1",
                    "SELECT pid FROM instruments ORDER BY 1",
                    "SELECT pid FROM documents ORDER BY 1",
                    "SELECT path, sha256 FROM files ORDER BY 1",
                    "SELECT d.pid, p.name, p.number, p.text FROM parameters p JOIN datasets d ON d.id = p.dataset_id"
                    " ORDER BY 1, 2",
                    "PRAGMA integrity_check",
                )
            ]

    for after in (3, 9):
        process = start("killed")
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("status") == "added":
                after -= 1
            if after == 0:
                break
        time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    for home in ("killed", "whole"):
        process = start(home)
        process.communicate()
        assert process.returncode == 0
    assert told("killed") == told("whole")
    assert len(told("whole")[0]) == count


def test_what_a_person_edited_stays(catalogue: Catalogue, ingest: Ingest, tmp_path: Path) -> None:
    file = write(tmp_path / "data" / "one.nxs")
    [(identifier, _)] = ingest(file)[0].datasets
    with catalogue.database.write() as connection:
        changes = {"title": "Lysozyme, warm", "keywords": ("enzyme",)}
        done = edit(connection, "dataset", identifier, changes, policy=read_policy(), by=LOCAL_USER, at=NOW)
        edit(connection, "dataset", identifier, {"summary": "long"}, policy=read_policy(), by=LOCAL_USER, at=NOW)
    assert done.change == "changed"

    write(file, {**MEASUREMENT, "entry/title": "Lysozyme again", "entry/sample/temperature": (30.0, "celsius")})
    [again] = ingest(file)
    assert again.status == "changed"
    assert any("keeps what was edited: keywords, summary, title" in note for note in again.notes)
    with catalogue.database.read() as connection:
        found = fetch(connection, "dataset", identifier, LOCAL_USER, NOW)
    assert isinstance(found, Found)
    assert isinstance(found.record, Dataset)
    kept = found.record
    assert (kept.title, kept.summary, kept.keywords) == ("Lysozyme, warm", "long", ("enzyme",))
    assert {one.value for one in kept.parameters if one.name == "sample_temperature"} == {303.15}

    with catalogue.database.write() as connection:
        edit(connection, "dataset", identifier, {"title": "Cold"}, policy=read_policy(), by=LOCAL_USER, at=NOW)
        with pytest.raises(BadInput, match="the size of a dataset cannot be edited"):
            edit(connection, "dataset", identifier, {"size": 3}, policy=read_policy(), by=LOCAL_USER, at=NOW)
    with catalogue.database.write() as connection, pytest.raises(Refused):
        edit(connection, "dataset", identifier, {"title": "x"}, policy=read_policy(), by=ANONYMOUS, at=NOW)
    with catalogue.database.read() as connection:
        found = fetch(connection, "dataset", identifier, LOCAL_USER, NOW)
    assert isinstance(found, Found)
    assert isinstance(found.record, Dataset)
    assert found.record.title == "Cold"
