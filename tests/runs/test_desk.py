"""Asking, seeing, stopping, going on with and removing, on both databases."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import sqlalchemy as sa

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import ANONYMOUS, Action, Principal
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, File, Terms
from pancommons.catalogue.write import delete, put
from pancommons.runs.asked import Asked, Conflict, NotSignedIn, TooMany
from pancommons.runs.run import Run
from tests.runs.world import BOB, LONG_AGO, OPEN, ROOT, World, now


def test_a_look_at_the_data_says_what_a_run_would_find_and_take(world: World) -> None:
    told = world.desk.examine(world.asked(parameters={"pause": "200 ms"}), BOB, now())
    assert told.parameters["pause"] == 0.2
    assert told.detected == {"offset": 1.0} and told.facts == {"length": 64}
    assert told.units == {"scale": 8, "square": 8} and told.seconds > 3
    assert told.inputs["vector"][0]["title"] == "the open vector"
    assert not world.rows() and not list((world.folder / "runs").iterdir())


def test_a_run_that_is_asked_for_waits_in_a_folder_of_its_own(world: World) -> None:
    run = world.ask(parameters={"offset": 2.0}, title="  my\nrun ")
    assert (run.state, run.person, run.title, run.place, run.pipeline) == ("waiting", "bob", "my run", 1, "strips")
    assert run.inputs["vector"][0].dataset == world.datasets["open"]
    record = world.desk.folder(run).record()
    assert record.given == {"offset": 2.0} and not world.desk.folder(run).events.exists()
    assert [one.identifier for one in world.desk.list(BOB, now())] == [run.identifier]
    with world.database.read() as connection:
        [line] = connection.execute(sa.select(audit).where(audit.c.kind == "run")).all()
    assert (line.who, line.what, line.identifier) == ("bob", "run", run.identifier)


def test_inputs_are_named_by_identifier_pid_or_file(world: World) -> None:
    run = world.ask("pid/open")
    by_file = world.ask(run.inputs["vector"][0].file)
    assert by_file.inputs == run.inputs


REFUSED: list[tuple[dict[str, list[str]], str]] = [
    ({"vector": ["secret"]}, "that you may run on"),
    ({"vector": ["nowhere"]}, "that you may run on"),
    ({"vector": ["/etc/passwd"]}, "that you may run on"),
    ({"vector": ["../outside.npy"]}, "that you may run on"),
    ({"vector": ["' OR 1=1 --"]}, "that you may run on"),
    ({"vector": ["two"]}, "has 2 files"),
    ({"vector": ["gone"]}, "is not on disk"),
    ({"vector": ["open", "open"]}, "takes one path, 2 were given"),
    ({}, "the input 'vector' is missing"),
    ({"scan": ["open"]}, "has no input 'scan'"),
]


def test_what_may_not_be_run_on_is_refused_in_one_sentence(world: World) -> None:
    for inputs, says in REFUSED:
        named = {role: [world.datasets.get(one, one) for one in several] for role, several in inputs.items()}
        with pytest.raises(BadInput, match=says) as refused:
            world.desk.ask(Asked("strips", named), BOB, now())
        assert str(world.folder) not in str(refused.value)
    assert not world.rows()


def test_only_who_is_known_and_whose_token_allows_it_runs(world: World) -> None:
    for who in (ANONYMOUS, Principal("bob", scopes=frozenset({Action.DISCOVER, Action.READ}))):
        with pytest.raises(NotSignedIn):
            world.ask(who=who)
        with pytest.raises(NotSignedIn):
            world.desk.examine(world.asked(), who, now())


def test_errors_of_pipelines_name_no_folder(world: World) -> None:
    (world.folder / "raw" / "open.npy").write_bytes(b"nonsense")
    with pytest.raises(BadInput) as refused:
        world.ask()
    assert str(refused.value) == "raw:open.npy: expected a vector in .npy."
    with pytest.raises(BadInput, match="did you mean pause"):
        world.ask(parameters={"pauze": 1})
    with pytest.raises(BadInput, match="there is no preset"):
        world.ask(preset="none")


def test_links_out_of_the_roots_and_into_data_of_others_are_refused(world: World) -> None:
    raw = world.folder / "raw"
    (raw / "linked.npy").symlink_to(world.folder / "outside.npy")
    files = {"linked": "linked.npy", "leading": "leading.h5", "theirs": "theirs.h5"}
    with h5py.File(raw / "secret.h5", "w") as file:
        file["v"] = np.arange(3.0)
    for name, target in (("leading", "../outside.npy"), ("theirs", "secret.h5")):
        with h5py.File(raw / f"{name}.h5", "w") as file:
            file["v"] = h5py.ExternalLink(target, "/v")
    with world.database.write() as connection:
        for name, path in files.items():
            record = Dataset(
                pid=name, kind="raw", title=name, creation_date=LONG_AGO, terms=OPEN,
                files=(File(root="raw", path=path),),
            )  # fmt: skip
            put(connection, record, policy=read_policy(), by=ROOT, at=LONG_AGO)
        record = Dataset(
            pid="s", kind="raw", title="s", creation_date=LONG_AGO, terms=Terms(proposal="p1", fixed=True),
            files=(File(root="raw", path="secret.h5"),), documents=("p1",),
        )  # fmt: skip
        put(connection, record, policy=read_policy(), by=ROOT, at=LONG_AGO)
    with pytest.raises(BadInput, match="is not on disk"):
        world.ask("linked")
    answer = {"record": {}, "estimate": {}, "touched": []}
    ask = world.desk.examiners.ask

    def looked(told: dict[str, object]) -> dict[str, object]:
        """Look for links as the examiner does, at files that are no vectors."""
        from pancommons.runs.examining import _touched

        return answer | {"touched": sorted(_touched(told["inputs"], []))}  # type: ignore[arg-type]

    world.desk.examiners.ask = looked  # type: ignore[method-assign]
    with pytest.raises(BadInput, match="lies outside of the data folders"):
        world.ask("leading")
    with pytest.raises(BadInput, match=r"secret\.h5, which you may not read"):
        world.ask("theirs")
    world.desk.examiners.ask = ask  # type: ignore[method-assign]


def test_a_run_is_seen_by_who_asked_while_they_may_read_its_inputs(world: World) -> None:
    run = world.ask("secret", world.ada)
    at = now()
    assert world.desk.get(run.identifier, world.ada, at) is not None
    assert world.desk.get(run.identifier, ROOT, at) is not None
    only_run = Principal("ada", proposals=world.ada.proposals, scopes=frozenset({Action.RUN}))
    for who in (BOB, ANONYMOUS, Principal("ada"), only_run):
        assert world.desk.get(run.identifier, who, at) is None
        assert world.desk.list(who, at, everybody=True) == []
        for change in (world.desk.stop, world.desk.resume, world.desk.delete):
            with pytest.raises((LookupError, NotSignedIn)):
                change(run.identifier, who, at)
    assert len(world.desk.list(ROOT, at, everybody=True)) == 1 and world.desk.list(ROOT, at) == []


def test_an_input_that_is_deleted_takes_sight_of_its_runs_with_it(world: World) -> None:
    run = world.ask()
    with world.database.write() as connection:
        delete(connection, "dataset", world.datasets["open"], by=ROOT, at=now())
    assert world.desk.get(run.identifier, BOB, now()) is None


def test_the_same_request_sent_at_the_same_time_makes_one_run(world: World) -> None:
    made: list[Run] = []
    threads = [threading.Thread(target=lambda: made.append(world.ask(key="k"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6 and len({run.identifier for run in made}) == 1
    assert len(world.rows()) == 1
    assert len(list((world.folder / "runs").glob("*/*/*"))) == 1
    with pytest.raises(Conflict):
        world.ask(key="k", parameters={"offset": 3.0})
    assert world.ask("secret", world.ada, key="k").identifier != made[0].identifier
    assert world.desk.ask_once(world.asked(), BOB, now(), "k")[1] is False


def test_only_so_many_runs_of_a_person_wait(make_world: Callable[..., World]) -> None:
    world = make_world(waiting_each=2)
    first, _ = world.ask(), world.ask()
    with pytest.raises(TooMany, match="You have 2 runs waiting"):
        world.ask()
    world.ask("secret", world.ada)
    world.desk.stop(first.identifier, BOB, now())
    world.ask()
    with pytest.raises(TooMany):
        world.desk.resume(first.identifier, BOB, now())


def test_a_waiting_run_stops_goes_on_and_is_removed(world: World) -> None:
    run = world.ask(key="k")
    with pytest.raises(Conflict):
        world.desk.resume(run.identifier, BOB, now())
    stopped = world.desk.stop(run.identifier, BOB, now())
    assert (stopped.state, stopped.why, stopped.place) == ("stopped", "stopped before it began", None)
    with pytest.raises(Conflict):
        world.desk.stop(run.identifier, BOB, now())
    assert world.desk.resume(run.identifier, BOB, now()).state == "waiting"
    folder = world.desk.folder(run).path
    world.desk.delete(run.identifier, BOB, now())
    assert not folder.exists() and world.desk.list(BOB, now()) == []
    assert world.get(run, BOB).removed is not None
    with pytest.raises(LookupError):
        world.desk.resume(run.identifier, BOB, now())
    assert world.ask(key="k").identifier != run.identifier


def test_whoever_lost_access_does_not_go_on(world: World) -> None:
    run = world.ask("secret", world.ada)
    world.desk.stop(run.identifier, world.ada, now())
    with pytest.raises(LookupError):
        world.desk.resume(run.identifier, Principal("ada"), now())


def test_lists_go_on_where_they_ended(world: World) -> None:
    made = [world.ask().identifier for _ in range(5)]
    first = world.desk.list(BOB, now(), limit=2)
    rest = world.desk.list(BOB, now(), before=first[-1].identifier)
    assert [run.identifier for run in (*first, *rest)] == made[::-1]
    world.desk.stop(made[0], BOB, now())
    assert [run.identifier for run in world.desk.list(BOB, now(), state="stopped")] == [made[0]]


def test_what_a_run_wrote_is_read_only_from_its_folder(world: World, tmp_path: Path) -> None:
    """A run that goes as its own user may put links where the server reads."""
    run = world.ask()
    folder = world.desk.folder(run).path
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"figures": [], "password": "hunter2"}) + "\n")
    (folder / "report.json").symlink_to(secret)
    (folder / "events.jsonl").symlink_to(secret)
    assert world.desk.report(run) == {}
    assert world.desk.progress(run).state == "created"
    (folder / "run.json").unlink()
    (folder / "run.json").symlink_to(secret)
    with pytest.raises(BadInput, match="gone or damaged"):
        world.desk.progress(run)
    (folder / "run.json").unlink()
    os.mkfifo(folder / "run.json")
    with pytest.raises(BadInput, match="gone or damaged"):
        world.desk.progress(run)
    (folder / "stop").symlink_to(tmp_path / "made-by-root")
    world.set(run, state="running")
    world.desk.stop(run.identifier, BOB, now())
    assert not (tmp_path / "made-by-root").exists()
