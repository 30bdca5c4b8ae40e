"""Chromium without a window, pages in it, what they complain of, and axe-core to judge them.

Tests are skipped where Chromium or axe-core is not installed, and fail there in CI.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.server.conftest import database, empty_postgresql, empty_sqlite, new_database, postgresql, served

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "postgresql", "served"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_DRAWING = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
_AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
_LOADING = ("Failed to load resource", "htmx:sendAbort", "htmx:afterRequest")  # htmx tells what a click cut off

expect.set_options(timeout=20_000)


def missing(message: str) -> None:
    """Skip a test for want of something that this machine lacks; fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give Chromium, which draws WebGL in software; while it is there, no other event loop runs in this thread."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        missing("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_DRAWING)
        yield started
        started.close()


@dataclass
class Complaints:
    """What pages said went wrong in them: errors and warnings of the console, exceptions, refused styles.

    Attributes
    ----------
    told
        One line for each; answers with an error status are the server's and do not count.
    """

    told: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Note what a page complains of from now on."""
        page.on("pageerror", lambda error: self.told.append(f"exception: {error}"))
        page.on(
            "console",
            lambda said: (
                self.told.append(f"{said.type}: {said.text}")
                if said.type == "error" and not said.text.startswith(_LOADING)
                else None
            ),
        )


@pytest.fixture
def complaints() -> Complaints:
    """Give the list of what the test's pages complained of."""
    return Complaints()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give a browser profile of the test's own, 1280 by 800, light, in English."""
    made = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light", locale="en-GB")
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, complaints: Complaints) -> Page:
    """Give an empty page whose complaints are noted."""
    made = context.new_page()
    complaints.listen(made)
    return made


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """Give a function that lets axe-core judge a page: its violations, one line each.

    ``without`` names parts that are left out by their selectors. The script is handed to the page by the debugger,
    which no Content-Security-Policy holds back.
    """
    if not _AXE.exists():
        missing("axe-core is not installed (npm ci --prefix tests/node)")
    script = _AXE.read_text(encoding="utf-8")

    def judge(page: Page, without: tuple[str, ...] = ()) -> list[str]:
        page.evaluate(f"() => {{ {script}\n }}")
        what = json.dumps({"exclude": [[selector] for selector in without]})
        found = page.evaluate(f"() => axe.run({what})")
        return [
            f"{broken['id']} ({broken['impact']}): {node['html'][:160]} - {node['failureSummary'][:200]}"
            for broken in found["violations"]
            for node in broken["nodes"]
        ]

    return judge
