"""The models of the search API, for its OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from pancommons.catalogue.search.models import MODELS, Kind, Model

_TYPES: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.NUMBER: int,
    Kind.INSTANT: datetime,
    Kind.TRUTH: bool,
    Kind.TEXTS: list[str],
    Kind.VALUE: float | str,
    Kind.SCORE: float,
}


class Count(BaseModel):
    """How many records there are."""

    count: int = Field(ge=0)


class Problem(BaseModel):
    """What went wrong."""

    status_code: int = Field(alias="statusCode")
    name: str
    message: str = Field(description="one sentence that names what is at fault")
    code: Literal["MODEL_NOT_FOUND"] | None = None


class Failure(BaseModel):
    """The answer where something went wrong."""

    error: Problem


def _described(asked: Model) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (_TYPES[kind] | None, Field(None, description=kind.value)) for name, kind in asked.fields.items()
    }
    for name, relation in asked.relations.items():
        inner = f"list[{relation.model}]" if relation.many else relation.model
        fields[name] = (f"{inner} | None", Field(None, description="where it is included"))
    return create_model(asked.name, __doc__=f"A {asked.name} as the search API writes it.", **fields)


DESCRIBED: dict[str, type[BaseModel]] = {name: _described(one) for name, one in MODELS.items()}
for _model in DESCRIBED.values():
    _model.model_rebuild(_types_namespace=DESCRIBED)

LISTED: dict[str, Any] = {name: list[one] for name, one in DESCRIBED.items()}  # type: ignore[valid-type]

FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "the question means nothing; the message names what is at fault"},
    413: {"model": Failure, "description": "the question or its answer is too large"},
    503: {"model": Failure, "description": "the question took too long"},
}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Failure, "description": "there is no such record"}}
