"""The viewer on a line of 100 Mbit/s, with frames of 8 MB: what goes over it, and how long a picture takes."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from pancommons.base.settings import Settings
from pancommons.server.pages.frame import built
from pancommons.store.engine import Database
from tests.browser.conftest import Complaints, missing
from tests.browser.line import Line, slow_line
from tests.browser.test_look import register
from tests.nexus.detector import write_frames
from tests.server.conftest import listening, sqlite_database

__all__ = ["sqlite_database"]

FRAMES, EDGE = 8, 2048
PLAIN = EDGE * EDGE * 2
_NOTE = f"""
window.noted = {{ pressed: [], drawn: [] }};
addEventListener("keydown", () => noted.pressed.push(performance.now()), true);
for (const name of ["texImage2D", "texSubImage2D"]) {{
  const own = WebGL2RenderingContext.prototype[name];
  WebGL2RenderingContext.prototype[name] = function (...given) {{
    const data = given.find((one) => ArrayBuffer.isView(one));
    if (data && data.length === {EDGE * EDGE}) noted.drawn.push(performance.now());
    return own.apply(this, given);
  }};
}}
"""


def _until_still(page: Page, line: Line) -> None:
    """Wait until nothing has come for a second."""
    before = -1
    while before != line.received:
        before = line.received
        page.wait_for_timeout(1000)


def _until_drawn(page: Page, often: int) -> None:
    """Wait until pictures were drawn so often; a string may not be run as a program in pages of ours."""
    for _ in range(1200):
        if page.evaluate("noted.drawn.length") >= often:
            return
        page.wait_for_timeout(50)
    raise AssertionError("no picture within a minute")


@pytest.mark.soak
def test_frames_of_8_mb_over_100_mbit(
    page: Page, sqlite_database: Database, tmp_path: Path, complaints: Complaints
) -> None:
    """Each frame goes over the line once, in a quarter of its bytes, and the next one is there before it is wanted."""
    if "viewer.js" not in built():
        missing("the viewer is not built (make install, with npm)")
    write_frames(tmp_path / "v.h5", FRAMES, EDGE)
    ids = register(sqlite_database, {"v.h5": "v.h5"})
    asked: list[int] = []

    def note(url: str) -> None:
        if "/chunks?" in url:
            asked.append(int(parse_qs(urlsplit(url).query)["selection"][0].split(",")[0]))
        assert "/data?" not in url or "path=%2Fv" not in url, "no frame is fetched the plain way"

    page.on("request", lambda request: note(request.url))
    page.add_init_script(_NOTE)
    with (
        listening(sqlite_database, Settings(data_roots={"data": str(tmp_path)})) as address,
        slow_line(int(address.rsplit(":", 1)[1]), bits=100e6, seconds=0.02) as line,
    ):
        page.goto(f"http://127.0.0.1:{line.port}/look/{ids['v.h5']}?path=/v")
        expect(page.locator("#viewer canvas").first).to_be_visible(timeout=60_000)
        _until_drawn(page, 1)
        slider = page.locator(f"#viewer [role=slider][aria-valuemax='{FRAMES - 1}']")
        taken = []
        for index in range(1, 5):
            _until_still(page, line)
            assert sorted(asked) == list(range(index + 1)), "the next frame was fetched ahead, and none twice"
            before, drawn = line.received, page.evaluate("noted.drawn.length")
            slider.press("ArrowUp")
            expect(slider).to_have_attribute("aria-valuenow", str(index))
            _until_drawn(page, drawn + 1)
            taken.append(page.evaluate("noted.drawn.at(-1) - noted.pressed.at(-1)"))
            _until_still(page, line)
            assert line.received - before <= PLAIN / 4, "one frame more, of the one after the next"
            assert asked.count(index) == 1, "a frame that is there is not asked for again"
        before, drawn = line.received, page.evaluate("noted.drawn.length")
        slider.press("End")
        expect(slider).to_have_attribute("aria-valuenow", str(FRAMES - 1))
        _until_drawn(page, drawn + 1)
        jump = page.evaluate("noted.drawn.at(-1) - noted.pressed.at(-1)")
        _until_still(page, line)
        assert line.received - before <= PLAIN / 4
    assert not complaints.told
    print(
        f"\nfrom slider to picture, frame fetched ahead: median {median(taken):.0f} ms, longest {max(taken):.0f} ms; "
        f"not fetched ahead: {jump:.0f} ms; "
        f"a plain frame is {PLAIN * 8 / 100e6 * 1000:.0f} ms on the line alone"
    )
