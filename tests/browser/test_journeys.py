"""From a word to a finished analysis: signed in, by keyboard alone, without JavaScript; and what anybody may do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import Complaints
from tests.browser.portals import TITLE, Portal, serving
from tests.oidc import OpenID, openid, sign_in_page

__all__ = ["openid"]

LONG = 180_000
"""Milliseconds that a run may take here, on a machine with other things to do."""
H5WEBS_OWN = ("aria-allowed-attr", "aria-required-parent")
"""The rules that h5web 17 breaks in its toolbar."""
SLOW = {"p-method": "tv", "p-iterations": "6000"}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, openid: OpenID) -> Iterator[Portal]:
    openid.tell("ada", name="Ada Example")
    with serving(tmp_path_factory.mktemp("portal"), openid) as made:
        yield made


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """Give a page in which no script runs."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def state(page: Page, word: str) -> None:
    """Wait until a run's page says its state."""
    expect(page.locator("main .state").first).to_have_text(re.compile(word), timeout=LONG)


def to_form(page: Page) -> None:
    """Go from the search page to the form of tomography."""
    page.get_by_role("link", name=TITLE, exact=True).first.click()
    page.get_by_role("link", name="Analyse").first.click()
    page.get_by_role("link", name="Full-field tomography").first.click()


def test_signed_in(page: Page, portal: Portal, complaints: Complaints, tmp_path: Path) -> None:
    page.set_default_timeout(60_000)
    sign_in_page(page, portal.address, "ada")
    page.keyboard.press("/")
    page.keyboard.type("tomography simulated")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=TITLE, exact=True).first).to_be_visible()
    page.get_by_role("link", name=TITLE, exact=True).first.click()
    page.get_by_role("link", name="Look inside").first.click()
    expect(page.locator("#viewer canvas").first).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Back to the dataset").click()
    page.get_by_role("link", name="Analyse").first.click()
    page.get_by_role("link", name="Full-field tomography").first.click()

    page.get_by_role("button", name="First look").click()
    expect(page.locator("#first-look .state")).to_have_text(re.compile("done"), timeout=LONG)
    expect(page.locator("#first-look img").first).to_be_visible()

    page.get_by_label("Title of the run").fill("Ada's reconstruction")
    _open_all(page)
    page.locator("#p-method").select_option(SLOW["p-method"])
    page.locator("#p-iterations").fill(SLOW["p-iterations"])
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/runs/\w+"))
    state(page, "running")
    page.get_by_role("button", name="Stop").click()
    state(page, "stopped")
    page.get_by_role("button", name="Resume").click()
    state(page, "done")
    expect(page.get_by_role("rowheader", name="Rotation centre", exact=True)).to_be_visible()
    expect(page.locator("main figure img").first).to_be_visible()

    with page.expect_download() as fetched:
        page.get_by_role("link", name="Notebook").click()
    notebook = tmp_path / "run.ipynb"
    fetched.value.save_as(notebook)
    page.get_by_role("link", name="Look at the result").click()
    expect(page.locator("#viewer canvas").first).to_be_visible(timeout=60_000)
    assert not complaints.told
    _execute(notebook, portal)


def _open_all(page: Page) -> None:
    """Open what is folded in a form."""
    folded = page.locator("form details.fold:not([open]) > summary")
    for _ in range(folded.count()):
        folded.first.click()


