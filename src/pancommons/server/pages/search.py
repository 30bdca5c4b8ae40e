"""Finding data: the lists of datasets, documents and instruments with their facets, and what is exported of them."""

from __future__ import annotations

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import LOCAL_USER, Principal
from pancommons.catalogue.ontology.graph import Ontology, core
from pancommons.catalogue.ontology.stored import kept_ontology
from pancommons.catalogue.search.asking import MOST
from pancommons.catalogue.search.choosing import Choice, Slice, dataset_ids, record_ids
from pancommons.catalogue.search.facets import Counting, Quantity
from pancommons.catalogue.search.ground import Ground
from pancommons.catalogue.search.lasting import Lasting
from pancommons.catalogue.search.listing import DatasetHit, dataset_hits, document_hits, instrument_hits
from pancommons.catalogue.search.models import DOCUMENT, INSTRUMENT
from pancommons.catalogue.search.query import Sorting
from pancommons.server.federation.providers import Provider
from pancommons.server.federation.routes import federation, own
from pancommons.server.pages import elsewhere, exporting
from pancommons.server.pages.chosen import A_PAGE, Chosen, read
from pancommons.server.pages.facets import Facets, bars, chips
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.pages.ranges import Judged, judge
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.sightings import Noted, Noting
from pancommons.server.visitor import Who

pages = router()

_MOST_NOTED = 500


@pages.get("/datasets")
def datasets(page: Paged, who: Who, at: Now) -> HTMLResponse:
    """List the datasets that fit, with what else could be chosen."""
    everything = Counting(page.shared.database, who, at, Choice())
    chosen, judged, quantities = asked(page, everything)
    counting = everything.of(chosen.choice)
    facets = Facets(page, chosen, counting, _lasting_ontology(page.shared, counting.lasting))
    total = counting.total()
    others, hits = None, []
    if chosen.elsewhere:
        catalogues: list[Provider] = [own(page.shared, page.request, who, at), *federation(page.request).remotes]
        others = elsewhere.find(catalogues, chosen, page, who, at)
    else:
        hits = _hits(chosen, counting)
    told = facets.all()
    years = next(one for one in told if one.name == "year")
    return page.render(
        "search/datasets.html",
        chosen=chosen,
        judged=judged,
        quantities=quantities,
        units=sorted({unit for one in quantities for unit in one.units}),
        total=total.counts.get("all", 0),
        exact=total.exact,
        hits=hits,
        others=others,
        facets=told,
        bars=bars(years),
        chips=chips(chosen, facets, page),
        last=_last(total.counts.get("all", 0)),
        most=MOST,
        federated=bool(page.shared.settings.providers),
        hidden=chosen.pairs("q", "sort"),
        blank=chosen.choice.empty and not chosen.written,
    )


@pages.get("/datasets.json")
def datasets_json(page: Paged, who: Who, at: Now, noted: Noted) -> Response:
    """Export the datasets that fit, at most so many as a search gives, as one JSON object."""
    _exported(page, who, noted)
    chosen, _, _ = asked(page, Counting(page.shared.database, who, at, Choice()))
    return exporting.json_file(page, chosen, who, at)


@pages.get("/datasets.csv")
def datasets_csv(page: Paged, who: Who, at: Now, noted: Noted) -> Response:
    """Export the datasets that fit as a table."""
    _exported(page, who, noted)
    chosen, _, _ = asked(page, Counting(page.shared.database, who, at, Choice()))
    return exporting.csv_file(page, chosen, who, at)


def _exported(page: Page, who: Principal, noted: Noting) -> None:
    """Note an export: of somebody who signed in it may hold what not everybody may find."""
    if who.person is not None:
        noted.saw("export", "question", page.request.url.query[:_MOST_NOTED])


def documents(page: Paged, who: Who, at: Now) -> HTMLResponse:
    """List documents: proposals, publications and what else there is."""
    chosen = read(page.request)
    kind = page.request.query_params.get("type", "")
    where = {"type": kind} if kind else None
    with page.shared.database.read(STATEMENT_SECONDS) as connection:
        ground = Ground(connection.dialect.name, who, at)
        order = _record_order(chosen, "releaseDate")
        ids, total = record_ids(DOCUMENT, chosen.choice.words, where, order, ground, connection)
        hits = document_hits(ids, ground, connection)
    return page.render("search/documents.html", chosen=chosen, hits=hits, total=total, last=_last(total), kind=kind)


def instruments(page: Paged, who: Who, at: Now) -> HTMLResponse:
    """List instruments."""
    chosen = read(page.request)
    with page.shared.database.read(STATEMENT_SECONDS) as connection:
        ground = Ground(connection.dialect.name, who, at)
        order = _record_order(chosen, "name")
        ids, total = record_ids(INSTRUMENT, chosen.choice.words, None, order, ground, connection)
        hits = instrument_hits(ids, ground, connection)
    return page.render("search/instruments.html", chosen=chosen, hits=hits, total=total, last=_last(total))


pages.get("/documents")(documents)
pages.get("/instruments")(instruments)


def asked(page: Page, everything: Counting) -> tuple[Chosen, list[Judged], list[Quantity]]:
    """Read the address, and judge its ranges by the parameters that there are."""
    chosen = read(page.request)
    quantities = everything.of(chosen.choice).quantities()
    if {one.name for one in chosen.written} - {one.name for one in quantities}:
        every = everything.quantities()
        quantities += [one for one in every if one.name not in {other.name for other in quantities}]
    chosen, judged = judge(chosen, quantities, page.gettext)
    return chosen, judged, quantities


def ontology(shared: Shared) -> Ontology:
    """Return the techniques of the catalogue, or those that the package brings along."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        stored = kept_ontology(connection)
    return stored if len(stored) else core()


def _lasting_ontology(shared: Shared, lasting: Lasting) -> Ontology:
    """Return the same as it was kept: what datasets came since leave the techniques as they are."""
    everybody = lasting.of(LOCAL_USER)
    return everybody.get("ontology", lambda: (ontology(shared), True), len, grow=lambda known: known)


def _hits(chosen: Chosen, counting: Counting) -> list[DatasetHit]:
    lasting = counting.lasting
    wanted, database = Slice(chosen.order, chosen.skip, A_PAGE), lasting.database

    def ground(connection: Connection) -> Ground:
        return Ground(connection.dialect.name, lasting.principal, lasting.at)

    def found() -> tuple[list[int], bool]:
        known = counting.candidates(wanted)
        with database.read(STATEMENT_SECONDS) as connection:
            return dataset_ids(chosen.choice, wanted, ground(connection), connection, known), True

    ids = lasting.get(("ids", chosen.choice, wanted), found, len)
    with database.read(STATEMENT_SECONDS, by_key=True) as connection:
        return dataset_hits(ids, ground(connection), connection)


def _record_order(chosen: Chosen, field: str) -> Slice:
    ranked = bool(chosen.choice.words) and chosen.sort == "relevance"
    descending = field.endswith("Date")
    by = Sorting("title") if chosen.sort == "title" and descending else Sorting(field, descending=descending)
    return Slice(None if ranked else by, chosen.skip, A_PAGE)


def _last(total: int) -> int:
    return max(1, -(-min(total, MOST) // A_PAGE))
