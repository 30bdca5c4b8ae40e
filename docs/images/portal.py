"""Make the pictures of the portal, from one that `pan demo` serves.

    .venv/bin/python docs/images/portal.py http://127.0.0.1:8000

Needs ``chromium``.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
WIDTH, HEIGHT, SCALE, GAP = 1280, 860, 0.6, 16
DRAWING = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def pages(address: str) -> dict[str, str]:
    """Choose a search, a dataset, a run, a result and a form to show, by the names of the pictures."""
    with httpx.Client(base_url=address, timeout=60, follow_redirects=True) as client:
        done = [run for run in client.get("/runs").json()["runs"] if run["state"] == "done" and run["dataset"]]
        run = next(one for one in done if one["pipeline"] == "tomography" and "imulated" in one["title"])
        files = client.get(f"/search-api/Datasets/{run['dataset']}/files").json()
        result = next(file["id"] for file in files if file["name"] == "result.nxs")
    [scan] = [one["dataset"] for one in run["inputs"]["scan"]]
    return {
        "search": "/datasets",
        "dataset": f"/datasets/{run['dataset']}",
        "run": f"/runs/{run['id']}",
        "look": f"/look/{result}",
        "form": f"/datasets/{scan}/analyse/tomography",
    }


def shot(page: Page, address: str, path: str) -> Image.Image:
    """Take a picture of a page, without the note on local use."""
    page.goto(address + path)
    if path.startswith("/look/"):
        page.locator("#viewer canvas").first.wait_for()
    page.wait_for_timeout(3000)
    page.evaluate("() => document.querySelector('.local-note')?.remove()")
    picture = Image.open(io.BytesIO(page.screenshot()))
    return picture.resize((round(WIDTH * SCALE), round(HEIGHT * SCALE)), Image.Resampling.LANCZOS)


def main(address: str) -> None:
    """Put four pages side by side, the last two in dark colours."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=DRAWING)
        taken: dict[tuple[str, str], Image.Image] = {}
        for name, path in pages(address).items():
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
                taken[name, scheme] = shot(context.new_page(), address, path)
                context.close()
        browser.close()
    for name in ("search", "look", "form", "run"):
        save(taken[name, "light"], f"portal-{name}.png")
    shots = [taken["search", "light"], taken["dataset", "dark"], taken["run", "dark"], taken["look", "light"]]
    width, height = shots[0].size
    sheet = Image.new("RGB", (2 * width + 3 * GAP, 2 * height + 3 * GAP), "#8a938f")
    for number, picture in enumerate(shots):
        sheet.paste(picture, (GAP + number % 2 * (width + GAP), GAP + number // 2 * (height + GAP)))
    save(sheet, "portal.png")


def save(picture: Image.Image, name: str) -> None:
    """Keep a picture, small."""
    picture.quantize(200, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
