"""Who looks after runs: starting, ends, deaths, limits, several servers, and what comes after the end."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pancommons.base.errors import BadInput
from pancommons.catalogue.access import Principal
from pancommons.catalogue.ingest.harvest import Harvest
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.read import fetch
from pancommons.catalogue.read import resource as resource_of
from pancommons.catalogue.tables import datasets
from pancommons.pipelines.lock import holder
from pancommons.runs import keeping, registering, supervising
from pancommons.runs.asked import Conflict
from pancommons.runs.run import Run
from pancommons.runs.starting import LocalStarter
from pancommons.runs.supervising import HOLD, TRIES, Supervisor
from pancommons.runs.tables import runs
from tests.runs.world import BOB, DAY, ROOT, Pretended, World, now, wait_until


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=10)
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Supervised:
    """A supervisor that looks when it is told to, with processes that are none."""

    def __init__(self, world: World) -> None:
        self.world, self.clock, self.starter = world, Clock(), Pretended()
        self.one = self.another()

    def another(self) -> Supervisor:
        return Supervisor(self.world.desk, self.starter, self.clock)

    def states(self) -> list[str]:
        return [row.state for row in self.world.rows()]

    def finish(self, run: Run, state: str = "done", text: str = "") -> None:
        self.starter.finish(self.world.desk.folder(run).path, state, text)


@pytest.fixture
def supervised(make_world: Callable[..., World]) -> Supervised:
    return Supervised(make_world(at_a_time=2, at_a_time_each=1))


def test_runs_start_in_fair_order_and_within_limits(supervised: Supervised) -> None:
    world = supervised.world
    many = [world.ask() for _ in range(3)]
    hers = world.ask("secret", world.ada)
    assert [run.place for run in world.desk.list(ROOT, now(), everybody=True)[::-1]] == [1, 3, 4, 2]
    supervised.one.look()
    assert supervised.states() == ["running", "waiting", "waiting", "running"]
    supervised.one.look()
    supervised.finish(many[0])
    supervised.one.look()
    assert supervised.states()[:2] == ["done", "running"]
    preview = world.ask(preview=True)
    supervised.one.look()
    assert world.get(preview).state == "running", "a place of its own"
    assert world.get(hers).started is not None and world.get(hers).ended is None


def test_two_servers_start_each_run_once(supervised: Supervised) -> None:
    world, other = supervised.world, supervised.another()
    both = [world.ask(), world.ask("secret", world.ada)]
    supervised.one.look()
    other.look()
    assert len(supervised.starter.started) == 2
    assert {row.holder for row in world.rows()} == {supervised.one.name}
    for run in both:
        supervised.finish(run)
    other.look()
    assert supervised.states() == ["running", "running"], "they are the other server's"
    supervised.clock.wait(HOLD + 1)
    other.look()
    assert supervised.states() == ["done", "done"]
    with world.database.read() as connection:
        ends = connection.execute(sa.select(sa.func.count()).where(audit.c.what == "end")).scalar_one()
    assert ends == 2


def test_servers_whose_clocks_differ_take_fair_turns(make_world: Callable[..., World]) -> None:
    """Whose turn it is follows from when runs began: the clock of one server must not put that out of order."""
    supervised = Supervised(make_world(at_a_time=1))
    world, ahead = supervised.world, supervised.another()
    ahead.clock = Clock()
    ahead.clock.wait(HOLD / 3)
    order = []
    for person in ("bob", "ada"):
        for _ in range(3):
            run = world.ask()
            world.set(run, person=person)
    for server in (ahead, supervised.one, supervised.one, ahead, supervised.one, ahead):
        server.look()
        [row] = [row for row in world.rows() if row.state == "running"]
        order.append(row.person)
        world.set(world.get(_run_of(world, row)), state="done", holder=None)
    assert order == ["bob", "ada"] * 3


def _run_of(world: World, row: Any) -> Run:
    [found] = [run for run in world.desk.list(ROOT, now(), everybody=True) if run.identifier == row.identifier]
    return found


def test_runs_of_a_server_that_died_are_taken_over_at_once(supervised: Supervised) -> None:
    world = supervised.world
    run = world.ask()
    supervised.one.look()
    gone = supervised.one.name.replace(f"/{os.getpid()}/", "/999999999/")
    world.set(run, holder=gone, handle=None)
    other = supervised.another()
    other.look()
    assert world.rows()[0].holder == other.name
    assert len(supervised.starter.started) == 2, "claimed, but perhaps never started: the folder's lock decides"


def test_a_run_whose_process_dies_goes_on_a_few_times_and_then_fails_with_a_sentence(supervised: Supervised) -> None:
    world = supervised.world
    run = world.ask()
    folder = world.desk.folder(run).path
    for tries in range(TRIES + 1):
        supervised.one.look()
        assert len(supervised.starter.started) == tries + 1
        (folder / "log").write_text(f"Killed in {world.folder}/raw/x\n")
        supervised.starter.die(folder)
        supervised.one.look()
    failed = world.get(run)
    assert failed.state == "failed"
    assert failed.why == (
        "its process ended 4 times without a word (Killed in raw:x); it may need more memory than there is"
    )
    again = world.desk.resume(run.identifier, BOB, now())
    assert again.state == "waiting" and again.why is None


def test_an_end_before_a_resume_is_not_taken_for_the_end_after_it(supervised: Supervised) -> None:
    world = supervised.world
    run = world.ask()
    supervised.one.look()
    supervised.finish(run, "stopped", "Stopped; go on with: pan resume /somewhere")
    supervised.one.look()
    assert world.get(run).why == "Stopped; what is finished is kept, and it can be gone on with."
    world.desk.resume(run.identifier, BOB, now())
    supervised.one.look()
    supervised.one.look()
    assert world.get(run).state == "running"
    supervised.finish(run, "failed", f"{world.folder}/raw/open.npy: this input is gone.")
    supervised.one.look()
    assert (world.get(run).state, world.get(run).why) == ("failed", "raw:open.npy: this input is gone.")


def test_a_run_that_is_to_stop_gets_its_stop_file_again_if_the_runner_took_it_away(supervised: Supervised) -> None:
    world = supervised.world
    run = world.ask()
    supervised.one.look()
    assert world.desk.stop(run.identifier, BOB, now()).state == "stopping"
    stop = world.desk.folder(run).stop
    assert stop.exists()
    stop.unlink()
    supervised.one.look()
    assert stop.exists()
    with pytest.raises(Conflict):
        world.desk.delete(run.identifier, BOB, now())
    supervised.starter.die(world.desk.folder(run).path)
    supervised.one.look()
    assert world.get(run).state == "stopped", "its process ended; nobody wants it to go on"


def test_a_run_that_takes_too_long_is_stopped_and_then_ended(supervised: Supervised) -> None:
    world = supervised.world
    run = world.ask()
    supervised.one.look()
    supervised.clock.wait(25 * 3600)
    supervised.one.look()
    supervised.one.look()
    assert world.get(run).state == "stopping" and world.desk.folder(run).stop.exists()
    supervised.clock.wait(3600)
    supervised.one.look()
    assert supervised.starter.ended
    supervised.one.look()
    assert (world.get(run).state, world.get(run).why) == (
        "stopped",
        "stopped after 24 h, which is as long as a run may take",
    )


def test_a_run_that_cannot_be_started_fails_with_a_sentence(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = supervised.world
    run = world.ask()
    supervised.one.starter = LocalStarter(world.desk.settings)
    world.desk.settings.runs.accounts["bob"] = "no-such-user"
    supervised.one.look()
    assert world.get(run).why == "there is no Unix user 'no-such-user' on this machine; ask the facility."
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(BadInput, match="may not run as the Unix user 'nobody'"):
        supervised.one.starter.start(world.folder, user="nobody", limits=supervising.Limits(1, 1))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_run_goes_as_the_user_it_is_mapped_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python is not readable to that user, a script in its place says who it is."""
    place = Path(tempfile.mkdtemp(prefix="pan-runs-as-", dir="/tmp"))
    place.chmod(0o755)
    program = place / "program"
    program.write_text('#!/bin/sh\nid -un; id -Gn; echo $HOME; env | grep -c HUNTER; touch "$3/made"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("HUNTER", "2")
    folder = place / "run"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    starter = LocalStarter(world.desk.settings)
    handle = starter.start(folder, user="nobody", limits=supervising.Limits(1 << 30, 60, "Ada"))
    wait_until(lambda: not starter.alive(handle))
    assert (folder / "log").read_text().split() == ["nobody", "nogroup", "/nonexistent", "0"]
    assert {(folder / name).owner() for name in (".", "run.json", "made")} == {"nobody"}
    with pytest.raises(BadInput, match="there is no Unix user"):
        starter.start(folder, user="no-such-user", limits=supervising.Limits(1, 1))
    shutil.rmtree(place)


def test_what_is_not_kept_is_removed_and_what_is_published_stays(make_world: Callable[..., World]) -> None:
    world = make_world(keep_days=30, keep_preview_days=2)
    old, new, preview = world.ask(), world.ask(), world.ask(preview=True)
    for run, age in ((old, 31), (new, 29), (preview, 3)):
        world.set(run, state="done", ended=now() - age * DAY)
    expires = world.get(new).expires
    assert expires is not None and abs(expires - now() - DAY) < timedelta(minutes=5)
    with world.database.read() as connection:
        published = connection.execute(sa.select(datasets.c.id).where(datasets.c.pid == "pid/open")).scalar_one()
    world.set(old, dataset_id=published)
    assert keeping.remove_expired(world.desk.database, world.desk.place, world.desk.settings.runs, now()) == 1
    assert [run.identifier for run in world.desk.list(BOB, now())] == [new.identifier, old.identifier]
    assert not world.desk.folder(preview).path.exists() and world.desk.folder(old).path.exists()
    with pytest.raises(Conflict, match="published"):
        world.desk.delete(old.identifier, BOB, now())
    orphan = world.folder / "runs" / "2020" / "01" / "left-behind"
    orphan.mkdir(parents=True)
    assert keeping.remove_orphans(world.desk.database, world.desk.place, now()) == 0, (
        "it may be one that is being asked for"
    )
    os.utime(orphan, (0, 0))
    assert keeping.remove_orphans(world.desk.database, world.desk.place, now()) == 1
    assert not orphan.exists() and world.desk.folder(new).path.exists()


def test_a_result_is_put_into_the_catalogue_though_the_process_that_reads_it_is_lost(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, tried = supervised.world, list[int]()
    run = world.ask()
    supervised.one.look()
    folder = world.desk.folder(run).path

    def read(tasks: object, *_: object) -> list[Harvest]:
        tried.append(1)
        return [Harvest(folder, problem="made the process that read it crash")]

    monkeypatch.setattr(registering, "read_all", read)
    with pytest.raises(registering.NotRegistered, match="crash"):
        registering.register(world.database, world.desk.roots, folder, world.rows()[0])
    assert len(tried) == 3


def test_whoever_was_taken_for_dead_does_not_say_that_a_result_cannot_be_registered(supervised: Supervised) -> None:
    world = supervised.world
    run = world.ask()
    supervised.one.look()
    world.set(run, state="done", to_register=True)
    [row] = world.rows()
    world.set(run, holder=supervised.another().name)
    supervised.one._register(row)
    assert world.rows()[0].to_register and world.get(run).why is None, "the other is at it"
    world.set(run, holder=supervised.one.name)
    supervised.one._register(row)
    assert not world.rows()[0].to_register and "could not be put" in str(world.get(run).why)


def test_what_somebody_else_did_in_time_is_not_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers clear away at once, and a person goes on with a run just when it is to be removed."""
    again, twice = world.ask(preview=True), world.ask(preview=True)
    for run in (again, twice):
        world.set(run, state="stopped", ended=now() - 3 * DAY)
    done: list[int] = []
    turn = keeping.take_turn

    def others_first(connection: sa.Connection) -> None:
        if not done:
            done.append(1)
            connection.execute(sa.update(runs).where(runs.c.identifier == again.identifier).values(state="waiting"))
            row = connection.execute(sa.select(runs).where(runs.c.identifier == twice.identifier)).one()
            keeping.delete(connection, row, now())
        turn(connection)

    monkeypatch.setattr(keeping, "take_turn", others_first)
    assert keeping.remove_expired(world.desk.database, world.desk.place, world.desk.settings.runs, now()) == 0
    assert world.get(again).state == "waiting" and world.desk.folder(again).path.exists()
    with world.database.read() as connection:
        told = sa.select(sa.func.count()).where(audit.c.what == "delete")
        assert connection.execute(told).scalar_one() == 0, "it was not removed twice"


def test_a_killed_runner_is_taken_up_and_its_result_is_registered_once_as_its_owners(world: World) -> None:
    """Nothing is pretended here: processes, a kill, the catalogue."""
    run = world.ask("secret", world.ada, parameters={"pause": 0.25})
    folder = world.desk.folder(run)
    supervisor = Supervisor(world.desk)
    supervisor.start()
    wait_until(lambda: folder.events.exists() and '"unit"' in folder.events.read_text())
    runner = holder(folder.path)
    assert runner is not None and os.getpriority(os.PRIO_PROCESS, runner.pid) >= 10
    assert os.getsid(runner.pid) == runner.pid
    most = 2 * world.rows()[0].allowed + (4 << 30)
    assert resource.prlimit(runner.pid, resource.RLIMIT_AS) == (most, most)
    assert resource.prlimit(runner.pid, resource.RLIMIT_CORE) == (0, 0)
    with open(f"/proc/{runner.pid}/environ") as environ:  # noqa: PTH123
        assert "PANCOMMONS_CONFIG=/dev/null" in environ.read().split("\0")
    os.kill(runner.pid, signal.SIGKILL)
    wait_until(lambda: world.get(run).dataset)
    supervisor.stop()
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    assert [event["event"] for event in events].count("started") == 2
    assert [event["event"] for event in events].count("ended") == 1
    units = [(event["stage"], event["unit"]) for event in events if event["event"] == "unit"]
    assert len(units) == len(set(units)) == 16, "no unit was done twice"
    done = world.get(run)
    assert (done.state, world.rows()[0].tries) == ("done", 1)
    with world.database.read() as connection:
        found = fetch(connection, "dataset", str(done.dataset), world.ada, now())
        assert found is not None and fetch(connection, "dataset", str(done.dataset), BOB, now()) is None
        about = resource_of(connection, "dataset", found.id)  # type: ignore[union-attr]
    assert (about.owner, about.proposal, about.open_from) == ("ada", world.proposal, None)
    assert [one.target for one in found.record.relations] == ["pid/secret"]  # type: ignore[union-attr]
    assert found.record.title == "Squares of strips: the secret vector"  # type: ignore[union-attr]
    with pytest.raises(BadInput, match=rf"runs:.*{run.identifier}/result.nxs: expected a vector"):
        world.ask(str(done.dataset), world.ada)
    with pytest.raises(BadInput, match="that you may run on"):
        world.ask(str(done.dataset), BOB)
    world.set(run, to_register=True)
    supervisor = Supervisor(world.desk)
    supervisor.start()
    wait_until(lambda: not world.rows()[0].to_register)
    supervisor.stop()
    with world.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).where(datasets.c.kind == "processed")).scalar_one() == 1
    member = Principal("eve", proposals=world.ada.proposals)
    assert world.desk.get(run.identifier, member, now()) is None, "the result is the team's, the run its owner's"
    world.desk.delete(run.identifier, world.ada, now())
    with world.database.read() as connection:
        assert fetch(connection, "dataset", str(done.dataset), world.ada, now()) is None
    assert not folder.path.exists()
