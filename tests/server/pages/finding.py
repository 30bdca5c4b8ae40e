"""A small catalogue to find data in, and pages as they are read."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import httpx
import pytest
from lxml import html

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.ontology.graph import PANET
from pancommons.catalogue.ontology.stored import ensure_core
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import (
    Dataset,
    Document,
    Instrument,
    Pid,
    Record,
    Relation,
    Sample,
    Terms,
    Thumbnail,
)
from pancommons.catalogue.write import load
from pancommons.store.engine import Database, open_database
from tests.server.conftest import listening

NOW = datetime.now(UTC)
OPEN = Terms(open_from=NOW - timedelta(days=400), discoverable_from=NOW - timedelta(days=400), fixed=True)
FRESH = Terms(open_from=NOW - timedelta(days=2), discoverable_from=NOW - timedelta(days=400), fixed=True)
LATER = Terms(open_from=NOW + timedelta(days=99), discoverable_from=NOW - timedelta(days=400), fixed=True)
FINDABLE = Terms(discoverable_from=NOW - timedelta(days=400), fixed=True)
CLOSED = Terms(fixed=True)
ANYBODY = {"X-Forwarded-For": "198.51.100.7", "Accept": "text/html"}
"""Headers of a request that nobody takes for the local user's."""


def picture() -> Thumbnail:
    """Make a real picture, of one grey point."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    told = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0\x80"))
    content = b"\x89PNG\r\n\x1a\n" + told + chunk(b"IEND", b"")
    return Thumbnail(content=content, media_type="image/png", width=1, height=1)


def scan(number: int, title: str, terms: Terms = OPEN, **more: object) -> Dataset:
    """Make a dataset measured in 2020 and the years after."""
    told: dict[str, object] = {
        "kind": "raw",
        "instrument": "i/tomcat",
        "techniques": (f"{PANET}PaNET01207",),
        "size": 12_400_000_000,
        "creation_date": datetime(2020 + number % 4, 3, 4, tzinfo=UTC),
    }
    return Dataset(pid=f"scan/{number}", title=title, terms=terms, **(told | more))  # type: ignore[arg-type]


def records() -> list[Record]:
    """Make six datasets that may be found, of two instruments."""
    sans = {"instrument": "i/loq", "techniques": (f"{PANET}PaNET01277",)}
    energy = (parameter("incident_photon_energy", 21.0, "keV"), parameter("sample_temperature", 296.0, "K"))
    return [
        Instrument(pid="i/tomcat", name="TOMCAT", facility="PSI", terms=OPEN),
        Instrument(pid="i/loq", name="LOQ", facility="ISIS", terms=OPEN),
        Sample(pid="s/lung", name="lung tissue", terms=OPEN),
        Document(pid="paper", type="publication", title="Breathing seen from inside", doi="10.5072/p", terms=OPEN),
        Document(pid="plan", type="proposal", title="Alveoli under pressure", terms=OPEN),
        scan(1, "lung at rest", samples=("s/lung",), parameters=energy, thumbnail=picture(), documents=("paper",)),
        scan(2, "lung breathing", LATER, samples=("s/lung",), parameters=energy, thumbnail=picture()),
        scan(3, "lung, reconstructed", FRESH, kind="processed", relations=(
            Relation(kind="derived from", target="scan/1"),), pids=(Pid(scheme="doi", value="10.5072/three"),)),
        scan(4, "=polymer blend", **sans, parameters=(parameter("incident_wavelength", 6.0, "angstrom"),)),
        scan(5, "polymer <b>reference</b>", FINDABLE, **sans),
        scan(6, "simulated polymer", kind="simulated", **sans, size=None),
    ]  # fmt: skip


def secrets() -> list[Record]:
    """Make what nobody may know of, each word of it unlike all others."""
    return [
        Instrument(pid="i/secret", name="ZZBEAM", facility="ZZLAB", terms=CLOSED),
        Sample(pid="s/secret", name="ZZSAMPLE", terms=CLOSED),
        Document(pid="zzplan", type="proposal", title="ZZPLAN", terms=CLOSED),
        scan(7, "ZZTITLE lung", CLOSED, instrument="i/secret", samples=("s/secret",), documents=("zzplan",),
             parameters=(parameter("zz_parameter", 1.0, "T"),), creation_date=datetime(1999, 1, 1, tzinfo=UTC),
             techniques=(f"{PANET}PaNET01212",), thumbnail=picture()),
        scan(8, "ZZTITLE polymer", CLOSED, kind="simulated", parameters=(parameter("sample_temperature", 1.0, "mK"),)),
        scan(9, "ZZTITLE derived", OPEN, kind="processed", relations=(Relation(kind="derived from", target="scan/8"),)),
    ]  # fmt: skip


def fill(database: Database, given: list[Record] | None = None) -> None:
    """Put records into a catalogue with the package's own techniques."""
    with database.write() as connection:
        ensure_core(connection, by=LOCAL_USER, at=NOW)
    load(database, given if given is not None else records(), policy=read_policy(None), by=LOCAL_USER, at=NOW)


@dataclass
class Read:
    """A page as a visitor reads it."""

    answer: httpx.Response

    @cached_property
    def tree(self) -> html.HtmlElement:
        return html.fromstring(self.answer.text)

    def texts(self, path: str) -> list[str]:
        """Return the texts of elements, with one space where there are several."""
        return [" ".join(one.text_content().split()) for one in self.tree.xpath(path)]

    @property
    def total(self) -> int:
        """Return how many datasets the page says fit."""
        return int(self.texts("//p[@role='status']/strong")[0])

    @property
    def titles(self) -> list[str]:
        return self.texts("//ol[contains(@class,'hits')]/li//h3 | //ol[contains(@class,'hits')]/li//h2")

    def options(self, facet: str) -> dict[str, tuple[int, str]]:
        """Return the options of a facet: what they are called, what they would leave, where they lead."""
        found = {}
        for one in self.tree.xpath(f"//section[@id='facet-{facet}']//div[@class='option']"):
            label = one.xpath("./a/span[not(@class)]")[0].text_content()
            found[label] = (int(one.xpath("./span[@class='count']")[0].text_content()), one.xpath("./a/@href")[0])
        return found


def read(address: str, **headers: str) -> Read:
    """Open a page as anybody, or with other headers."""
    answer = httpx.get(address, headers={**ANYBODY, **headers}, timeout=30)
    assert answer.status_code == 200, answer.text
    return Read(answer)


@pytest.fixture(scope="module")
def site(empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a portal around the small catalogue, for all tests of a module."""
    database = open_database(f"sqlite:///{shutil.copy(empty_sqlite, tmp_path_factory.mktemp('site') / 'site.db')}")
    fill(database)
    with listening(database) as address:
        yield address
    database.close()
