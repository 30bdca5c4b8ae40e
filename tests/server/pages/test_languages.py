"""Languages: nothing is left untranslated, and no page says a word that translators never see."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from lxml import html

from pancommons.catalogue.access import LOCAL_USER, Principal
from pancommons.catalogue.ontology.graph import PANET
from pancommons.catalogue.ontology.stored import ensure_core
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, File, Terms
from pancommons.catalogue.write import load
from pancommons.pipelines import registry
from pancommons.pipelines.environment import facts
from pancommons.server.pages import frame, languages
from pancommons.server.pages.wording import gathered, missing, refresh, translated
from pancommons.store.engine import Database
from pancommons.store.schema import METADATA
from tests.runs.world import ROOT, wait_until
from tests.server.pages.finding import NOW, records
from tests.server.runs.conftest import Portal, plugged, portal_around

__all__ = ["plugged"]

_ADDRESSES = """
/ /datasets /datasets?q=nothing-like-this /datasets?technique=PaNET01207&kind=raw&access=open&year=2021
/datasets?parameter=sample_temperature&from=x&to=2&unit=keV&parameter=photons&from=1&to=2&unit=nothing
/documents /documents?type=proposal&q=zzz /instruments /instruments?q=zzz
/techniques /techniques?q=tomography&empty=1 /techniques?q=zzz /techniques/PaNET01207 /techniques/PaNET01212
/datasets/{open} /datasets/{lung} /datasets/{nexus} /datasets/{embargoed} /documents/{paper} /instruments/{tomcat}
/samples/{sample} /look/{file} /look/{file}?path=/entry/data /datasets/{open}/analyse /datasets/{open}/analyse/strips
/runs /runs/{run} /runs/{waiting} /runs/compare?a={run}&b={waiting}
/me /me/tokens /me/sessions /admin /admin/audit /admin/people /about /about/policy /signin /device /no-such-page
"""
PAGES = _ADDRESSES.split()
"""Every page, as an address; add those that come. Words in braces are identifiers of `place`."""

DATA = ("code", "pre", "time", "script", "style", "kbd", "samp", "template", "noscript-data")
SPOKEN = ("title", "aria-label", "placeholder", "alt", "aria-description")
_NAMES = """
PaN Commons PaNET PaNOSC RO Crate CSV JSON NeXus HDF5 OpenAPI OAI PMH DCAT DataCite API ORCID iD DOI PID UTC SHA npm
English Français Deutsch BibTeX RIS CSL Turtle XML Dublin Core schema org JSON-LD local user
KiB MiB GiB kB MB GB TB PB min keV eV angstrom K mm nm NumPy nan inf auto Python SQLite PostgreSQL Prometheus
January February March April May June July August September October November December
"""
NAMES = _NAMES.split()
"""Names, units and what a locale writes by itself, which are the same in every language."""


class Pretended(gettext.NullTranslations):
    """A language that marks everything that was translated."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        return f"⟦{singular if count == 1 else plural}⟧"

    def pgettext(self, context: str, message: str) -> str:
        return f"⟦{message}⟧"


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the code of a language in which translated texts can be told from all others."""
    monkeypatch.setitem(languages._EXTRA, "zz", Pretended())
    yield "zz"
    languages.translations.cache_clear()
    frame.environment.cache_clear()


@pytest.mark.parametrize("code", [code for code in languages.LANGUAGES if code != "en"])
def test_every_text_is_translated_and_keeps_its_places(code):
    catalog = translated(code)
    used = {message.id if isinstance(message.id, str) else message.id[0] for message in gathered() if message.id}
    there = {message.id if isinstance(message.id, str) else message.id[0] for message in catalog if message.id}
    assert used - there == set(), "run: python -m pancommons.server.pages.wording, and translate what it adds"
    assert there - used == set(), "run: python -m pancommons.server.pages.wording"
    assert missing(catalog) == []
    for message in catalog:
        asked = message.id if isinstance(message.id, tuple | list) else (message.id,)
        told = message.string if isinstance(message.string, tuple | list) else (message.string,)
        for text in told if message.id else ():
            assert _places(text) in [_places(one) for one in asked], (message.id, text)


def _places(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)s|\{\w+\}|</?\w+[^>]*>", text))


def test_what_is_brought_up_to_date_stays_as_it_is(tmp_path, monkeypatch):
    from pancommons.server.pages import wording

    (tmp_path / "locale").mkdir()
    for code in ("fr", "de"):
        kept = (wording.SERVER / "locale" / f"{code}.po").read_bytes()
        (tmp_path / "locale" / f"{code}.po").write_bytes(kept)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "new.html").write_text("{{ _('Search') }} {{ _('Something quite new') }}")
    monkeypatch.setattr(wording, "SERVER", tmp_path)
    monkeypatch.setattr(wording.gathered, "__defaults__", (tmp_path,))
    assert list(refresh()) == [("fr", 2, 1), ("de", 2, 1)]
    assert translated("fr").get("Search").string == "Chercher"
    assert missing(translated("de")) == ["Something quite new"]


@dataclass
class Place:
    """A portal with something on every page, and what its pages say that is data."""

    portal: Portal
    known: dict[str, str]
    words: set[str]

    def text(self, path: str, code: str) -> httpx.Response:
        headers = {"Accept": "text/html", "Cookie": f"language={code}"}
        return self.portal("GET", path.format(**self.known), headers=headers, follow_redirects=True)


@pytest.fixture
def place(sqlite_database: Database, tmp_path: Path) -> Iterator[Place]:
    with sqlite_database.write() as connection:
        ensure_core(connection, by=LOCAL_USER, at=NOW)
    with portal_around(sqlite_database, tmp_path, at_a_time=1) as portal:
        (tmp_path / "raw" / "deep").mkdir()
        with h5py.File(tmp_path / "raw" / "deep" / "scan.nxs", "w") as file:
            file.attrs["default"] = "entry"
            data = file.create_group("entry/data")
            file["entry"].attrs.update({"NX_class": "NXentry", "default": "data"})
            data.attrs.update({"NX_class": "NXdata", "signal": "counts"})
            data["counts"] = np.arange(12.0)
            file["entry/away"] = h5py.ExternalLink("gone.h5", "/x")
        scan = Dataset(
            pid="scan/nexus", kind="raw", title="nexus scan", creation_date=NOW, techniques=(f"{PANET}PaNET01207",),
            terms=Terms(open_from=NOW, discoverable_from=NOW, fixed=True),
            files=(File(root="raw", path="deep/scan.nxs", size=4096, sha256="0" * 64),),
        )  # fmt: skip
        load(sqlite_database, [*records(), scan], policy=read_policy(None), by=LOCAL_USER, at=NOW)
        portal.asking = Principal("root", everywhere=ROOT.everywhere)
        supervisor = portal.supervise()
        supervisor.start()
        run = portal.ask("open", "one").json()["id"]
        wait_until(lambda: portal("GET", f"/runs/{run}").json()["state"] == "done")
        supervisor.stop()
        waiting = portal.ask("open", "two", title="a second one").json()["id"]
        yield Place(portal, {"run": run, "waiting": waiting} | _identifiers(sqlite_database), _said(sqlite_database))


def _identifiers(database: Database) -> dict[str, str]:
    wanted = {
        "open": ("datasets", "pid/open"), "lung": ("datasets", "scan/1"), "embargoed": ("datasets", "scan/2"),
        "nexus": ("datasets", "scan/nexus"), "paper": ("documents", "paper"), "tomcat": ("instruments", "i/tomcat"),
        "sample": ("samples", "s/lung"),
    }  # fmt: skip
    with database.read() as connection:
        found = {
            name: str(
                connection.execute(
                    sa.select(METADATA.tables[table].c.identifier).where(METADATA.tables[table].c.pid == pid)
                ).scalar_one()
            )
            for name, (table, pid) in wanted.items()
        }
        files = METADATA.tables["files"].c
        found["file"] = connection.execute(sa.select(files.identifier).where(files.path.like("%scan.nxs"))).scalar_one()
    return found


def _said(database: Database) -> set[str]:
    """Return all words of the catalogue, the settings, the policy and the pipelines: nobody translates these."""
    said: list[str] = [*NAMES, "this installation", "counts", "data", "entry", "away", "float64", "NXentry", "NXdata"]
    with database.read() as connection:
        for table in METADATA.sorted_tables:
            columns = [one for one in table.c if isinstance(one.type, (sa.Text, sa.JSON))]
            if columns:
                for row in connection.execute(sa.select(*columns)):
                    said += [str(value) for value in row if value is not None]
    for name in registry.names():
        said += _texts(registry.load(name))
    said += [*_texts(read_policy(None)), *map(str, facts().values())]
    return {word.casefold() for text in said for word in _words(text)}


def _texts(value: Any, depth: int = 0) -> list[str]:
    """Return every text within a declaration."""
    if isinstance(value, str):
        return [value]
    if depth > 6:
        return []
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in _texts(one, depth + 1)]
    if isinstance(value, list | tuple | frozenset | set):
        return [text for one in value for text in _texts(one, depth + 1)]
    if isinstance(value, type) and hasattr(value, "model_fields"):
        return [str(value.model_json_schema())]
    if is_dataclass(value) and not isinstance(value, type):
        return [text for one in fields(value) for text in _texts(getattr(value, one.name), depth + 1)]
    return []


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{2,}", re.sub(r"https?://\S+", "", text))


def unwrapped(page: str, data: set[str]) -> list[str]:
    """List the texts of a page that are neither translated nor data."""
    tree = html.fromstring(page)
    silent = [
        *DATA,
        "*[@role='log']",
        "dl[@class='others']/dd",
        "*[contains(@class,'mono')]",
        "*[@lang][not(self::html)]",
        "*[@translate='no']",
    ]
    for one in tree.xpath(" | ".join(f"//{path}" for path in silent)):
        one.text = None
        for child in list(one):
            one.remove(child)
    texts = ["\n".join(tree.itertext())]
    for one in tree.iter():
        if isinstance(one.tag, str):
            texts += [one.get(name) for name in SPOKEN if one.get(name)]
    return [
        f"{' '.join(rest.split())} ({' '.join(strange)})"
        for text in texts
        for rest in _outside(text)
        if (strange := [word for word in _words(rest) if word.casefold() not in data])
    ]


def _outside(text: str) -> list[str]:
    """Return what stands outside of all marks."""
    parts, depth = [""], 0
    for sign in text:
        if sign == "⟦":
            depth += 1
            parts.append("")
        elif sign == "⟧":
            depth -= 1
        elif not depth:
            parts[-1] += sign
            if sign == "\n":
                parts.append("")
    assert depth == 0, text
    return [part for part in parts if part.strip()]


def test_no_page_says_anything_that_translators_never_see(place, pretended):
    wrong, broken = {}, {}
    for path in PAGES:
        answer = place.text(path, pretended)
        if answer.status_code >= 500 or not answer.headers["content-type"].startswith("text/html"):
            broken[path] = answer.status_code
        elif found := unwrapped(answer.text, place.words):
            wrong[path] = sorted(set(found))
    assert not broken and not wrong, "\n".join(f"{path}: {one}" for path, one in (broken | wrong).items())


def test_what_nobody_marked_is_found(pretended):
    page = "<html><body><p>⟦Found %s ⟦here⟧⟧ lung</p><p>never <code>code</code></p><a title='Go'>⟦x⟧</a></body></html>"
    assert unwrapped(page, {"lung"}) == ["never (never)", "Go (Go)"]


def test_a_visitor_reads_their_language(place):
    for code, word in (("fr", "Affiner la recherche"), ("de", "Suche eingrenzen"), ("en", "Narrow the search")):
        answer = place.text("/datasets", code)
        assert word in answer.text and f'<html lang="{code}"' in answer.text
    asked = {"Accept": "text/html", "Accept-Language": "de-CH,fr;q=0.5"}
    assert "Suche eingrenzen" in place.portal("GET", "/datasets", headers=asked).text
