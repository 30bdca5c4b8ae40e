"""Runs as JSON: what is asked, and what is answered. No answer holds a path of the server."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.exceptions import HTTPException

from pancommons.base.errors import BadInput
from pancommons.pipelines.following import Progress
from pancommons.runs.asked import Asked, Examined
from pancommons.runs.run import Run
from pancommons.store.schema import instant_text

_LARGEST = 256 << 10

Short = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class AskedBody(BaseModel):
    """What is to be run, by identifiers only."""

    model_config = ConfigDict(extra="forbid")

    pipeline: Short = Field(description="one of /pipelines")
    inputs: dict[Short, Annotated[list[Key], Field(max_length=1000)]] = Field(
        description="by role: identifiers or PIDs of datasets, or identifiers of files", max_length=50
    )
    parameters: dict[Short, Any] = Field(
        default_factory=dict, description="as the schema of the pipeline has them; the rest take their default"
    )
    preset: Short | None = Field(None, description="values that parameters not given take")
    preview: bool = Field(False, description="do one slice, or what is like it")
    title: Short | None = Field(None, description="what the run is called; made from its input if not given")
    tell: Short | None = Field(None, description="mail address or webhook to tell when it ends")

    def asked(self) -> Asked:
        """Return it as the desk takes it."""
        return Asked(**self.model_dump())


BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": AskedBody.model_json_schema()}}}
}


async def body(request: Request) -> Asked:
    """Read what is asked, and no more than that may be."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _LARGEST:
            raise HTTPException(413, f"a request may have {_LARGEST >> 10} kB")
    try:
        return AskedBody.model_validate_json(bytes(content)).asked()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(str(first["msg"]), field=place or None) from None


Wanted = Annotated[Asked, Depends(body)]


def examined(told: Examined) -> dict[str, Any]:
    """Tell what a look at the data found."""
    shown: dict[str, Any] = plain(asdict(told))
    estimate = {name: shown.pop(name) for name in ("seconds", "memory", "disk")}
    return shown | {"estimate": estimate}


def run(told: Run, to: str) -> dict[str, Any]:
    """Tell what is known of a run without a look at its folder.

    Parameters
    ----------
    to
        The address under which the application lies, without a slash at its end.
    """
    here = f"{to}/runs/{told.identifier}"
    links = {"self": here, "events": f"{here}/events", "stop": f"{here}/stop", "resume": f"{here}/resume"}
    if told.state in ("done", "partial"):
        links |= {
            "report": f"{here}/report",
            "page": f"{here}/report.html",
            "crate": f"{here}/crate",
            "result": f"{here}/result",
        }
    if told.dataset is not None:
        links["dataset"] = f"{to}/datasets/{told.dataset}"
    found: dict[str, Any] = plain(
        {
            "id": told.identifier,
            "title": told.title,
            "state": told.state,
            "why": told.why,
            "person": told.name or told.person,
            "pipeline": told.pipeline,
            "version": told.version,
            "preview": told.preview,
            "preset": told.preset,
            "parameters": told.parameters,
            "inputs": {role: [asdict(one) for one in several] for role, several in told.inputs.items()},
            "place": told.place,
            "estimate": {"seconds": told.seconds, "memory": told.memory, "disk": told.disk},
            "dataset": told.dataset,
            "links": links,
        }
    )
    moments = {"created": told.created, "started": told.started, "ended": told.ended, "expires": told.expires}
    return found | {name: None if one is None else instant_text(one) for name, one in moments.items()}


def progress(told: Progress, now: float) -> dict[str, Any]:
    """Tell how far a run is."""
    lefts = [stage.left for stage in told.stages.values() if stage.left is not None]
    found: dict[str, Any] = plain(
        {
            "phase": told.phase,
            "stages": [{**asdict(stage), "rate": stage.rate, "left": stage.left} for stage in told.stages.values()],
            "left": sum(lefts) if lefts and told.state == "running" else None,
            "found": {
                name: {key: event.get(key) for key in ("value", "unit", "method", "confidence")}
                for name, event in told.found.items()
            },
            "warnings": told.warnings,
            "failures": told.failures,
            "text": told.text,
            "seconds": (told.ended or now) - told.began if told.began else None,
        }
    )
    for stage in found["stages"]:
        for name in ("began", "already", "latest"):
            del stage[name]
    return found


def plain(value: Any) -> Any:
    """Make JSON of what may hold numbers that JSON has not."""
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
