"""Runs: their list, one as it goes and at its end, two side by side, and one as a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from fastapi import Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from pancommons.base.errors import PanError
from pancommons.catalogue.access import Principal
from pancommons.catalogue.read import Found, fetch
from pancommons.catalogue.records import Dataset
from pancommons.pipelines import registry
from pancommons.pipelines.notebook import Source, notebook
from pancommons.runs import reading
from pancommons.runs.asked import Conflict, TooMany
from pancommons.runs.run import Run, State
from pancommons.runs.sight import administers
from pancommons.server.pages.analyse import again
from pancommons.server.pages.frame import Page, Paged, PageRoute, router
from pancommons.server.pages.showing import RunShown, log, shown_run
from pancommons.server.pages.sidebyside import differences, values
from pancommons.server.runs.desk import Runs
from pancommons.server.runs.routes import Identifier, seen_run, there
from pancommons.server.sending import disposition
from pancommons.server.services import STATEMENT_SECONDS, Now, Services, Shared
from pancommons.server.sightings import Noted
from pancommons.server.signin.stepping_up import OfOthers
from pancommons.server.visitor import Asking

pages, files = router(), router()
pages.route_class = PageRoute

_MOST_LINES = 400
_A_PAGE = 50
_CONFLICT = 409


@pages.get("/runs", response_model=None)
def several(
    page: Paged,
    runs: Runs,
    asking: Asking,
    at: Now,
    state: Annotated[str, Query(max_length=20)] = "",
    pipeline: Annotated[str, Query(max_length=100)] = "",
    everybody: bool = False,
    before: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse | RedirectResponse:
    """List one's own runs, or everybody's for those who administer."""
    if asking.principal.person is None:
        return RedirectResponse(page.to("/signin", {"next": "/runs"}), 303)
    chosen = state if state in get_args(State) else ""
    all_of_them = everybody and administers(asking.principal)
    found: list[Run] = []
    following = before
    while len(found) < _A_PAGE:
        batch = runs.list(
            asking.principal, at, everybody=all_of_them, state=chosen or None, limit=_A_PAGE, before=following
        )
        found += [run for run in batch if pipeline in ("", run.pipeline)]
        following = batch[-1].identifier if len(batch) == _A_PAGE else None
        if following is None:
            break
    return page.render(
        "runs/list.html",
        runs=found,
        following=following,
        states=get_args(State),
        pipelines=registry.names(),
        state=chosen,
        pipeline=pipeline,
        everybody=all_of_them,
        administers=administers(asking.principal),
        at=at,
    )


@pages.get("/runs/compare")
def compare(
    page: Paged,
    runs: Runs,
    asking: Asking,
    at: Now,
    noted: Noted,
    a: Annotated[str, Query(max_length=100)] = "",
    b: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """Show two runs side by side."""
    chosen = [runs.get(identifier.strip(), asking.principal, at) for identifier in (a, b) if identifier.strip()]
    if len(chosen) < 2 or None in chosen:
        recent = runs.list(asking.principal, at, limit=_A_PAGE) if asking.principal.person else []
        wrong = bool(a and b)
        return page.render("runs/choose.html", 404 if wrong else 200, runs=recent, a=a, b=b, wrong=wrong)
    noted.saw("report", "run", *(run.identifier for run in chosen if run is not None))
    one, other = (shown_run(runs, run, at) for run in chosen if run is not None)
    return page.render(
        "runs/compare.html",
        a=one,
        b=other,
        parameters=differences(values(one), values(other)),
        found=differences(_by_name(one.found), _by_name(other.found)),
        merits=differences(
            {merit.label: merit.value for merit in one.merits},
            {merit.label: merit.value for merit in other.merits},
            all_of_them=True,
        ),
        units={merit.label: merit.unit for merit in (*one.merits, *other.merits)},
        figures=_pairs(one, other),
    )


@pages.get("/runs/{identifier}")
def one(
    page: Paged,
    shared: Shared,
    identifier: Identifier,
    runs: Runs,
    asking: Asking,
    at: Now,
    noted: Noted,
    words: Annotated[str, Query(alias="log", max_length=200)] = "",
) -> HTMLResponse:
    """Show a run."""
    run = seen_run(runs, identifier, asking.principal, at, noted, "report")
    return _page(page, shared, runs, run, asking.principal, at, words=words)


@files.get("/runs/{identifier}/now")
def now(
    page: Paged,
    identifier: Identifier,
    runs: Runs,
    asking: Asking,
    at: Now,
    noted: Noted,
    after: Annotated[int, Query(ge=0)] = 0,
) -> HTMLResponse:
    """Show what of a run changes while it goes, and what is new in its log."""
    run = seen_run(runs, identifier, asking.principal, at, noted, "log")
    shown = shown_run(runs, run, at)
    return page.render("runs/now.html", shown=shown, run=run, lines=log(runs, run, after)[-_MOST_LINES:], after=after)


@files.get("/runs/{identifier}/log.txt")
def log_text(identifier: Identifier, runs: Runs, asking: Asking, at: Now, noted: Noted) -> Response:
    """Send the whole log."""
    run = seen_run(runs, identifier, asking.principal, at, noted, "log")
    text = "".join(f"{line.at:%Y-%m-%dT%H:%M:%SZ} {line.text}\n" for line in log(runs, run))
    headers = {"Content-Disposition": disposition(f"{run.identifier}.log.txt"), "Cache-Control": "private, no-store"}
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


@files.get("/runs/{identifier}/notebook.ipynb")
def as_notebook(
    page: Paged, shared: Shared, identifier: Identifier, runs: Runs, asking: Asking, at: Now, noted: Noted
) -> Response:
    """Send a notebook that makes the same call."""
    run = seen_run(runs, identifier, asking.principal, at, noted, "provenance")
    if run.pipeline not in registry.names():
        raise HTTPException(404, page.gettext("The pipeline of this run is not installed any more."))
    here = shared.site(page.request).url
    sources = {
        role: [Source(server=here, file=file.file, name=file.name) for file in several]
        for role, several in run.inputs.items()
    }
    text = runs.hiding.text(notebook(reading.record(runs.folder(run).path), runs.report(run), sources))
    headers = {
        "Content-Disposition": disposition(f"{run.pipeline}-{run.identifier}.ipynb"),
        "Cache-Control": "private, no-store",
    }
    return Response(text, media_type="application/x-ipynb+json", headers=headers)


@pages.post("/runs/{identifier}/{what}", response_model=None)
def change(
    page: Paged,
    shared: Shared,
    identifier: Identifier,
    what: str,
    runs: Runs,
    asking: Asking,
    at: Now,
    of_others: OfOthers,
) -> HTMLResponse | RedirectResponse:
    """Stop a run, go on with it, or throw it away."""
    run = there(runs, identifier, asking.principal, at)
    acts: Mapping[str, Any] = {"stop": runs.stop, "resume": runs.resume, "delete": runs.delete}
    if what not in acts:
        raise HTTPException(404)
    of_others(run.person)
    try:
        acts[what](identifier, asking.principal, at)
    except (Conflict, TooMany, PanError) as error:
        return _page(page, shared, runs, run, asking.principal, at, status=_CONFLICT, refused=str(error))
    return RedirectResponse(page.to("/runs" if what == "delete" else f"/runs/{identifier}"), 303)


def _page(
    page: Page,
    shared: Services,
    runs: Any,
    run: Run,
    principal: Principal,
    at: Any,
    *,
    words: str = "",
    status: int = 200,
    refused: str = "",
) -> HTMLResponse:
    lines = log(runs, run)
    last = lines[-1].number if lines else 0
    chosen = [line for line in lines if words.casefold() in line.text.casefold()]
    return page.render(
        "runs/run.html",
        status,
        run=run,
        shown=shown_run(runs, run, at),
        lines=chosen[-_MOST_LINES:],
        left_out=max(0, len(chosen) - _MOST_LINES),
        last=last,
        words=words,
        again=again(run),
        result=_result(shared, run, principal, at),
        refused=refused,
    )


def _result(shared: Services, run: Run, principal: Principal, at: Any) -> str | None:
    """Return the identifier of the file of the result in the catalogue."""
    if run.dataset is None:
        return None
    with shared.database.read(STATEMENT_SECONDS) as connection:
        found = fetch(connection, "dataset", run.dataset, principal, at)
    if not isinstance(found, Found) or not isinstance(found.record, Dataset):
        return None
    return next((file.identifier for file in found.record.files if file.name == "result.nxs"), None)


def _by_name(found: Any) -> dict[str, Any]:
    return {str(one["name"]).replace("_", " "): one.get("value") for one in found}


def _pairs(one: RunShown, other: RunShown) -> list[tuple[Mapping[str, str] | None, Mapping[str, str] | None]]:
    """Put figures of the same name next to each other."""
    left = {figure["file"]: figure for figure in one.figures}
    right = {figure["file"]: figure for figure in other.figures}
    return [(left.get(name), right.get(name)) for name in dict.fromkeys([*left, *right])]
