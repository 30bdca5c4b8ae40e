"""What a server does about runs all the time: start those whose turn it is, notice ends, register, tell, clear away.

Any number of servers may do so on one database. A server looks after the runs that it holds, and says so for
a few seconds at a time; when it is gone, others take its runs over. What it held only in its memory is not
needed: the state is in the database and in the run folders, whose runners need no server.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pancommons.base.errors import PanError
from pancommons.catalogue import audit
from pancommons.catalogue.tables import datasets
from pancommons.pipelines.following import Progress
from pancommons.pipelines.lock import is_running
from pancommons.runs import keeping, reading, sight, telling
from pancommons.runs.desk import Desk
from pancommons.runs.queue import Places, choose
from pancommons.runs.reading import Tail
from pancommons.runs.registering import NotRegistered, register
from pancommons.runs.starting import LOG, Limits, LocalStarter, Starter, is_here, is_there, name_of
from pancommons.runs.stopping import put_stop
from pancommons.runs.tables import ENDED, GOING, runs
from pancommons.runs.turns import take_turn
from pancommons.store.functions import among

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks."""
HOLD = 15.0
"""Seconds for which a server holds a run without saying so again."""
TRIES = 3
"""How often a run is taken up again whose runner died."""
_PATIENCE = 300.0
_CLEAR_EVERY = 600.0
_WORKERS = 2


def now() -> datetime:
    """Return the moment, in UTC."""
    return datetime.now(UTC)