def _execute(notebook: Path, portal: Portal) -> None:
    """Run a notebook as whoever downloaded it would."""
    code = (
        "import sys, nbformat, nbclient\n"
        "book = nbformat.read(sys.argv[1], 4)\n"
        "nbclient.NotebookClient(book, timeout=600).execute()\n"
        "print(sum(len(cell.get('outputs', [])) for cell in book.cells))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(notebook)], env=portal.environment, cwd=notebook.parent,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 0


def test_without_javascript(plain: Page, portal: Portal) -> None:
    page = plain
    sign_in_page(page, portal.address, "ada")
    page.locator("#top-q").fill("tomography")
    page.locator("#top-q").press("Enter")
    page.get_by_role("link", name=TITLE, exact=True).first.click()
    page.get_by_role("link", name="Look inside").first.click()
    expect(page.locator("main img[src*='plot.png']").first).to_be_visible()
    page.get_by_role("link", name="Back to the dataset").click()
    page.get_by_role("link", name="Analyse").first.click()
    page.get_by_role("link", name="Full-field tomography").first.click()
    page.get_by_role("button", name="First look").click()
    _reload_until(page, page.locator("#first-look .state"), "done")
    _open_all(page)
    page.locator("#p-method").select_option(SLOW["p-method"])
    page.locator("#p-iterations").fill(SLOW["p-iterations"])
    page.get_by_role("button", name="Start").click()
    _reload_until(page, page.locator("main .state").first, "running")
    page.get_by_role("button", name="Stop").click()
    _reload_until(page, page.locator("main .state").first, "stopped")
    page.get_by_role("button", name="Resume").click()
    _reload_until(page, page.locator("main .state").first, "done")
    expect(page.locator("main figure img").first).to_be_visible()
    page.get_by_role("link", name="Look at the result").click()
    expect(page.locator("main img[src*='plot.png']").first).to_be_visible()


def _reload_until(page: Page, place: Locator, word: str) -> None:
    for _ in range(120):
        if re.search(word, place.text_content() or ""):
            return
        page.wait_for_timeout(1500)
        page.reload()
    raise AssertionError(f"{page.url} never says {word}, but {place.text_content()}")


class Keyboard:
    """Somebody who has no mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, target: Locator, most: int = 250) -> None:
        """Go on with the tab key until something is reached, which must show that it has the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if target.evaluate("one => one === document.activeElement"):
                style = target.evaluate("one => getComputedStyle(one).outlineStyle")
                assert style != "none", f"{target} does not show that it has the focus"
                return
        raise AssertionError(f"{target} is not reached by the keyboard")

    def press(self, target: Locator, key: str = "Enter") -> None:
        """Reach something and use it."""
        self.to(target)
        self.page.keyboard.press(key)


def test_with_the_keyboard_alone(page: Page, portal: Portal) -> None:
    page.set_default_timeout(60_000)
    keyboard = Keyboard(page)
    sign_in_page(page, portal.address, "ada")
    keyboard.press(page.get_by_role("link", name="Skip to the content"))
    page.keyboard.press("/")
    page.keyboard.type("tomography")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=tomography"))
    keyboard.press(page.get_by_role("link", name=TITLE, exact=True).first)
    page.wait_for_url(re.compile(r"/datasets/\w+$"))
    keyboard.press(page.get_by_role("link", name="Analyse").first)
    page.wait_for_url(re.compile("/analyse$"))
    keyboard.press(page.get_by_role("link", name="Full-field tomography").first)
    page.wait_for_url(re.compile("/analyse/tomography"))
    keyboard.to(page.get_by_label("Title of the run"))
    page.keyboard.press("Control+a")
    page.keyboard.type("By keyboard")
    keyboard.press(page.get_by_role("button", name="Start"))
    page.wait_for_url(re.compile(r"/runs/\w+"))
    state(page, "done")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    keyboard.press(page.get_by_role("link", name="Dataset of the result"))
    page.wait_for_url(re.compile(r"/datasets/\w+$"))


def test_anybody_finds_and_looks_but_does_not_run(page: Page, portal: Portal) -> None:
    page.goto(f"{portal.address}/datasets?q=tomography")
    page.get_by_role("link", name=TITLE, exact=True).first.click()
    page.get_by_role("link", name="Look inside").first.click()
    expect(page.locator("#viewer canvas").first).to_be_visible(timeout=60_000)
    answer = httpx.post(f"{portal.address}/runs", json={"pipeline": "tomography", "inputs": {"scan": ["x"]}})
    assert answer.status_code == 401
    page.goto(f"{portal.address}/runs")
    expect(page).to_have_url(re.compile("/signin"))


PAGES = ("/", "/datasets", "/datasets?q=nothing-is-called-so", "/documents", "/instruments", "/techniques", "/runs",
         "/me", "/me/tokens", "/me/sessions", "/about", "/about/policy", "/nothing-here", "/admin", "/admin/people",
         "/admin/audit")  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[tuple[Portal, list[str]]]:
    """Give a portal where nobody signs in, and the addresses of its pages with something on them."""
    with serving(tmp_path_factory.mktemp("own")) as made, httpx.Client(base_url=made.address, timeout=60) as client:
        [dataset] = [one["pid"] for one in client.get("/search-api/Datasets").json() if one["title"] == TITLE]
        page = client.get(f"/datasets/{dataset}", headers={"accept": "text/html"}, follow_redirects=True)
        identifier = str(page.url).rsplit("/", 1)[-1]
        asked = {"pipeline": "tomography", "inputs": {"scan": [identifier]}, "title": "A run to look at"}
        run = client.post("/runs", json=asked).json()
        context = browser.new_context()
        watched = context.new_page()
        watched.goto(f"{made.address}/runs/{run['id']}")
        state(watched, "done")
        expect(watched.get_by_role("link", name="Dataset of the result")).to_be_visible(timeout=LONG)
        result = client.get(f"/runs/{run['id']}").json()["dataset"]
        look = re.search(
            r'href="(/look/[^"?]+)', client.get(f"/datasets/{result}", headers={"accept": "text/html"}).text
        )
        context.close()
        assert look
        yield made, [
            *PAGES, f"/datasets/{identifier}", f"/datasets/{result}", f"/datasets/{identifier}/analyse",
            f"/datasets/{identifier}/analyse/tomography", f"/runs/{run['id']}", look[1], f"{look[1]}?view=plain",
            f"/runs/compare?a={run['id']}&b={run['id']}",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (320, "dark"),
        *(pytest.param(*one, marks=pytest.mark.soak) for one in ((1280, "dark"), (320, "light"))),
    ],
)
def test_every_page_is_sound(
    browser: Browser, own: tuple[Portal, list[str]], axe: Callable[..., list[str]], width: int, scheme: str
) -> None:
    """No violation by axe-core but those of h5web itself; nothing wider than the window; nothing to complain of."""
    portal, paths = own
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    complaints, wrong = Complaints(), []
    page = context.new_page()
    complaints.listen(page)
    for path in paths:
        page.goto(portal.address + path)
        if path.startswith("/look/") and "?" not in path and width > 640:  # on a phone it goes to the plain view
            expect(page.locator("#viewer canvas").first).to_be_visible(timeout=60_000)
        wrong += [
            f"{path}: {one}"
            for one in axe(page)
            if not (path.startswith("/look/") and one.split(" ", 1)[0] in H5WEBS_OWN)
        ]
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{path}: {wide} px wide")
    context.close()
    assert not wrong, "\n".join(wrong)
    assert not complaints.told
