"""A portal around a catalogue of vectors and a desk, as different people see it in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import lxml.html
from fastapi import FastAPI
from httpx import Response
from starlette.testclient import TestClient

from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.pipelines import runner
from pancommons.pipelines.events import EventLog
from pancommons.runs.run import Run
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.visitor import Visitor, visitor
from pancommons.store.engine import Database
from tests.runs.world import BOB, World, build, now

HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Portal:
    """The application; ``who`` asks."""

    app: FastAPI
    world: World
    who: Principal = BOB
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = TestClient(self.app, headers=HTML, follow_redirects=False)
        self.app.dependency_overrides[visitor] = lambda: Visitor(
            self.who, self.who.person, "nothing" if self.who is ANONYMOUS else "session"
        )

    def get(self, path: str, status: int = 200) -> lxml.html.HtmlElement:
        """Open a page, and make sure that no path of the server is in it."""
        return self.page(self.client.get(path), status)

    def post(self, path: str, data: dict[str, Any], status: int = 303) -> Response:
        answer = self.client.post(path, data=data)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer

    def page(self, answer: Response, status: int = 200) -> lxml.html.HtmlElement:
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert str(self.world.folder) not in answer.text
        assert "Content-Security-Policy" in answer.headers
        page = lxml.html.fromstring(answer.text)
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
        assert not page.xpath("//@style | //style | //script[not(@src)] | //@onclick")
        for control in page.xpath("//main//input[not(@type='hidden')] | //main//select | //main//textarea"):
            name = control.get("id")
            assert (
                control.get("aria-label") or page.xpath(f"//label[@for='{name}']") or control.xpath("ancestor::label")
            )
        for described in page.xpath("//@aria-describedby"):
            assert set(described.split()) <= set(ids)
        return page

    def run(self, name: str = "open", who: Principal = BOB, state: str = "done", **more: Any) -> Run:
        """Ask for a run and bring it to a state."""
        made = self.world.ask(name, who, **more)
        folder = self.world.desk.folder(made).path
        at = now()
        if state in ("done", "partial"):
            runner.execute(folder)
        elif state != "waiting":
            log = EventLog(folder / "events.jsonl")
            log.add("started", host="secret-host", pid=1, on="threads", workers=2)
            log.add("stage", name="scale", title="Scaling", noun="values", units=8, total=64, finished=0)
            log.add("unit", stage="scale", unit=0, size=8, seconds=0.1, bytes=10)
            if state in ("failed", "stopped"):
                log.add("ended", state=state, text=f"{folder}/x broke" if state == "failed" else "Stopped.")
        told: dict[str, Any] = {"state": state}
        if state != "waiting":
            told["started"] = at - timedelta(seconds=9)
        if state not in ("waiting", "running", "stopping"):
            told["ended"] = at
        if state == "failed":
            told["why"] = "the planned accident happened"
        self.world.set(made, **told)
        return self.world.get(made)


@contextmanager
def portal_of(database: Database, folder: Path, **told: Any) -> Iterator[Portal]:
    """Make a portal on an empty database; ``told`` are settings of runs."""
    world = build(database, folder, **told)
    app = create_app(Services(database, world.desk.settings))
    app.state.runs.close()
    app.state.runs = world.desk
    try:
        yield Portal(app, world)
    finally:
        world.desk.close()
        app.state.readers.close()
        app.state.signin.close()
