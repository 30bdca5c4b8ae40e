"""The pages against the code: nothing undocumented, nothing documented that is not there, no dead link."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from pancommons.base.settings import Agent, Settings
from pancommons.cli.app import build
from pancommons.pipelines import registry
from pancommons.pipelines.record import InputFile, Record
from pancommons.techniques.tomography.reading import layouts
from tests.docs.examples import DOCS, ROOT, blocks, commands, pages

_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_FENCED = re.compile(r"^ *(`{3,}|:{3,}).*?^ *\1\s*$", re.MULTILINE | re.DOTALL)
_NAMES_OF_ALL = {"--help", "-h"}
TECHNIQUES = ("tomography", "sans", "thz")


def _parameters(words: str) -> set[str]:
    """Return the names of all techniques' parameters, or of their simulators'."""
    names: set[str] = set()
    for technique in TECHNIQUES:
        pipeline = registry.load(technique)
        assert pipeline.simulator is not None
        model = pipeline.parameters if words == "run" else pipeline.simulator.parameters
        names |= set(model.model_fields)
    return names


def _page_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_parameters", DOCS / "reference" / "parameters.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TECHNIQUES)
def test_the_page_of_parameters_is_what_the_declaration_makes(name: str) -> None:
    maker = _page_maker()
    renew = "renew it with: .venv/bin/python docs/reference/parameters.py"
    assert maker.path(name).read_text(encoding="utf-8") == maker.page(name), renew


@pytest.mark.parametrize("name", TECHNIQUES)
def test_the_page_of_parameters_has_all_of_the_schema(name: str) -> None:
    page = _page_maker().path(name).read_text(encoding="utf-8")
    pipeline = registry.load(name)
    assert pipeline.simulator is not None
    named = set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE))
    merits = {merit.name for merit in pipeline.merits}
    known = {*pipeline.parameters.model_fields, *pipeline.simulator.parameters.model_fields, *pipeline.presets, *merits}
    assert named == known


def _options() -> dict[str, set[str]]:
    """Return the options of every command, by its words; of a pipeline's commands those that are no parameter."""
    found: dict[str, set[str]] = {}
    flags = {
        flag
        for name in (*_parameters("run"), *_parameters("simulate"))
        for flag in (f"--{name.replace('_', '-')}", f"--no-{name.replace('_', '-')}")
    }

    def visit(command: object, words: str) -> None:
        inner = getattr(command, "commands", None)
        for name, one in (inner or {}).items():
            visit(one, f"{words} {name}".removesuffix(" tomography"))
        if inner is None or words == "pan":
            options = {
                text
                for parameter in command.params  # type: ignore[attr-defined]
                if parameter.param_type_name == "option"
                for text in (*parameter.opts, *parameter.secondary_opts)
            }
            found[words] = options - _NAMES_OF_ALL - (flags if words in ("pan run", "pan simulate") else set())

    visit(get_command(build(["run", "tomography"])), "pan")
    visit(get_command(build(["simulate", "tomography"])), "pan")
    return found


def _sections() -> dict[str, str]:
    page = (DOCS / "reference" / "command.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return {title: text for title, text in zip(parts[1::2], parts[2::2], strict=True) if title.startswith("pan")}


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(_sections()) == set(_options())


@pytest.mark.parametrize("words", sorted(_sections()))
def test_the_options_documented_are_the_options_there(words: str) -> None:
    rows = "\n".join(re.findall(r"^\| (`-.*?) \|", _sections()[words], re.MULTILINE))
    prose = set(re.findall(r"`(--?[a-z][\w-]*)", _sections()[words])) - _NAMES_OF_ALL
    there = _options()[words]
    parameters = {f"--{name.replace('_', '-')}" for name in _parameters("run")}
    assert there <= prose, f"not documented: {there - prose}"
    documented = set(re.findall(r"`(--?[a-z][\w-]*)", rows)) - _NAMES_OF_ALL
    assert documented <= there, f"documented, but not there: {documented - there}"
    assert prose - there <= parameters | {"--PARAMETER"}, f"mentioned, but not there: {prose - there}"


def _mentioned() -> Iterator[tuple[str, list[str]]]:
    """Give every ``pan`` command that a page shows."""
    for page in pages():
        for block in blocks(page):
            if block.language in ("console", "sh"):
                text = block.text if block.language == "console" else f"$ {block.text.replace(chr(10), chr(10) + '$ ')}"
                for command, _ in commands(text):
                    if match := re.search(
                        r"\bpan ((?:run|simulate|nexus|ontology|catalogue|people|result|pipelines) \w+|[a-z]+)",
                        command,
                    ):
                        yield (
                            f"{page.relative_to(ROOT)}: {command}",
                            [match[1], *re.findall(r" (--[a-z][\w-]*)", command)],
                        )


def test_every_command_and_option_shown_anywhere_is_there() -> None:
    known = _options()
    own = {
        words: {flag for name in _parameters(words) for flag in (f"--{name.replace('_', '-')}", f"--no-{name}")}
        for words in ("run", "simulate")
    }
    own["run"].add("--dark")
    shown = list(_mentioned())
    assert len(shown) > 40
    for where, (words, *options) in shown:
        first = words.split()[0]
        command = f"pan {first}" if first in own else f"pan {words}"
        assert command in known, where
        unknown = set(options) - known[command] - own.get(first, set()) - known["pan"] - _NAMES_OF_ALL
        assert not unknown, f"{where}: {unknown}"


def test_every_setting_is_documented() -> None:
    page = (DOCS / "how-to" / "configure.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"`{name}" in page and f"PANCOMMONS_{name.upper()}" in page, name
    for name in Agent.model_fields:
        assert f"`agent.{name}`" in page and f"PANCOMMONS_AGENT__{name.upper()}" in page, name
    for place in layouts.PLACES:
        assert f"`{place}`" in page, place


def test_every_key_of_run_json_and_every_event_is_documented() -> None:
    from pancommons.pipelines.events import EventLog

    page = (DOCS / "reference" / "run-folder.md").read_text(encoding="utf-8")
    for name in (*Record.model_fields, *InputFile.model_fields):
        assert f"`{name}`" in page, name
    for event in re.findall(r"^    ([a-z-]+)  +\w", EventLog.__doc__ or "", re.MULTILINE):
        assert f"| `{event}` |" in page, event


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for match in _LINK.finditer(text):
        target, _, anchor = match["target"].partition("#")
        if target.startswith(("http://", "https://")):
            assert target.startswith("https://"), f"{page}: {target}"
            continue
        other = (page.parent / target).resolve() if target else page
        assert other.exists(), f"{page}: {match['target']} leads nowhere"
        if anchor and other.suffix == ".md":
            assert anchor in _anchors(other), f"{page}: {match['target']} has no such heading"


def _anchors(page: Path) -> set[str]:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


def test_pages_in_a_table_of_contents_are_all_pages() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or name.startswith("adr/0") or f"\n{name}\n" in index, name


def test_decisions_are_numbered_without_gaps() -> None:
    records = sorted(DOCS.glob("adr/[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for number, record in enumerate(records, 1):
        text = record.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. "), record
        for heading in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert heading in text, f"{record}: {heading}"


def test_pages_name_no_machine() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for word in (f"{ROOT.parent}/", f"{Path.home()}/", "/home/"):
            assert word not in text, f"{page}: {word}"
