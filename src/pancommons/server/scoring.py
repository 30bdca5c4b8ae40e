"""``POST /score``: ranking as the PaNOSC scoring service offers it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StrictStr

from pancommons.catalogue.search import asking
from pancommons.server.search_asked import json_answer
from pancommons.server.search_models import FAILURES
from pancommons.server.services import STATEMENT_SECONDS, Now, Shared
from pancommons.server.visitor import Who


def _storable(text: str) -> str:
    """Refuse what no database holds."""
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("it holds a letter that there is not")
    return text


Words = Annotated[StrictStr, AfterValidator(_storable)]


class Asked(BaseModel):
    """What to score."""

    model_config = ConfigDict(extra="forbid")

    query: Words = Field(max_length=4096, description="free text")
    item_ids: list[Words] = Field(
        default=[], alias="itemIds", max_length=10_000, description="PIDs to score; all where there are none"
    )
    group: Words = Field("Datasets", max_length=64, description="Datasets, Documents or Instruments")
    limit: StrictInt = Field(-1, ge=-1, lt=2**31, description="how many at most; -1 or 0 for no limit of yours")


class Score(BaseModel):
    """How well an item answers."""

    item_id: str = Field(alias="itemId")
    score: float = Field(gt=0, lt=1)
    group: str


class Terms(BaseModel):
    """The query, and the terms that it was taken apart into."""

    query: str
    terms: list[str]


class Scores(BaseModel):
    """The answer, best items first."""

    request: dict[str, Any]
    query: Terms
    scores: list[Score]
    dimension: int
    compute_in_progress: bool = Field(alias="computeInProgress")
    started: str
    ended: str


def router(prefix: str) -> APIRouter:
    """Make the route, under the prefix of the search API."""
    made = APIRouter(prefix=prefix, tags=["scoring"], responses=FAILURES)
    made.post("/score", summary="Score items for a query", responses={200: {"model": Scores}})(score)
    return made


def score(asked: Asked, shared: Shared, who: Who, at: Now) -> Response:
    """Score items; those that do not match are left out."""
    with shared.database.read(STATEMENT_SECONDS) as connection:
        told = asking.score(
            connection,
            asked.query,
            who,
            at,
            group=asked.group or "Datasets",
            items=asked.item_ids or None,
            limit=asked.limit if asked.limit > 0 else None,
        )
    return json_answer(told)
