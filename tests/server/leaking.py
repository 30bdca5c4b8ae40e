"""A commons full of secrets that are known by their words, and a crawler that walks all of it as anybody.

Every secret is a word that occurs nowhere else. Who may have it is asked of `access.allows`, which has tests of its
own; that no route gives it to anybody else is what the crawler finds out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import h5py
import numpy as np
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, Principal, Role, allows
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.read import fetch, find, resource
from pancommons.catalogue.records import (
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Person,
    Relation,
    Sample,
    Terms,
    Thumbnail,
)
from pancommons.catalogue.write import put
from pancommons.pipelines import runner
from pancommons.runs.asked import Asked
from pancommons.runs.desk import Desk
from pancommons.runs.tables import runs
from pancommons.store.engine import Database
from tests.runs.world import HereAndNow

ISSUER = "https://issuer.example"
"""Who says who people are."""


@dataclass(frozen=True)
class Secret:
    """A word, and what one needs to have it: an action on a record."""

    word: str
    action: Action
    kind: str
    pid: str


@dataclass
class World:
    """The secrets of a catalogue, and the identifiers with which the crawler asks."""

    root: Path
    at: datetime
    secrets: list[Secret] = field(default_factory=list)
    records: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    visitors: dict[str, Principal] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    def kept_from(self, connection: Connection, principal: Principal) -> list[Secret]:
        """List the secrets that somebody may not have."""
        kept = []
        for secret in self.secrets:
            key = find(connection, secret.kind, secret.pid)
            assert key is not None
            if not allows(principal, secret.action, resource(connection, secret.kind, key), self.at):
                kept.append(secret)
        return kept

    def word(self, what: str, action: Action, kind: str, pid: str) -> str:
        """Make a secret."""
        made = f"zq{what:x<8}{len(self.secrets):03d}xv"
        self.secrets.append(Secret(made, action, kind, pid))
        return made


def make_world(database: Database, root: Path, at: datetime) -> World:
    """Fill a catalogue with records of every state, each with secrets in all that it has."""
    world = World(root, at)
    past, later = at - timedelta(days=400), at + timedelta(days=200)
    states = {
        "open": Terms(open_from=past, discoverable_from=past, fixed=True, proposal="proposal-1"),
        "embargoed": Terms(open_from=later, discoverable_from=past, fixed=True, proposal="proposal-1"),
        "hidden": Terms(open_from=later, discoverable_from=later, fixed=True, proposal="proposal-1"),
        "restricted": Terms(open_from=None, discoverable_from=None, fixed=True, proposal="proposal-2"),
        "owned": Terms(open_from=None, discoverable_from=None, fixed=True, owner=f"{ISSUER}#owner"),
    }
    with database.write() as connection:

        def keep(record: Dataset | Document | Instrument | Sample) -> str:
            return put(connection, record, policy=read_policy(), by=LOCAL_USER, at=at).identifier

        keep(Instrument(pid="instrument-1", name="Beamline 1", facility="Alpha"))
        for name, state in (("proposal-1", states["hidden"]), ("proposal-2", states["restricted"])):
            terms = Terms(open_from=state.open_from, discoverable_from=state.discoverable_from, fixed=True)
            told = world.word("title", Action.DISCOVER, "document", name)
            person = world.word("person", Action.DISCOVER, "document", name)
            keep(
                Document(
                    pid=name, type="proposal", title=told, summary=told, keywords=(told,), terms=terms,
                    members=(Member(person=Person(pid=f"person:{person}", full_name=person), role="member"),),
                )
            )  # fmt: skip
        for name, terms in states.items():
            keep(_dataset(world, name, terms))
        derived = Terms(open_from=past, discoverable_from=past, fixed=True, owner=f"{ISSUER}#owner")
        np.save(world.root / "vector.npy", np.arange(64.0))
        keep(
            Dataset(
                pid="measured", kind="raw", title=world.word("title", Action.DISCOVER, "dataset", "measured"),
                creation_date=past, terms=states["restricted"], documents=("proposal-2",),
                files=(File(root="data", path="vector.npy"),),
                thumbnail=Thumbnail(content=b"RIFF", media_type="image/webp", width=8, height=8),
            )
        )  # fmt: skip
        for name in ("embargoed", "restricted"):
            keep(_dataset(world, f"from-{name}", derived, relations=(Relation(kind="derived from", target=name),)))
        keep(
            Sample(pid="sample-2", name=world.word("sample", Action.DISCOVER, "sample", "sample-2"),
                   terms=states["restricted"])
        )  # fmt: skip
        for kind in ("dataset", "document", "instrument", "sample"):
            world.records[kind] = []
        for kind, pid in [
            *(("dataset", pid) for pid in (*states, "from-embargoed", "from-restricted", "measured")),
            ("document", "proposal-1"), ("document", "proposal-2"), ("instrument", "instrument-1"),
            ("sample", "sample-2"),
        ]:  # fmt: skip
            found = fetch(connection, kind, pid, LOCAL_USER, at)
            world.records[kind] += [found.identifier, pid]  # type: ignore[union-attr]
            if kind == "dataset":
                world.files[pid] = found.record.files[0].identifier  # type: ignore[union-attr]
        one, two = find(connection, "document", "proposal-1"), find(connection, "document", "proposal-2")
        place = find(connection, "instrument", "instrument-1")
    world.visitors = _visitors(int(one or 0), int(two or 0), int(place or 0))
    return world


def _dataset(world: World, pid: str, terms: Terms, relations: tuple[Relation, ...] = ()) -> Dataset:
    """Make a dataset whose every field is a secret of its own kind, with a file."""
    seen, read = (pid, Action.DISCOVER), (pid, Action.READ)

    def word(what: str, of: tuple[str, Action]) -> str:
        return world.word(what, of[1], "dataset", of[0])

    name = f"{word('file', read)}.h5"
    inside = word("inside", read)
    with h5py.File(world.root / name, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"], entry.attrs["default"] = "NXentry", "data"
        file.attrs["default"] = "entry"
        entry["title"] = inside
        data = entry.create_group(inside)
        data.attrs["note"] = inside
        plot = entry.create_group("data")
        plot.attrs["NX_class"], plot.attrs["signal"] = "NXdata", "v"
        plot["v"] = np.arange(64.0).reshape(8, 8)
        plot["v"].attrs["long_name"] = inside
    picture = Thumbnail(
        content=b"RIFF" + word("picture", read).encode() * 4, media_type="image/webp", width=8, height=8
    )
    person = word("member", seen)
    return Dataset(
        pid=pid,
        kind="processed" if relations else "raw",
        title=word("title", seen),
        summary=word("summary", seen),
        creation_date=world.at - timedelta(days=500),
        size=12345,
        instrument="instrument-1",
        documents=(terms.proposal,) if terms.proposal else (),
        parameters=(parameter(word("name", seen), word("value", seen)),),
        keywords=(word("keyword", seen),),
        members=(Member(person=Person(pid=f"person:{person}", full_name=person), role="owner", public=True),),
        files=(File(root="data", path=name, size=(world.root / name).stat().st_size, sha256="ab" * 32),),
        relations=relations,
        thumbnail=picture,
        terms=terms,
    )


def _visitors(one: int, two: int, place: int) -> dict[str, Principal]:
    def of(role: Role, *proposals: int) -> Principal:
        return Principal(f"{ISSUER}#{role.value}", proposals={role: frozenset(proposals)})

    member = of(Role.MEMBER, one)
    return {
        "anybody": ANONYMOUS,
        "stranger": Principal(f"{ISSUER}#stranger"),
        "owner": Principal(f"{ISSUER}#owner"),
        "collaborator": of(Role.COLLABORATOR, one),
        "member": member,
        "investigator": of(Role.PRINCIPAL_INVESTIGATOR, two),
        "scientist": Principal(f"{ISSUER}#s", instruments={Role.INSTRUMENT_SCIENTIST: frozenset({place})}),
        "manager": Principal(f"{ISSUER}#m", everywhere=frozenset({Role.DATA_MANAGER})),
        **{
            f"token to {action.value}": Principal(f"{ISSUER}#m", everywhere=frozenset({Role.DATA_MANAGER}),
                                                  scopes=frozenset({action}))
            for action in Action
        },
        "token of a member to discover": Principal(
            member.person, member.proposals, scopes=frozenset({Action.DISCOVER})
        ),
    }  # fmt: skip


def add_run(world: World, desk: Desk) -> None:
    """Have a run made of restricted data, with secrets in what it is called and asked for; it is done."""
    desk.examiners = HereAndNow()  # type: ignore[assignment]
    title = world.word("run", Action.READ, "dataset", "measured")
    who = world.visitors["investigator"]
    made = desk.ask(Asked("strips", {"vector": ["measured"]}, title=title), who, world.at)
    runner.execute(desk.folder(made).path)
    with desk.database.write() as connection:
        connection.execute(sa.update(runs).values(state="done", started=world.at, ended=world.at))
    world.runs.append(made.identifier)


def routes(app: FastAPI) -> Iterator[tuple[str, Any]]:
    """Give every route of an application with its path template."""
    waiting = [("", route) for route in app.routes]
    while waiting:
        prefix, route = waiting.pop()
        inner = getattr(route, "original_router", None)
        if inner is not None:
            before = prefix + (getattr(route.include_context, "prefix", "") or "")
            waiting += [(before, one) for one in inner.routes]
        elif getattr(route, "methods", None):
            yield prefix + route.path, route


def templates(app: FastAPI) -> list[tuple[str, str]]:
    """List every route of an application: method and path template."""
    return sorted({(method, path) for path, route in routes(app) for method in route.methods})


_PLACE = re.compile(r"\{(\w+)(?::\w+)?\}")


def filled(template: str, values: dict[str, list[str]]) -> Iterator[str]:
    """Put every known value into the places of a template.

    Raises
    ------
    KeyError
        For a place that nobody told the crawler about: a new route has to be told here.
    """
    names = _PLACE.findall(template)
    for chosen in itertools.product(*(values[f"{template} {name}"] if f"{template} {name}" in values else values[name]
                                      for name in names)):  # fmt: skip
        path = template
        for name, value in zip(names, chosen, strict=True):
            path = re.sub(r"\{" + name + r"(:\w+)?\}", lambda _, value=value: quote(value, safe=""), path, count=1)
        yield path


_LINK = re.compile(r"""(?:href|src|action)\s*=\s*["']([^"']+)["']|["'](/[^"'\s<>]{1,300})["']""")


def links(body: str, base: str) -> Iterator[str]:
    """Give the addresses of ours that an answer names."""
    for match in _LINK.finditer(body):
        target = urlsplit(urljoin(base, unescape(match[1] or match[2])))
        if target.netloc in ("", urlsplit(base).netloc) and target.scheme in ("", "http", "https"):
            yield target.path + (f"?{target.query}" if target.query else "")


def holds(body: bytes, headers: str, words: list[Secret], asked: str) -> list[str]:
    """List the secrets that occur in an answer, but those that the question named itself."""
    text = body.decode("utf-8", "replace") + headers
    text += unquote(text)
    own = unquote(asked)
    return [f"{secret.word} ({secret.action} {secret.kind} {secret.pid})" for secret in words
            if secret.word in text and secret.word not in own]  # fmt: skip