class Supervisor:
    """Looks after runs in a thread of its own, from `start` to `stop`; runs go on when it ends.

    Parameters
    ----------
    desk
        Where runs are asked for.
    starter
        What starts them; on this machine where none is given.
    clock
        Says what time it is.
    """

    def __init__(self, desk: Desk, starter: Starter | None = None, clock: Callable[[], datetime] = now) -> None:
        self.desk, self.clock = desk, clock
        self.starter = starter or LocalStarter(desk.settings)
        self.name = f"{name_of(os.getpid())}/{id(self)}"
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="runs")
        self._busy: set[int] = set()
        self._seen: dict[int, tuple[int, Tail, Progress]] = {}
        self._cleared: datetime | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._go, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what is being registered or told is waited for."""
        self._over.set()
        self.desk.changed.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
        with suppress(sa.exc.SQLAlchemyError), self.desk.database.write() as connection:
            connection.execute(sa.update(runs).where(runs.c.holder == self.name).values(holder=None, held_until=None))

    def _go(self) -> None:
        while not self._over.is_set():
            try:
                self.look()
            except Exception:
                log.exception("looking after runs failed; it is tried again")
            self.desk.changed.wait(EVERY)
            self.desk.changed.clear()

    def look(self) -> None:
        """Do once what there is to do."""
        at = self.clock()
        for row in self._held(at):
            if row.id in self._busy:
                continue
            try:
                self._attend(row, at)
            except Exception:
                log.exception("run %s: looking after it failed; it is tried again", row.identifier)
        while self._start_next():
            pass
        if self._cleared is None or (at - self._cleared).total_seconds() > _CLEAR_EVERY:
            self._cleared = at
            desk = self.desk
            keeping.remove_expired(desk.database, desk.place, desk.settings.runs, at)
            keeping.remove_orphans(desk.database, desk.place, at)

    def _attend(self, row: Any, at: datetime) -> None:
        """Do for one run what there is to do."""
        if row.state in GOING:
            self._follow(row, at)
        elif row.to_register:
            self._do(row, self._register)
        elif row.to_tell and (row.tell_at is None or row.tell_at <= at):
            self._do(row, self._tell)

    def _held(self, at: datetime) -> list[Any]:
        """Return the runs with something to do that this server holds; take those that nobody holds any more."""
        todo = sa.or_(runs.c.state.in_(GOING), runs.c.to_register, runs.c.to_tell > 0)
        query = sa.select(runs).where(todo, runs.c.state != "waiting", runs.c.removed.is_(None)).order_by(runs.c.id)
        with self.desk.database.read() as connection:
            rows = connection.execute(query).all()
        mine = [row for row in rows if row.holder == self.name]
        free = [row for row in rows if row.holder != self.name and self._is_free(row, at)]
        until = at + timedelta(seconds=HOLD)
        if any(row.held_until < at + timedelta(seconds=HOLD / 2) for row in mine) or free:
            with self.desk.database.write() as connection:
                keep = sa.update(runs).where(among(runs.c.id, [row.id for row in mine]), runs.c.holder == self.name)
                connection.execute(keep.values(held_until=until))
                for row in free:
                    same = runs.c.id == row.id, runs.c.holder.is_not_distinct_from(row.holder)
                    taken = sa.update(runs).where(*same, runs.c.held_until.is_not_distinct_from(row.held_until))
                    if connection.execute(taken.values(holder=self.name, held_until=until)).rowcount:
                        mine.append(row)
        return mine

    def _is_free(self, row: Any, at: datetime) -> bool:
        """Say whether nobody looks after a run: its holder is silent for a while, or gone from this machine."""
        if row.holder is None or row.held_until is None or row.held_until < at:
            return True
        process = row.holder.rpartition("/")[0]
        return is_here(process) and not is_there(process)

    def _start_next(self) -> bool:
        """Start the run whose turn it is; say whether there was one.

        Turns are told by when runs began, so that each begins after the one before it, whatever the clocks of the
        servers say.
        """
        told = self.desk.settings.runs
        with self.desk.database.read() as connection:
            if not sight.waiting(connection):
                return False
        with self.desk.database.write() as connection:
            take_turn(connection)
            going = connection.execute(sa.select(runs.c.person, runs.c.preview).where(runs.c.state.in_(GOING)))
            one = choose(
                sight.waiting(connection),
                [(person, preview) for person, preview in going],
                sight.latest(connection),
                Places(told.at_a_time, told.at_a_time_each),
            )
            if one is None:
                return False
            before = connection.execute(sa.select(sa.func.max(runs.c.began, type_=runs.c.began.type))).scalar()
            at = self.clock() if before is None else max(self.clock(), before + timedelta(milliseconds=1))
            claim = sa.update(runs).where(runs.c.id == one.id, runs.c.state == "waiting")
            hold = {"holder": self.name, "held_until": at + timedelta(seconds=HOLD)}
            started = sa.func.coalesce(runs.c.started, sa.literal(at, runs.c.started.type))
            values = {"state": "running", "began": at, "started": started, "why": None, "handle": None, **hold}
            if not connection.execute(claim.values(**values)).rowcount:
                return False
            row = connection.execute(sa.select(runs).where(runs.c.id == one.id)).one()
        self._launch(row)
        return True

    def _launch(self, row: Any) -> None:
        """Start the process of a run that this server holds."""
        told = self.desk.settings.runs
        limits = Limits(row.allowed, told.hours * 3600, row.name)
        try:
            handle = self.starter.start(self.desk.place / row.folder, user=told.accounts.get(row.person), limits=limits)
        except PanError as error:
            self._end(row, "failed", self.desk.hiding.text(str(error)))
            return
        with self.desk.database.write() as connection:
            same = runs.c.id == row.id, runs.c.holder == self.name
            connection.execute(sa.update(runs).where(*same).values(handle=handle))

    def _follow(self, row: Any, at: datetime) -> None:
        """Look whether a run that goes has ended, died, or taken too long."""
        folder = self.desk.place / row.folder
        state, text = self._events(row)
        if is_running(folder):
            self._hurry(row, at)
            return
        if state in ENDED:
            self._end(row, state, text)
            return
        if row.handle is not None and self.starter.alive(row.handle):
            self._hurry(row, at)
            return
        state, text = self._events(row)
        if state in ENDED:
            self._end(row, state, text)
        elif row.handle is None and row.tries == 0:
            self._launch(row)
        elif row.state == "stopping":
            self._end(row, "stopped", None)
        elif row.tries < TRIES:
            self._again(row)
        else:
            self._end(row, "failed", self._died(row))

    def _events(self, row: Any) -> tuple[str, str | None]:
        """Return the state that the events since the last start tell of, and the sentence on it."""
        known = self._seen.get(row.id)
        if known is None or known[0] != row.line:
            known = self._seen[row.id] = (row.line, Tail(self.desk.place / row.folder, row.line), Progress())
        _, tail, progress = known
        for _, event in tail.more():
            with suppress(KeyError, TypeError, ValueError):
                progress.take(event)
        text = self.desk.shown({"event": "ended", "state": progress.state, "text": progress.text})["text"]
        return progress.state, text or None

    def _hurry(self, row: Any, at: datetime) -> None:
        """Stop what goes for too long; see that a run that is to stop does."""
        folder, hours = self.desk.place / row.folder, self.desk.settings.runs.hours
        took = (at - row.began).total_seconds()
        if row.state == "running" and took > hours * 3600:
            why = f"stopped after {hours:g} h, which is as long as a run may take"
            with self.desk.database.write() as connection:
                same = runs.c.id == row.id, runs.c.state == "running"
                connection.execute(sa.update(runs).where(*same).values(state="stopping", why=why))
            put_stop(folder)
        elif row.state == "stopping":
            put_stop(folder)
            if took > hours * 3600 + _PATIENCE and row.handle is not None:
                self.starter.end(row.handle)

    def _again(self, row: Any) -> None:
        """Take up a run whose runner died; what is finished is kept."""
        with self.desk.database.write() as connection:
            same = runs.c.id == row.id, runs.c.holder == self.name, runs.c.state == row.state
            again = sa.update(runs).where(*same).values(tries=row.tries + 1, handle=None)
            if not connection.execute(again).rowcount:
                return
            row = connection.execute(sa.select(runs).where(runs.c.id == row.id)).one()
        log.info("run %s: its runner died; it goes on", row.identifier)
        self._launch(row)

    def _died(self, row: Any) -> str:
        """Say what is known of a runner that dies again and again."""
        said = reading.read_inside(self.desk.place / row.folder, LOG) or b""
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
        last = f" ({self.desk.hiding.text(last)})" if last else ""
        return f"its process ended {row.tries + 1} times without a word{last}; it may need more memory than there is"

    def _end(self, row: Any, state: str, text: str | None) -> None:
        """Note the end of a run, once."""
        at = self.clock()
        why = text if state in ("failed", "partial") else None
        if state == "stopped":
            why = row.why if row.why and row.why.startswith("stopped after") else text
        with self.desk.database.write() as connection:
            same = runs.c.id == row.id, runs.c.holder == self.name, runs.c.state.in_(GOING)
            register_it = state in ("done", "partial") and not row.preview
            end = sa.update(runs).where(*same)
            ended = end.values(state=state, why=why, ended=at, handle=None, to_register=register_it, tell_at=None)
            if connection.execute(ended).rowcount:
                facts = {"state": state, "person": row.person}
                audit.record(connection, keeping.SERVER, "end", at, kind="run", identifier=row.identifier, facts=facts)
        self._seen.pop(row.id, None)
        self.desk.changed.set()

    def _do(self, row: Any, what: Callable[[Any], None]) -> None:
        self._busy.add(row.id)

        def work() -> None:
            try:
                what(row)
            except Exception:
                log.exception("run %s: %s failed; it is tried again", row.identifier, what.__name__.strip("_"))
                self._over.wait(EVERY)
            finally:
                self._busy.discard(row.id)
                self.desk.changed.set()

        self._pool.submit(work)

    def _register(self, row: Any) -> None:
        """Put the result into the catalogue."""
        desk = self.desk
        values: dict[str, Any] = {"to_register": False}
        same = [runs.c.id == row.id, runs.c.to_register]
        try:
            values["dataset_id"] = register(desk.database, desk.roots, desk.place / row.folder, row)
        except NotRegistered as error:
            sentence = f"its result could not be put into the catalogue: {desk.hiding.text(str(error))}"
            values["why"] = f"{row.why}; {sentence}" if row.why else sentence
            same.append(runs.c.holder == self.name)  # who was taken for dead meanwhile has no say in it
        with desk.database.write() as connection:
            connection.execute(sa.update(runs).where(*same).values(**values))

    def _tell(self, row: Any) -> None:
        """Tell whoever is to be told; a try counts before it is made, so that nobody is told without end."""
        at = self.clock()
        later = at + timedelta(seconds=telling.PAUSE * 2 ** (telling.TRIES - row.to_tell))
        with self.desk.database.write() as connection:
            same = runs.c.id == row.id, runs.c.to_tell == row.to_tell, runs.c.holder == self.name
            claim = sa.update(runs).where(*same).values(to_tell=row.to_tell - 1, tell_at=later)
            if not connection.execute(claim).rowcount:
                return
            query = sa.select(datasets.c.identifier).where(datasets.c.id == row.dataset_id)
            dataset = connection.execute(query).scalar()
        try:
            telling.tell(row, dataset, self.desk.settings)
        except telling.NotTold as error:
            log.warning("run %s: its end could not be told (%s)", row.identifier, error)
            return
        with self.desk.database.write() as connection:
            connection.execute(sa.update(runs).where(runs.c.id == row.id).values(to_tell=0, tell_at=None))
