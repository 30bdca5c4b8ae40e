"""``/pipelines``: what can be run, as it is declared."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pancommons.pipelines import parameters, registry
from pancommons.pipelines.declaration import Pipeline

router = APIRouter(tags=["pipelines"])


@router.get("/pipelines", summary="The pipelines that are installed")
def several(request: Request) -> Response:
    """List name, title and technique of each."""
    return JSONResponse({"pipelines": [_short(registry.load(name), request) for name in registry.names()]})


@router.get("/pipelines/{name}", summary="A pipeline: inputs, parameters, presets, figures of merit")
def one(name: Annotated[str, Path(max_length=100)], request: Request) -> Response:
    """Tell all of a pipeline's declaration that whoever runs it needs."""
    if name not in registry.names():
        raise HTTPException(404, "there is no such pipeline")
    pipeline = registry.load(name)
    return JSONResponse(
        _short(pipeline, request)
        | {
            "roles": [asdict(role) for role in pipeline.roles],
            "parameters": parameters.schema(pipeline),
            "presets": {preset: dict(values) for preset, values in pipeline.presets.items()},
            "preview": pipeline.preview is not None,
            "stages": [{"name": stage.name, "title": stage.title, "noun": stage.noun} for stage in pipeline.stages],
            "merits": [asdict(merit) for merit in pipeline.merits],
            "citations": [asdict(citation) for citation in pipeline.citations],
            "licence": pipeline.licence,
            "examples": list(pipeline.examples),
        }
    )


def _short(pipeline: Pipeline, request: Request) -> dict[str, Any]:
    technique = pipeline.technique
    mounted: str = request.scope.get("root_path", "")
    return {
        "name": pipeline.name,
        "version": pipeline.version,
        "title": pipeline.title,
        "description": pipeline.description,
        "technique": {"identifier": technique.identifier, "label": technique.label, "iri": technique.iri},
        "link": f"{mounted.rstrip('/')}/pipelines/{pipeline.name}",
    }
