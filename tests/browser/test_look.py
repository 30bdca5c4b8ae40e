"""The viewer in a browser: deep links, notes, large frames, exports; and the same files without JavaScript."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import h5py
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from pancommons.base.settings import Settings
from pancommons.server.pages.frame import built
from pancommons.store.engine import Database
from tests.browser.conftest import Complaints, missing
from tests.server.conftest import listening
from tests.server.pages.test_look import EXAMPLES, register

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

FEW = ("pynxtools/201805_WSe2_arpes.nxs", "sasdata/33837rear_1D_1.75_16.5_NXcanSAS_v3.h5", "savu/mm.nxs")


@dataclass
class Portal:
    """A server and the addresses of its files."""

    address: str
    ids: dict[str, str]

    def look(self, name: str, query: str = "") -> str:
        return f"{self.address}/look/{self.ids[name]}{query}"


def _files(root: Path) -> list[str]:
    with h5py.File(root / "scan.nxs", "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs["NX_class"], entry.attrs["default"] = "NXentry", "data"
        data = entry.create_group("data")
        data.attrs["NX_class"], data.attrs["signal"], data.attrs["axes"] = "NXdata", "frames", [".", "y", "x"]
        data["frames"] = np.arange(5 * 30 * 40, dtype="f4").reshape(5, 30, 40)
        data["x"], data["y"] = np.arange(40.0), np.arange(30.0)
        data["x"].attrs["units"] = data["y"].attrs["units"] = "mm"
        file["away"] = h5py.ExternalLink("elsewhere.h5", "/v")
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource("gone.h5", "v", (4,), "f8")
        file.create_virtual_dataset("holes", layout)
        file.create_dataset("huge", (1 << 40,), "f8", chunks=(1 << 20,))
        file.create_dataset("large", (2, 2000, 1500), "f4")[1] = 7
        file.create_dataset("wide", (4000, 4000), "f4", fillvalue=3)
        many = file.create_group("many")
        for index in range(2010):
            many[f"m{index:04}"] = index
    (root / "text.h5").write_text("no HDF5")
    return ["scan.nxs", "text.h5"]


@pytest.fixture
def portal(database: Database, tmp_path: Path) -> Iterator[Portal]:
    ids = register(database, {name: f"Dataset of {name}" for name in _files(tmp_path)})
    with listening(database, Settings(data_roots={"data": str(tmp_path)})) as address:
        yield Portal(address, ids)


@pytest.fixture(autouse=True)
def viewer() -> None:
    if "viewer.js" not in built():
        missing("the viewer is not built (make install, with npm)")


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def drawn(page: Page) -> Locator:
    return page.locator("#viewer canvas").first


def test_a_link_leads_to_path_and_frame(page: Page, portal: Portal, complaints: Complaints) -> None:
    page.goto(portal.look("scan.nxs", "?path=/entry/data&slice=2,:,:"))
    expect(drawn(page)).to_be_visible()
    expect(page.locator("#viewer [role=slider][aria-valuemax='4']")).to_have_attribute("aria-valuenow", "2")
    assert asked(page)["slice"] == "2,:,:"
    page.locator("#viewer [role=treeitem][data-path='/huge']").click()
    expect(page.locator("#look-path")).to_have_text("/huge")
    assert asked(page)["path"] == "/huge" and "slice" not in asked(page)
    expect(page.get_by_text("bytes, of at most 8388608")).to_be_visible()
    assert page.locator("#look-copy").get_attribute("data-copy") == page.url
    page.go_back()
    expect(page.locator("#look-path")).to_have_text("/entry/data")
    expect(drawn(page)).to_be_visible()
    page.reload()
    expect(page.locator("#look-path")).to_have_text("/entry/data")
    expect(drawn(page)).to_be_visible()
    assert [told for told in complaints.told if "of at most" not in told] == []


def test_what_is_not_there_is_said(page: Page, portal: Portal) -> None:
    page.goto(portal.look("scan.nxs"))
    notes = page.locator("#look-notes")
    expect(notes).to_contain_text("/holes reads from files that are not there (1): gone.h5.")
    expect(notes).to_contain_text("/away is a link to elsewhere.h5, which is missing or may not be read")
    page.locator("#viewer [role=treeitem][data-path='/entry']").click()
    expect(notes).to_be_empty()
    page.goto(portal.look("text.h5"))
    expect(page.get_by_text("is no HDF5 file")).to_be_visible()


def test_all_members_of_a_long_group(page: Page, portal: Portal) -> None:
    page.goto(portal.look("scan.nxs", "?path=/many"))
    expect(page.locator("#look-notes")).to_contain_text("/many has 2010 members")
    rest = page.get_by_role("treeitem", name="members 2001 to 2010 of 2010")
    rest.click()
    page.get_by_role("treeitem", name="m2009").click()
    expect(page.locator("#look-path")).to_have_text("/many/m2009")
    expect(page.locator("#viewer").get_by_text("2009", exact=True)).to_be_visible()


def test_frames_larger_than_an_answer(page: Page, portal: Portal, complaints: Complaints) -> None:
    answers: list[tuple[str, int]] = []
    page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    page.goto(portal.look("scan.nxs", "?path=/large"))
    expect(drawn(page)).to_be_visible(timeout=30_000)
    pieces = [url for url, _ in answers if "/data?" in url and "large" in url]
    assert len(pieces) == 2 and all(status < 400 for _, status in answers)
    page.goto(portal.look("scan.nxs", "?path=/wide"))
    expect(page.locator("#look-notes")).to_contain_text("a value shown is the mean of 4 by 4", timeout=30_000)
    assert complaints.told == []


def test_values_are_saved_with_the_session(page: Page, portal: Portal) -> None:
    page.set_viewport_size({"width": 2000, "height": 900})
    page.goto(portal.look("scan.nxs", "?path=/entry/data/frames"))
    expect(drawn(page)).to_be_visible()
    page.locator("#viewer button").filter(has_text="Export").click()
    link = page.get_by_text("NPY").first
    with page.expect_download() as saved:
        link.click()
    values = np.load(io.BytesIO(Path(saved.value.path()).read_bytes()))
    np.testing.assert_array_equal(values, np.arange(30 * 40, dtype="f4").reshape(values.shape))


def test_without_javascript(browser: Browser, portal: Portal) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(portal.look("scan.nxs"))
    expect(page.get_by_text("The full viewer needs JavaScript")).to_be_visible()
    expect(page.locator("#viewer")).not_to_be_visible()
    page.get_by_role("link", name="entry/", exact=True).click()
    page.get_by_role("link", name="data/", exact=True).click()
    image = page.locator(".look-figure img")
    assert (image.get_attribute("alt") or "").startswith("Image of frames, 30 × 40, along y (mm), along x (mm)")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("4 of 5")).to_be_visible()
    page.get_by_role("link", name="/entry/data/frames", exact=True).click()
    page.get_by_label("Part", exact=True).fill("4,29,:")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("cell", name="5999", exact=True)).to_be_visible()
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(context: BrowserContext, portal: Portal, axe: Callable[..., list[str]], scheme: str, width: int) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for query in ("?view=plain", "?view=plain&path=/entry/data/frames", "?view=plain&path=/nothing"):
        page.goto(portal.look("scan.nxs", query))
        assert axe(page) == [], query
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), query
    page.goto(portal.look("scan.nxs", "?view=full"))
    expect(page.locator("#look-notes")).to_contain_text("gone.h5")
    assert axe(page, without=("#viewer",)) == []


def test_a_phone_is_shown_the_plain_view(page: Page, portal: Portal) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(portal.look("scan.nxs"))
    page.wait_for_url("**view=plain**")
    expect(page.get_by_role("heading", name="Members")).to_be_visible()
    page.get_by_role("link", name="Full viewer").click()
    expect(page.locator("#viewer [data-fullscreen-root]")).to_be_visible()


def _examples() -> list[object]:
    every = [path.relative_to(EXAMPLES).as_posix() for path in sorted(EXAMPLES.rglob("*")) if path.is_file()]
    return [
        pytest.param(name, marks=() if name in FEW else pytest.mark.soak, id=name)
        for name in every or FEW
        if not name.endswith(".txt")
    ]


@pytest.mark.parametrize("name", _examples())
def test_an_example_opens(page: Page, database: Database, complaints: Complaints, name: str) -> None:
    if not EXAMPLES.exists():
        pytest.skip("the shared example files are not there")
    ids = register(database, {name: name})
    with listening(database, Settings(data_roots={"data": str(EXAMPLES)})) as address:
        page.goto(f"{address}/look/{ids[name]}")
        shown = page.locator("#viewer canvas, #viewer p:has-text('Nothing to display'), #viewer [class*=_error_]")
        expect(shown.or_(page.locator(".note.error p")).first).to_be_visible(timeout=30_000)
        if page.locator("#viewer").count():
            expect(page.locator("#viewer [role=treeitem]").first).to_be_visible()
        sentences = page.locator("#viewer").inner_text() if page.locator("#viewer").count() else ""
    unsaid = [told for told in complaints.told if told.split("\n")[0].split("Error: ")[-1] not in sentences]
    assert unsaid == [], "what the viewer could not do stands on the page"
