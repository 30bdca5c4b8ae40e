"""What is made ready beside the first visitors: they find it, and a server that ends does not wait for it."""

from __future__ import annotations

import threading

import pytest
from fastapi.testclient import TestClient

from pancommons.pipelines import registry
from pancommons.server import warming
from pancommons.server.app import create_app
from pancommons.server.pages import frame
from pancommons.server.pages.languages import LANGUAGES
from pancommons.server.services import Services, Settings
from pancommons.server.warming import Warming
from pancommons.store.engine import Database
from tests.catalogue.search.putting import dataset, put


@pytest.fixture
def services(sqlite_database: Database) -> Services:
    put(sqlite_database, [dataset("10.1/1", "x-ray lung")])
    return Services(sqlite_database, Settings())


def going() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "warming"]


def test_every_step_can_be_done_and_a_template_is_compiled_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame.environment.cache_clear()
    monkeypatch.setattr(frame, "_compiled", frame._Compiled())
    compiled = []
    made = frame.Environment.compile
    monkeypatch.setattr(
        frame.Environment, "compile", lambda self, source, name=None, *rest, **more: (
            compiled.append(name), made(self, source, name, *rest, **more)
        )[1],
    )  # fmt: skip
    for step in Warming(services).steps():
        step()
    assert "dataset/page.html" in compiled and len(compiled) == len(set(compiled))
    assert {one for code in LANGUAGES for one in frame.environment(code).cache or {}}
    assert registry.load.cache_info().currsize
    frame.environment.cache_clear()


def test_it_goes_on_after_what_fails_and_says_nothing_loudly(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def fails() -> None:
        raise OSError("no disk")

    monkeypatch.setattr(Warming, "steps", lambda self: iter([fails, done.set]))
    warmed = Warming(services)
    warmed.start()
    assert done.wait(10)
    warmed.stop()
    ours = [one for one in caplog.records if one.name == warming.log.name]
    assert not [one for one in ours if one.levelname in ("WARNING", "ERROR")] and not going()


def test_a_server_that_ends_does_not_wait_for_it(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, free, after = threading.Event(), threading.Event(), []
    monkeypatch.setattr(warming, "_LONGEST_WAIT", 0.01)

    def waits() -> None:
        begun.set()
        free.wait(30)

    monkeypatch.setattr(Warming, "steps", lambda self: iter([waits, lambda: after.append("done")]))
    with TestClient(create_app(services)):
        assert begun.wait(10)
    [thread] = going()
    assert thread.daemon
    free.set()
    thread.join(10)
    assert not after
