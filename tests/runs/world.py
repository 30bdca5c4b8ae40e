"""A catalogue of vectors, some open, some of a team, and a desk where people ask for runs of ``strips`` on them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from pancommons.base.settings import Runs, Settings
from pancommons.catalogue.access import Principal, Role
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import find
from pancommons.catalogue.records import Dataset, Document, File, Terms
from pancommons.catalogue.write import put
from pancommons.runs import examining
from pancommons.runs.asked import Asked
from pancommons.runs.desk import Desk
from pancommons.runs.roots import all_roots
from pancommons.runs.run import Run
from pancommons.runs.starting import Limits
from pancommons.runs.tables import runs
from pancommons.store.engine import Database

PLUGIN = Path(__file__).parents[1] / "plugin"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
OPEN = Terms(open_from=LONG_AGO, discoverable_from=LONG_AGO, fixed=True)
CLOSED = Terms(fixed=True)
ROOT = Principal("root", everywhere=frozenset({Role.ADMINISTRATOR}))
BOB = Principal("bob")


def now() -> datetime:
    return datetime.now(UTC)


class HereAndNow:
    """Looks at data in this process."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def ask(self, told: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(told)
        return examining.examine(told)

    def close(self) -> None:
        pass


@dataclass
class World:
    """The desk, and what there is to run on: identifiers by name.

    ``open`` may be run on by whoever is known, ``secret`` by ``ada`` alone, who is of its team, ``two`` has two
    files, ``gone`` has one that is not on disk.
    """

    desk: Desk
    database: Database
    folder: Path
    datasets: dict[str, str]
    proposal: int
    ada: Principal = field(init=False)

    def __post_init__(self) -> None:
        self.ada = Principal("ada", proposals={Role.MEMBER: frozenset({self.proposal})})

    def asked(self, name: str = "open", **more: Any) -> Asked:
        return Asked("strips", {"vector": [self.datasets.get(name, name)]}, **more)

    def ask(self, name: str = "open", who: Principal = BOB, key: str | None = None, **more: Any) -> Run:
        return self.desk.ask(self.asked(name, **more), who, now(), key)

    def get(self, run: Run, who: Principal = ROOT) -> Run:
        found = self.desk.get(run.identifier, who, now())
        assert found is not None
        return found

    def rows(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(runs).order_by(runs.c.id)))

    def set(self, run: Run, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(sa.update(runs).where(runs.c.identifier == run.identifier).values(**values))


def vectors(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(("open", "secret", "one", "other")):
        np.save(folder / f"{name}.npy", np.arange(64.0) + number)


def build(database: Database, folder: Path, *, at: str = "runs", **told: Any) -> World:
    """Make the world on an empty database; ``told`` are settings of runs."""
    vectors(folder / "raw")
    (folder / "outside.npy").write_bytes((folder / "raw" / "open.npy").read_bytes())
    settings = Settings(
        data_roots={"raw": str(folder / "raw")}, runs=Runs(folder=str(folder / at), **{"at_a_time": 5, **told})
    )
    datasets, proposal = fill(database)
    desk = Desk(database, settings, all_roots(settings))
    desk.examiners = HereAndNow()  # type: ignore[assignment]
    return World(desk, database, folder, datasets, proposal)


def fill(database: Database) -> tuple[dict[str, str], int]:
    """Put the datasets into a catalogue; return identifiers by name, and the id of the proposal."""
    found, policy = {}, read_policy()
    with database.write() as connection:
        document = Document(pid="p1", type="proposal", title="a proposal", terms=OPEN)
        put(connection, document, policy=policy, by=ROOT, at=LONG_AGO)
        proposal = find(connection, "document", "p1")
        assert proposal is not None
        for name, files in {"open": ["open"], "secret": ["secret"], "two": ["one", "other"], "gone": ["gone"]}.items():
            terms = Terms(proposal="p1", fixed=True) if name == "secret" else OPEN
            record = Dataset(
                pid=f"pid/{name}", kind="raw", title=f"the {name} vector", creation_date=LONG_AGO, terms=terms,
                files=tuple(File(root="raw", path=f"{file}.npy") for file in files),
                documents=("p1",) if name == "secret" else (),
            )  # fmt: skip
            found[name] = put(connection, record, policy=policy, by=ROOT, at=LONG_AGO).identifier
    return found, proposal


class Pretended:
    """A starter of processes that are none: they do what the test says."""

    def __init__(self, roots: Roots | None = None) -> None:
        self.started: list[Path] = []
        self.living: dict[str, Path] = {}
        self.ended: list[str] = []

    def start(self, folder: Path, *, user: str | None, limits: Limits) -> str:
        self.started.append(folder)
        handle = f"pretended/{len(self.started)}"
        self.living[handle] = folder
        return handle

    def alive(self, handle: str) -> bool:
        return handle in self.living

    def end(self, handle: str) -> None:
        self.ended.append(handle)
        self.living.pop(handle, None)

    def die(self, folder: Path) -> None:
        self.living = {handle: one for handle, one in self.living.items() if one != folder}

    def finish(self, folder: Path, state: str = "done", text: str = "") -> None:
        with (folder / "events.jsonl").open("a") as file:
            for event in (
                {"event": "started", "host": "h", "pid": 1},
                {"event": "ended", "state": state, "text": text},
            ):
                file.write(json.dumps({"time": 1.0, **event}) + "\n")
        self.die(folder)


def wait_until(condition: Callable[[], Any], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


DAY = timedelta(days=1)
