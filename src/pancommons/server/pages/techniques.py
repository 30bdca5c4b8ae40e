"""The pages of techniques: all of them as a tree, and each with its data and the pipelines that do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi.responses import HTMLResponse
from markupsafe import Markup
from starlette.exceptions import HTTPException

from pancommons.catalogue.ontology.graph import PANET, Ontology
from pancommons.catalogue.records import Technique
from pancommons.catalogue.search.choosing import Choice, Slice, dataset_ids, purl
from pancommons.catalogue.search.facets import Counting
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.lasting import Lasting
from pancommons.catalogue.search.listing import dataset_hits
from pancommons.catalogue.search.query import Sorting
from pancommons.pipelines import registry
from pancommons.pipelines.declaration import Pipeline
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.pages.search import ontology
from pancommons.server.services import STATEMENT_SECONDS, Now
from pancommons.server.visitor import Who

pages = router()

_SHOWN = 6
_A_ROW = 100
"""So many characters of what is kept count as one row."""


@dataclass(frozen=True)
class Named:
    """A technique in a list; ``again`` where what lies beneath it stands further up in the tree."""

    identifier: str
    name: str
    count: int
    synonyms: tuple[str, ...] = ()
    beneath: list[Named] = field(default_factory=list)
    again: bool = False


@pages.get("/techniques")
def techniques(page: Paged, who: Who, at: Now, q: str = "", empty: bool = False) -> HTMLResponse:
    """Show all techniques as a tree with the number of datasets of each, or those that some words name."""
    known = ontology(page.shared)
    database = page.shared.database
    counted = Counting(database, who, at, Choice()).techniques()
    words = q.strip()[:300]
    found = [_named(one, counted.counts) for one in known.containing(words)] if words else []
    everything = empty or not counted.counts
    return page.render(
        "techniques/all.html",
        q=words,
        found=found,
        tree=Lasting(database, who, at).get(
            ("tree", page.language, page.to("/"), everything, counted.exact, frozenset(counted.counts.items())),
            lambda: (_written(page, _forest(known, counted.counts, everything=everything), counted.exact), True),
            lambda text: len(text) // _A_ROW,
        ),
        everything=everything,
        with_data=bool(counted.counts),
        exact=counted.exact,
        size=len(known),
    )


@pages.get("/techniques/{identifier:path}")
def technique(identifier: str, page: Paged, who: Who, at: Now) -> HTMLResponse:
    """Show one technique, by the last part of its PID such as PaNET01207, or all of it."""
    known = ontology(page.shared)
    one = known.get(identifier)
    if one is None:
        raise HTTPException(404, page.gettext("There is no such technique."))
    counted = Counting(page.shared.database, who, at, Choice()).techniques()
    newest = Slice(Sorting("creationDate", descending=True), limit=_SHOWN)
    with page.shared.database.read(STATEMENT_SECONDS) as connection:
        ground = Ground(connection.dialect.name, who, at)
        ids = dataset_ids(Choice(technique=(one.pid,)), newest, ground, connection)
        hits = dataset_hits(ids, ground, connection)
    relatives = known.as_json(one)
    return page.render(
        "techniques/one.html",
        one=one,
        short=one.pid.removeprefix(PANET),
        parents=_listed(relatives["parents"], known, counted.counts),
        children=_listed(relatives["children"], known, counted.counts),
        count=counted.counts.get(one.pid, 0),
        exact=counted.exact,
        hits=hits,
        pipelines=_pipelines(relatives["relatives"], relatives["pid"], known),
    )


def _written(page: Page, roots: list[Named], exact: bool) -> Markup:
    """Write the tree, which takes most of the time of its page and changes no sooner than the counts in it."""
    return page.fragment("techniques/tree.html", roots=roots, exact=exact)


def _pipelines(beneath: list[str], pid: str, known: Ontology) -> list[tuple[str, str, str]]:
    """List the pipelines of a technique and of those above and beneath it: name, what it does, its technique."""
    found = []
    for name in registry.names():
        made: Pipeline = registry.load(name)
        own = purl(made.technique.identifier)
        if own in beneath or (own in known and pid in known.closure[own]):
            found.append((name, made.title, made.technique.label))
    return found


def _listed(pids: list[str], known: Ontology, counts: Mapping[str, int]) -> list[Named]:
    return [_named(found, counts) for pid in pids if (found := known.get(pid)) is not None]


def _named(one: Technique, counts: Mapping[str, int]) -> Named:
    return Named(one.pid.removeprefix(PANET), one.name, counts.get(one.pid, 0), one.synonyms)


def _forest(known: Ontology, counts: Mapping[str, int], *, everything: bool) -> list[Named]:
    """Make the tree: what lies beneath a technique stands where it comes first."""
    there = {one.pid: one for one in known}
    wanted = {one.pid for one in known if everything or counts.get(one.pid)}
    seen: set[str] = set()

    def branch(pid: str) -> Named:
        one = there[pid]
        if pid in seen:
            return Named(pid.removeprefix(PANET), one.name, counts.get(pid, 0), again=bool(known.children[pid]))
        seen.add(pid)
        children = [child for child in known.children[pid] if child in wanted and child not in one.parents]
        children.sort(key=lambda child: (-counts.get(child, 0), there[child].name))
        beneath = [branch(child) for child in children]
        return Named(pid.removeprefix(PANET), one.name, counts.get(pid, 0), one.synonyms, beneath)

    roots = [
        one.pid
        for one in known
        if one.pid in wanted and not any(up in wanted and up not in known.closure[one.pid] for up in one.parents)
    ]
    return [branch(pid) for pid in sorted(roots, key=lambda pid: (-counts.get(pid, 0), there[pid].name))]
