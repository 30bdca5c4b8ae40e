"""Datasets of other facilities beside ours in one list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import anyio.from_thread

from pancommons.catalogue.access import Principal
from pancommons.catalogue.search.choosing import filter_of
from pancommons.server.federation import asking
from pancommons.server.federation.asking import FARTHEST, Answer
from pancommons.server.federation.providers import Own, Provider
from pancommons.server.pages.chosen import A_PAGE, Chosen
from pancommons.server.pages.frame import Page
from pancommons.server.services import Now

_DOI = re.compile(r"10\.\d{4,9}/[^\s<>\"]+")
_SHOWN = ("techniques", "instrument", "samples")


@dataclass(frozen=True)
class Elsewhere:
    """A dataset as its catalogue tells of it.

    Attributes
    ----------
    address
        Of its page, or of its record where no page is known.
    ours
        Whether it is in this catalogue.
    """

    title: str
    pid: str
    provider: str
    address: str
    ours: bool
    open: bool | None
    created: datetime | None
    size: int | None
    instrument: str | None
    facility: str | None
    techniques: tuple[str, ...]
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Others:
    """What all catalogues answered.

    Attributes
    ----------
    missing
        Names of catalogues that contributed nothing or not all, each with the reason.
    ignored
        What is chosen but cannot be asked of other catalogues.
    """

    hits: list[Elsewhere]
    asked: list[str]
    missing: list[tuple[str, str]]
    ignored: list[str] = field(default_factory=list)
    more: bool = False


def find(catalogues: Sequence[Provider], chosen: Chosen, page: Page, who: Principal, at: Now) -> Others:
    """Ask all catalogues for one page of all their datasets."""
    skip = min(chosen.skip, FARTHEST - A_PAGE)
    filter_, ignored = _filter(chosen, page)
    answer: Answer = anyio.from_thread.run(
        asking.find, catalogues, "Dataset", {**filter_, "skip": skip, "limit": A_PAGE}
    )
    known = {one.url: one for one in catalogues}
    return Others(
        [_hit(record, known[record["provider"]], page) for record in answer.records],
        [one.name for one in catalogues],
        [(part.provider.name, part.problem) for part in answer.parts if part.problem],
        ignored,
        len(answer.records) == A_PAGE and skip + A_PAGE < FARTHEST,
    )


def _filter(chosen: Chosen, page: Page) -> tuple[dict[str, Any], list[str]]:
    """Say the choice in the words that every catalogue understands, and list what cannot be said."""
    _ = page.gettext
    told = filter_of(chosen.choice)
    ignored = []
    if chosen.choice.access == ("open",):
        told["where"] = {"and": [told["where"], {"isPublic": True}]} if "where" in told else {"isPublic": True}
    elif chosen.choice.access:
        ignored.append(_("Access"))
    if chosen.choice.kind:
        ignored.append(_("Kind"))
    there = {one["relation"] for one in told.get("include", [])}
    told["include"] = [*told.get("include", []), *({"relation": one} for one in _SHOWN if one not in there)]
    if chosen.choice.words:
        told["query"] = chosen.choice.words
    if (order := chosen.order) is not None:
        told["order"] = f"{order.field} {'DESC' if order.descending else 'ASC'}"
    return told, ignored


def _hit(record: dict[str, Any], provider: Provider, page: Page) -> Elsewhere:
    instrument = record.get("instrument")
    place = instrument if isinstance(instrument, dict) else {}
    public, size = record.get("isPublic"), record.get("size")
    pid = str(record["pid"])
    return Elsewhere(
        title=_text(record.get("title")) or pid,
        pid=pid,
        provider=provider.name,
        address=_address(pid, provider, page),
        ours=isinstance(provider, Own),
        open=public if isinstance(public, bool) else None,
        created=_moment(record.get("creationDate")),
        size=size if isinstance(size, int) and size >= 0 else None,
        instrument=_text(place.get("name")),
        facility=_text(place.get("facility")),
        techniques=_names(record.get("techniques")),
        samples=_names(record.get("samples")),
    )


def _address(pid: str, provider: Provider, page: Page) -> str:
    """Return where to read more: here, at the other portal, by the DOI, or else the plain record."""
    if isinstance(provider, Own):
        return page.to(f"/datasets/{pid}")
    if provider.kind == "pancommons":
        return f"{provider.url.rsplit('/', 1)[0]}/datasets/{quote(pid)}"
    if found := _DOI.search(pid):
        return f"https://doi.org/{quote(found[0])}"
    if pid.startswith(("https://", "http://")):
        return pid
    return f"{provider.url}/Datasets/{quote(pid, safe='')}"


def _text(value: Any) -> str | None:
    return value[:500] if isinstance(value, str) and value.strip() else None


def _names(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else []
    names = (_text(one.get("name")) for one in listed[:20] if isinstance(one, dict))
    return tuple(name for name in names if name)


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
