"""The desk: where people ask for runs, see them, stop them, go on with them and throw them away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base import machine
from pancommons.base.errors import BadInput
from pancommons.base.settings import Settings
from pancommons.catalogue import audit
from pancommons.catalogue.access import Action, Principal
from pancommons.catalogue.ingest.roots import Roots
from pancommons.catalogue.ledger import take
from pancommons.pipelines import creation, registry
from pancommons.pipelines.events import Event
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.following import Progress
from pancommons.pipelines.record import Record
from pancommons.runs import keeping, reading, sight, stopping
from pancommons.runs.asked import Asked, Conflict, Examined, NotSignedIn
from pancommons.runs.examiners import Examiners
from pancommons.runs.hiding import Hiding
from pancommons.runs.looking import Look
from pancommons.runs.resolving import check_touched, of_their_team, resolve
from pancommons.runs.roots import RUNS
from pancommons.runs.run import Run, is_identifier, new_identifier
from pancommons.runs.tables import run_inputs, runs
from pancommons.runs.telling import check_tell
from pancommons.runs.turns import take_turn
from pancommons.store.engine import Database
from pancommons.store.rows import insert_rows

SECONDS = 10.0
"""What a query for somebody may take."""


class Desk:
    """Where runs are asked for; opened once by a server.

    Every method may be called from any thread, asks who may, and reads and writes the database and run folders,
    so none of them belongs on an event loop.

    Parameters
    ----------
    database
        With all tables.
    settings
        Of this installation.
    roots
        The data roots, the folder of runs among them as ``runs``; it is made if it is not there.
    """

    def __init__(self, database: Database, settings: Settings, roots: Roots) -> None:
        self.database, self.settings, self.roots = database, settings, roots
        self.place = roots.folders[RUNS]
        self.place.mkdir(parents=True, exist_ok=True)
        self.hiding = Hiding(roots)
        self.changed = threading.Event()
        self.examiners = Examiners(settings)

    def close(self) -> None:
        """End what waits to look at data; runs go on."""
        self.examiners.close()

    def get_ready(self) -> None:
        """Start what will look at data soon, as when a form is opened, so that nobody waits for it."""
        self.examiners.get_ready()

    def examine(self, asked: Asked, principal: Principal, at: datetime) -> Examined:
        """Look at the data and say what a run would find and take; nothing is kept.

        Raises
        ------
        BadInput
            In one sentence, for anything that would not work, or that this principal may not do.
        NotSignedIn, TooMany
            If nobody known asks, or too many do.
        """
        return self._look(asked, principal, at).told

    def ask(
        self, asked: Asked, principal: Principal, at: datetime, key: str | None = None, *, name: str | None = None
    ) -> Run:
        """Ask for a run: it gets a folder and waits for its turn.

        Parameters
        ----------
        key
            What the person calls this request: asked again with the same key, the same run is returned.
        name
            How the provenance names the person.

        Raises
        ------
        BadInput, NotSignedIn
            As `examine` does.
        TooMany
            If as many runs of this person wait as may.
        Conflict
            If the key was used for another request.
        """
        return self.ask_once(asked, principal, at, key, name=name)[0]

    def ask_once(
        self, asked: Asked, principal: Principal, at: datetime, key: str | None = None, *, name: str | None = None
    ) -> tuple[Run, bool]:
        """Do as `ask`, and say whether the run is new."""
        person = _known(principal)
        with self.database.read(SECONDS) as connection:
            known = self._asked_before(connection, person, key, asked)
            if known is not None:
                return known, False
            stopping.check_waiting(connection, person, self.settings.runs.waiting_each)
        if asked.tell is not None:
            check_tell(asked.tell, self.settings.runs)
        look = self._look(asked, principal, at)
        identifier = new_identifier()
        folder = f"{at.astimezone(UTC):%Y/%m}/{identifier}"
        try:
            creation.create(creation.Prepared(look.pipeline, look.record, look.estimate), self.place / folder)
        except BadInput as error:
            raise self._shown(error) from None
        try:
            with self.database.write() as connection:
                take_turn(connection)
                known = self._asked_before(connection, person, key, asked)
                if known is None:
                    stopping.check_waiting(connection, person, self.settings.runs.waiting_each)
                    row = look.row | {
                        "identifier": identifier,
                        "person": person,
                        "name": name,
                        "key": key,
                        "folder": folder,
                        "created": at,
                        "queued": at,
                    }
                    made = self._insert(connection, row, look, principal, at)
        except BaseException:
            keeping.remove_folder(self.place, folder)
            raise
        if known is not None:
            keeping.remove_folder(self.place, folder)
            return known, False
        self.changed.set()
        return made, True

    def get(self, identifier: str, principal: Principal, at: datetime) -> Run | None:
        """Return a run; None if there is none that this principal may see. One that was removed says so itself."""
        with self.database.read(SECONDS) as connection:
            row = self._row(connection, identifier, principal, at)
            return None if row is None else sight.made(connection, [row], self.settings.runs)[0]

    def list(
        self,
        principal: Principal,
        at: datetime,
        *,
        everybody: bool = False,
        state: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[Run]:
        """List runs, the newest first; those that were removed are left out.

        Parameters
        ----------
        everybody
            Those of all people, for who administers; else their own.
        state
            Only those in it.
        before
            Go on after the run with this identifier.
        """
        if before is not None and not is_identifier(before):
            return []
        conditions = [sight.seen_by(principal, at), runs.c.removed.is_(None)]
        if not (everybody and sight.administers(principal)):
            conditions.append(runs.c.person == principal.person)
        if state is not None:
            conditions.append(runs.c.state == state)
        if before is not None:
            conditions.append(runs.c.id < sa.select(runs.c.id).where(runs.c.identifier == before).scalar_subquery())
        with self.database.read(SECONDS) as connection:
            rows = connection.execute(sa.select(runs).where(*conditions).order_by(runs.c.id.desc()).limit(limit)).all()
            return sight.made(connection, rows, self.settings.runs)

    def stop(self, identifier: str, principal: Principal, at: datetime) -> Run:
        """Ask a run to stop: one that waits does at once, one that goes after the units in hand.

        Raises
        ------
        LookupError
            If there is no such run that this principal may see.
        Conflict
            If it has ended.
        """

        def change(connection: Connection, row: Any) -> None:
            stopping.stop(connection, row, self.place, at)

        return self._change(change, "stop", identifier, principal, at)

    def resume(self, identifier: str, principal: Principal, at: datetime) -> Run:
        """Let a run that was stopped, failed or ended partial wait for its turn again; finished work is kept.

        Raises
        ------
        LookupError
            If there is no such run that this principal may see.
        Conflict
            If there is nothing to go on with.
        TooMany
            If as many runs of this person wait as may.
        BadInput
            If they may not run on its inputs any more.
        """
        most = self.settings.runs.waiting_each

        def change(connection: Connection, row: Any) -> None:
            stopping.resume(connection, row, self.place, principal, at, waiting_each=most)

        return self._change(change, "resume", identifier, principal, at)

    def delete(self, identifier: str, principal: Principal, at: datetime) -> None:
        """Throw a run away, and its result with it; a line that there was one stays.

        Raises
        ------
        LookupError
            If there is no such run that this principal may see.
        Conflict
            If it goes, its result is open to others, or another run reads it.
        """

        def change(connection: Connection, row: Any) -> None:
            keeping.delete(connection, row, at)

        removed = self._change(change, "delete", identifier, principal, at)
        keeping.remove_folder(self.place, removed.path)

    def folder(self, run: Run) -> RunFolder:
        """Return the folder of a run; it is not opened."""
        return RunFolder(self.place / run.path)

    def progress(self, run: Run) -> Progress:
        """Return how far a run is, in words and numbers that may be shown.

        Raises
        ------
        BadInput
            If its folder is gone.
        """
        stages: dict[str, tuple[str, str]] = {}
        if run.pipeline in registry.names():
            stages = {stage.name: (stage.title, stage.noun) for stage in registry.load(run.pipeline).stages}
        found = reading.progress(self.place / run.path, stages)
        found.found = {name: self.shown(event) for name, event in found.found.items()}
        found.warnings = [self.hiding.text(text) for text in found.warnings]
        found.failures = [self.hiding.text(text) for text in found.failures]
        found.text = self.hiding.text(found.text)
        return found

    def report(self, run: Run) -> dict[str, Any]:
        """Return what ``report.json`` says, as it may be shown; empty where the run has not come so far."""
        shown: dict[str, Any] = self.hiding.json(reading.report(self.place / run.path))
        return shown

    def shown(self, event: Event) -> Event:
        """Return an event as it may be shown: no folder, no machine of the server."""
        told: Event = self.hiding.json({name: one for name, one in event.items() if name not in ("host", "pid")})
        if told.get("event") == "ended" and told.get("state") == "stopped":
            told["text"] = "Stopped; what is finished is kept, and it can be gone on with."
        return told

    def _row(self, connection: Connection, identifier: str, principal: Principal, at: datetime) -> Any:
        if not is_identifier(identifier):
            return None
        asked = {"which": identifier, "moment": at}
        return connection.execute(sight.one_seen_by(principal), asked).first()

    def _change(
        self, change: Callable[[Connection, Any], None], what: str, identifier: str, principal: Principal, at: datetime
    ) -> Run:
        """Make a change to the row of a run in one transaction, with a line of the audit."""
        if principal.scopes is not None and Action.RUN not in principal.scopes:
            raise NotSignedIn("This token does not allow to run anything.")
        with self.database.write() as connection:
            take_turn(connection)
            row = self._row(connection, identifier, principal, at)
            if row is None or row.removed is not None:
                raise LookupError(identifier)
            change(connection, row)
            audit.record(connection, principal, what, at, kind="run", identifier=identifier)
            row = connection.execute(sa.select(runs).where(runs.c.id == row.id)).one()
            made = sight.made(connection, [row], self.settings.runs)[0]
        self.changed.set()
        return made

    def _asked_before(self, connection: Connection, person: str, key: str | None, asked: Asked) -> Run | None:
        if key is None:
            return None
        row = connection.execute(sa.select(runs).where(runs.c.person == person, runs.c.key == key)).first()
        if row is None:
            return None
        if row.digest != asked.digest():
            raise Conflict("This idempotency key was used for another run; take a new one.")
        return sight.made(connection, [row], self.settings.runs)[0]

    def _look(self, asked: Asked, principal: Principal, at: datetime) -> Look:
        _known(principal)
        pipeline = registry.load(asked.pipeline)
        with self.database.read(SECONDS) as connection:
            resolved = resolve(connection, self.roots, pipeline, asked.inputs, principal, at)
        own = self.settings.runs
        memory = machine.parse_size(own.memory) if own.memory else machine.memory_free() // 2 // own.at_a_time
        answer = self.examiners.ask(
            {
                "pipeline": asked.pipeline,
                "inputs": {role: [str(one.path) for one in several] for role, several in resolved.items()},
                "parameters": dict(asked.parameters),
                "preset": asked.preset,
                "preview": asked.preview,
                "workers": own.workers or self.settings.workers or machine.cores(),
                "memory": memory,
                "roots": [str(folder) for folder in self.roots.folders.values()],
            }
        )
        if "problem" in answer:
            told = {name: answer.get(name) for name in ("file", "field", "remedy")}
            raise self._shown(BadInput(answer["problem"], **told))
        with self.database.read(SECONDS) as connection:
            linked = check_touched(connection, self.roots, answer["touched"], principal, at)
        record, estimate = Record.model_validate(answer["record"]), creation.Estimate(**answer["estimate"])
        team = of_their_team(principal, resolved, at)
        return Look(asked, pipeline, resolved, linked, record, estimate, self.hiding, alone=not team)

    def _insert(
        self, connection: Connection, row: Mapping[str, Any], look: Look, principal: Principal, at: datetime
    ) -> Run:
        id_ = take(connection, "id", 1)[0]
        connection.execute(sa.insert(runs).values(id=id_, **row))
        insert_rows(connection, run_inputs, [{"run_id": id_, **one} for one in look.input_rows()])
        facts = {"pipeline": row["pipeline"], "inputs": sorted({one.dataset for one in look.files()})}
        audit.record(connection, principal, "run", at, kind="run", identifier=row["identifier"], facts=facts)
        kept = connection.execute(sa.select(runs).where(runs.c.id == id_)).one()
        return sight.made(connection, [kept], self.settings.runs)[0]

    def _shown(self, error: BadInput) -> BadInput:
        """Return an error in which no folder of the server is named."""
        return BadInput(
            self.hiding.text(error.problem),
            file=None if error.file is None else self.hiding.text(str(error.file)),
            field=error.field,
            remedy=None if error.remedy is None else self.hiding.text(error.remedy),
        )


def _known(principal: Principal) -> str:
    """Return who asks, who must be known and allowed to run at all."""
    if principal.person is None:
        raise NotSignedIn("Sign in to run something.")
    if principal.scopes is not None and Action.RUN not in principal.scopes:
        raise NotSignedIn("This token does not allow to run anything.")
    return principal.person
