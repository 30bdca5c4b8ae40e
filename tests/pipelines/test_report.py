"""What a run says of itself, for machines and for people."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pancommons.pipelines import registry, report
from pancommons.pipelines.declaration import Findings
from pancommons.pipelines.folder import RunFolder
from tests.pipelines import toy


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy.register(monkeypatch)
    return toy.write_input(tmp_path / "scan <script>&.npy")


class Page(HTMLParser):
    """What matters of a page: its elements, text, and whether its tags are balanced."""

    VOID = frozenset({"meta", "wbr", "img", "link", "br", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_facts(source: Path, tmp_path: Path) -> None:
    began = time.time()
    run = toy.run(source, tmp_path / "run", preset="cubes", scale=2.0)
    told = run.report_facts()
    assert told["state"] == "done" and told["failed"] == []
    assert told["pipeline"]["name"] == "toy" and told["pipeline"]["version"] == "1.2.0"
    assert told["technique"]["iri"] == "http://purl.org/pan-science/PaNET/PaNET00001"
    assert 0 < told["seconds"] <= time.time() - began
    assert told["began"].endswith("+00:00") and told["began"] <= told["ended"]
    parameters = {parameter["name"]: parameter for parameter in told["parameters"]}
    assert {name: parameter["source"] for name, parameter in parameters.items()} == {
        "power": "preset", "level": "default", "scale": "given", "poison": "default",
    }  # fmt: skip
    assert parameters["scale"]["unit"] == "mm" and parameters["power"]["value"] == 3
    found = told["found"][0]
    assert (found["name"], found["confidence"], found["unit"]) == ("level", 0.87, "count")
    assert [merit["label"] for merit in told["merits"]] == ["Total", "Nothing"]
    assert told["warnings"] == ["the toy is a toy", "found a level", "a figure was drawn"]
    assert told["inputs"][0]["path"] == str(source) and len(told["inputs"][0]["sha256"]) == 64
    assert told["citations"][0]["doi"] == "10.1000/toy.1" and told["licence"] == "CC-BY-4.0"
    assert told["environment"]["packages"]["numpy"]


def test_facts_are_json_whatever_a_technique_hands_over(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run")
    findings = Findings(merits={"total": np.float32(np.nan), "extra_one": np.float64(2.5)})
    told = report.facts(run.record(), toy.PIPELINE, findings, failed=["x"], state="partial", began=time.time())
    json.dumps(told, allow_nan=False)
    assert [(merit["label"], merit["value"]) for merit in told["merits"]] == [
        ("Total", None), ("extra one", 2.5),
    ]  # fmt: skip


def page(run: RunFolder) -> Page:
    return Page(run.page.read_text(encoding="utf-8"))


def test_the_page_stands_alone(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run")
    shown = page(run)
    assert not shown.all("script") and not shown.all("link") and not shown.all("iframe")
    assert all(image["src"].startswith("data:image/png;base64,") for image in shown.all("img"))
    text = run.page.read_text()
    assert "@import" not in text and "url(" not in text
    assert {anchor["href"].split(":")[0] for anchor in shown.all("a") if anchor["href"][0] != "#"} <= {
        "http", "https",
    }  # fmt: skip


def test_the_page_is_accessible(source: Path, tmp_path: Path) -> None:
    shown = page(toy.run(source, tmp_path / "run", poison=1))
    assert shown.all("html")[0]["lang"] == "en" and len(shown.all("title")) == 1
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert len(shown.all("caption")) == len(shown.all("table")) >= 4
    assert all(header["scope"] in {"col", "row"} for header in shown.all("th"))
    assert [image["alt"] for image in shown.all("img")] == ["a curve that rises"]
    identifiers = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for _, attributes in shown.elements:
        assert attributes.get("aria-labelledby", identifiers[0]) in identifiers
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in identifiers
    regions = [attributes for attributes in shown.all("div") if "scroll" in attributes.get("class", "")]
    assert len(regions) == len(shown.all("table"))
    assert all(region["tabindex"] == "0" and region["role"] == "region" for region in regions)


def test_the_page_says_what_matters(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run 1", preset="cubes", poison=1)
    shown = page(run).text
    for words in (
        "scan <script>&.npy", "Partial", "1 unit failed", "this unit is poison <&>",
        "The sum of every row <b>.", "the toy is a toy", "high (0.87)",
        "median of all values", "not available", "cubes",
        run.record().inputs["array"][0].sha256 or "?",
        f"pan resume '{run.path}'", f"pan reproduce '{run.path}'",
        "doi:10.1000/toy.1", "CC-BY-4.0", run.record().id, "x86_64",
    ):  # fmt: skip
        assert words in shown, words


def test_a_lost_figure_is_said(source: Path, tmp_path: Path) -> None:
    run = toy.run(source, tmp_path / "run")
    (run.figures / "sums.png").unlink()
    shown = Page(report.page(run, toy.PIPELINE))
    assert not shown.all("img") and "sums.png is missing. It shows: a curve that rises" in shown.text


def test_a_run_with_little_to_say(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = dataclasses.replace(
        toy.PIPELINE, report=f"{__name__}:says_nothing", citations=(), licence="a licence of our own"
    )
    toy.register(monkeypatch, quiet)
    assert registry.load("toy") is quiet
    run = toy.run(source, tmp_path / "run", level=3.0)
    shown = page(run)
    assert "Figures" not in shown.text and "Found automatically" not in shown.text
    assert "a licence of our own" in shown.text
    assert run.crate.exists()


def says_nothing(job: object) -> Findings:
    return Findings()


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_in_light_and_dark() -> None:
    style = (Path(report.__file__).parent / "report.html.jinja").read_text()
    schemes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S)
    ]
    assert len(schemes) >= 2
    for colours in schemes[:2]:
        for name in ("ink", "soft", "accent", "good", "bad", "warn"):
            assert contrast(colours[name], colours["ground"]) >= 4.5, name
        for name in ("warn", "bad"):
            assert contrast(colours[name], colours[f"{name}-ground"]) >= 4.5
            assert contrast(colours["ink"], colours[f"{name}-ground"]) >= 4.5
        assert contrast(colours["ink"], colours["code"]) >= 4.5
        assert contrast(colours["strong-rule"], colours["ground"]) >= 3
