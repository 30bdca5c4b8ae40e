"""From a dataset to a run: pipelines that fit, a form of the chosen one, a first look, what it takes, and the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from pancommons.base import machine
from pancommons.base.errors import BadInput, PanError
from pancommons.catalogue.access import Action, allows
from pancommons.catalogue.read import Found, Tombstone, fetch, resource
from pancommons.catalogue.records import Dataset
from pancommons.pipelines import registry
from pancommons.pipelines.declaration import Pipeline
from pancommons.runs.asked import Asked, Conflict, Examined, NotSignedIn, TooMany
from pancommons.runs.desk import Desk
from pancommons.runs.run import Run
from pancommons.server.pages import fitting, form
from pancommons.server.pages.frame import Page, Paged, router
from pancommons.server.pages.showing import RunShown, shown_run
from pancommons.server.runs.desk import Runs
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.sightings import Noted
from pancommons.server.visitor import Asking, Visitor

pages = router()

PRESET, BEFORE, DO, LOOK, TITLE = "preset", "preset-before", "then-do", "first-look", "run-title"
"""Names in forms that are no parameters and no inputs; with a hyphen where a pipeline could take the word."""

_AT_ONCE = 4
_REFUSED = 422


async def _sent(request: Request) -> dict[str, str]:
    """Return the texts of a form that was sent; of several values of one name the last."""
    posted = await request.form(max_files=0, max_fields=500)
    return {name: value for name, value in posted.items() if isinstance(value, str)}


Sent = Annotated[dict[str, str], Depends(_sent)]


@dataclass(frozen=True)
class _Analysed:
    """The dataset that somebody wants to analyse."""

    id: int
    identifier: str
    record: Dataset
    may: bool


def _analysed(identifier: str, shared: Shared, asking: Asking, at: Now, noted: Noted) -> _Analysed:
    with shared.database.read(STATEMENT_SECONDS) as connection:
        found = fetch(connection, "dataset", identifier, asking.principal, at)
        if isinstance(found, Tombstone):
            raise HTTPException(410, "This dataset was taken away.")
        if not isinstance(found, Found) or not isinstance(found.record, Dataset):
            noted.refused("look inside", "dataset", identifier)
            raise HTTPException(404, "There is no such dataset, or it is not open to you.")
        may = allows(asking.principal, Action.RUN, resource(connection, "dataset", found.id), at)
    (noted.saw if may else noted.refused)("look inside", "dataset", found.identifier)
    return _Analysed(found.id, found.identifier, found.record, may)


Analysed = Annotated[_Analysed, Depends(_analysed)]


@pages.get("/datasets/{identifier}/analyse")
def choose(page: Paged, shared: Shared, asking: Asking, at: Now, dataset: Analysed, runs: Runs) -> HTMLResponse:
    """Show which pipelines fit a dataset, and why others do not."""
    if not dataset.may:
        return _kept_back(page, dataset, asking)
    with shared.database.read(STATEMENT_SECONDS) as connection:
        near = fitting.near(connection, dataset.record.techniques)
    pipelines = [registry.load(name) for name in registry.names()]

    def judge(pipeline: Pipeline) -> fitting.Judged:
        by_technique = near.get(pipeline.technique.iri)
        if by_technique is fitting.Near.FAR:
            return fitting.Judged(
                pipeline,
                fits=False,
                why=page.gettext("It is made for %(technique)s.") % {"technique": pipeline.technique.label},
            )
        try:
            runs.examine(Asked(pipeline.name, {pipeline.primary.name: [dataset.identifier]}), asking.principal, at)
        except TooMany as error:
            return fitting.Judged(pipeline, fits=True, why=str(error))
        except PanError as error:
            return fitting.Judged(pipeline, fits=False, why=str(error))
        return fitting.Judged(pipeline, fits=True, why="")

    with ThreadPoolExecutor(_AT_ONCE) as several:
        judged = list(several.map(judge, pipelines))
    return page.render("analyse/choose.html", dataset=dataset, judged=judged)


@pages.get("/datasets/{identifier}/analyse/{name}")
def fill(
    page: Paged, request: Request, shared: Shared, asking: Asking, at: Now, dataset: Analysed, name: str, runs: Runs
) -> HTMLResponse:
    """Show the form of a pipeline, filled from the address."""
    if not dataset.may:
        return _kept_back(page, dataset, asking)
    return _form(page, shared, asking, at, dataset, _pipeline(name), dict(request.query_params), runs)


@pages.post("/datasets/{identifier}/analyse/{name}", response_model=None)
def act(
    page: Paged,
    shared: Shared,
    asking: Asking,
    at: Now,
    dataset: Analysed,
    name: str,
    sent: Sent,
    runs: Runs,
) -> HTMLResponse | RedirectResponse:
    """Check what was filled in, have a first look, or start."""
    if not dataset.may:
        return _kept_back(page, dataset, asking)
    pipeline = _pipeline(name)
    filled, asked = _asked(pipeline, dataset, sent)
    if filled.wrong:
        return _form(page, shared, asking, at, dataset, pipeline, sent, runs, status=_REFUSED)
    what = sent.get(DO)
    here = f"/datasets/{dataset.identifier}/analyse/{pipeline.name}"
    address = dict(_query(pipeline, dataset, sent, filled))
    if what not in ("start", "preview"):
        return RedirectResponse(page.to(here, address), 303)
    try:
        run = runs.ask(replace(asked, preview=what == "preview"), asking.principal, at, name=asking.name)
    except (BadInput, TooMany, Conflict, NotSignedIn) as error:
        return _form(page, shared, asking, at, dataset, pipeline, sent, runs, status=_REFUSED, refused=error)
    if what == "start":
        return RedirectResponse(page.to(f"/runs/{run.identifier}"), 303)
    return RedirectResponse(page.to(here, address | {LOOK: run.identifier}) + "#first-look", 303)


@pages.post("/datasets/{identifier}/analyse/{name}/estimate")
def estimate(
    page: Paged, asking: Asking, at: Now, dataset: Analysed, name: str, sent: Sent, runs: Runs
) -> HTMLResponse:
    """Say what a run would take, and what is wrong, while the form is filled in."""
    if not dataset.may:
        raise HTTPException(404)
    pipeline = _pipeline(name)
    filled, asked = _asked(pipeline, dataset, sent)
    examined, problem = _examined(runs, asked, asking, at) if not filled.wrong else (None, None)
    return page.render(
        "analyse/estimate.html",
        examined=examined,
        problem=problem,
        wrong=filled.wrong,
        labels=_labels(pipeline),
        cores=_cores(runs),
    )


@pages.get("/datasets/{identifier}/analyse/{name}/look/{run}")
def look(page: Paged, asking: Asking, at: Now, dataset: Analysed, name: str, run: str, runs: Runs) -> HTMLResponse:
    """Show how far a first look is."""
    seen = _look(runs, run, _pipeline(name), asking, at)
    if seen is None:
        raise HTTPException(404)
    return page.render("analyse/look.html", look=seen, dataset=dataset, pipeline=_pipeline(name))


def _form(
    page: Page,
    shared: Any,
    asking: Visitor,
    at: Any,
    dataset: _Analysed,
    pipeline: Pipeline,
    sent: Mapping[str, str],
    runs: Desk,
    *,
    status: int = 200,
    refused: PanError | None = None,
) -> HTMLResponse:
    filled, asked = _asked(pipeline, dataset, sent)
    examined, problem = (None, refused) if filled.wrong or refused else _examined(runs, asked, asking, at)
    fields = form.fields(pipeline)
    firsts = form.first(fields)
    wrong = dict(filled.wrong)
    if isinstance(problem, BadInput) and problem.field in _labels(pipeline):
        wrong.setdefault(str(problem.field), _sentence(problem))
        problem = None
    with shared.database.read(STATEMENT_SECONDS) as connection:
        suggested = fitting.suggested(connection, dataset.id, asking.principal, at)
    groups: dict[str, list[form.Field]] = {}
    for one in fields:
        if one not in firsts:
            groups.setdefault(one.group, []).append(one)
    seen = _look(runs, sent[LOOK], pipeline, asking, at) if sent.get(LOOK) else None
    preset = sent.get(PRESET) if sent.get(PRESET) in pipeline.presets else ""
    return page.render(
        "analyse/form.html",
        status,
        dataset=dataset,
        pipeline=pipeline,
        firsts=firsts,
        groups=groups,
        texts=filled.texts,
        given=filled.given,
        wrong=wrong,
        labels=_labels(pipeline),
        problem=str(problem) if problem else None,
        examined=examined,
        cores=_cores(runs),
        preset=preset,
        inputs={role.name: " ".join(asked.inputs.get(role.name, ())) for role in pipeline.roles},
        suggested=suggested,
        files=[file for file in dataset.record.files if file.role == "data" and not file.missing],
        look=seen,
        title=sent.get(TITLE, ""),
    )


def _asked(pipeline: Pipeline, dataset: _Analysed, sent: Mapping[str, str]) -> tuple[form.Filled, Asked]:
    """Read inputs, preset and parameters; what differs from the preset before is kept under a new one."""
    wrong: dict[str, str] = {}
    preset = sent.get(PRESET) or None
    before = sent.get(BEFORE, preset or "") or None
    if preset is not None and preset not in pipeline.presets:
        wrong[PRESET], preset = "there is no such preset", None
    filled = form.read(pipeline, sent, before if before in pipeline.presets else None)
    if before != preset and not filled.wrong:
        filled = form.read(pipeline, {name: form.text(value) for name, value in filled.given.items()}, preset)
    filled.wrong.update(wrong)
    inputs = {role.name: sent.get(role.name, "").replace(",", " ").split() for role in pipeline.roles}
    inputs[pipeline.primary.name] = inputs[pipeline.primary.name] or [dataset.identifier]
    for role in pipeline.roles:
        if role.required and not inputs[role.name]:
            filled.wrong[role.name] = "is needed: give the identifier of a dataset or of a file"
        if len(inputs[role.name]) > 1 and not role.many:
            filled.wrong[role.name] = "takes one dataset or file"
    asked = Asked(
        pipeline.name,
        {name: several for name, several in inputs.items() if several},
        filled.given,
        preset,
        title=sent.get(TITLE, "").strip() or None,
    )
    return filled, asked


def _query(
    pipeline: Pipeline, dataset: _Analysed, sent: Mapping[str, str], filled: form.Filled
) -> Sequence[tuple[str, str]]:
    """Return what of a form an address has to say."""
    told = [(name, form.text(value)) for name, value in filled.given.items()]
    told += [(role.name, sent[role.name]) for role in pipeline.roles if sent.get(role.name)]
    told += [(name, sent[name]) for name in (PRESET, LOOK, TITLE) if sent.get(name)]
    return [(name, value) for name, value in told if (name, value) != (pipeline.primary.name, dataset.identifier)]


def again(run: Run) -> str | None:
    """Return the path and query of the form filled as a run was asked for; None if it has no input any more."""
    if run.pipeline not in registry.names() or not run.inputs:
        return None
    pipeline = registry.load(run.pipeline)
    first = run.inputs.get(pipeline.primary.name) or next(iter(run.inputs.values()))
    told = {name: form.text(value) for name, value in run.parameters.items()}
    told |= {role: " ".join(one.file for one in several) for role, several in run.inputs.items()}
    if run.preset:
        told[PRESET] = run.preset
    return f"/datasets/{first[0].dataset}/analyse/{run.pipeline}?{urlencode(told)}"


def _examined(runs: Desk, asked: Asked, asking: Visitor, at: Any) -> tuple[Examined | None, PanError | None]:
    try:
        return runs.examine(asked, asking.principal, at), None
    except PanError as error:
        return None, error


def _look(runs: Desk, identifier: str, pipeline: Pipeline, asking: Visitor, at: Any) -> RunShown | None:
    run = runs.get(identifier, asking.principal, at)
    return shown_run(runs, run, at) if run and run.preview and run.pipeline == pipeline.name else None


def _pipeline(name: str) -> Pipeline:
    if name not in registry.names():
        raise HTTPException(404, "There is no such pipeline.")
    return registry.load(name)


def _labels(pipeline: Pipeline) -> dict[str, str]:
    """Return what fields are called, those of inputs among them."""
    named = {one.name: one.label for one in form.fields(pipeline)}
    return {role.name: role.name.replace("_", " ").capitalize() for role in pipeline.roles} | named | {PRESET: "Preset"}


def _cores(runs: Desk) -> int:
    """Return how many units of a run go at a time."""
    return runs.settings.runs.workers or runs.settings.workers or machine.cores()


def _kept_back(page: Page, dataset: _Analysed, asking: Visitor) -> HTMLResponse:
    return page.render("analyse/kept.html", 200 if asking.name else 401, dataset=dataset)


def _sentence(error: BadInput) -> str:
    """Say what is wrong beside the field it is wrong with."""
    return f"{error.problem}; {error.remedy}" if error.remedy else error.problem
