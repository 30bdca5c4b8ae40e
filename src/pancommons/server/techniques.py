"""Techniques as the PaNET service of PaNOSC answers: lists, one, and the expansion of conditions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from pancommons.catalogue.ontology import asking
from pancommons.catalogue.ontology.graph import Ontology, core
from pancommons.catalogue.ontology.stored import stored_ontology
from pancommons.server.search import unknown
from pancommons.server.search_asked import AskedPid, AskedWhere, PlainFilter, json_answer
from pancommons.server.search_models import FAILURES, UNKNOWN, Count
from pancommons.server.services import STATEMENT_SECONDS, Services, Shared


class Described(BaseModel):
    """A technique, and where it stands among others."""

    pid: str
    name: str
    panet_id: str = Field(alias="panetId")
    synonym: list[str]
    definition: str | None = None
    relatives: list[str] = Field(description="its own PID and those of all beneath it")
    children: list[str]
    parents: list[str]


def router(prefix: str) -> APIRouter:
    """Make the routes, under the prefix of the search API."""
    made = APIRouter(prefix=f"{prefix}/techniques", tags=["techniques"], responses=FAILURES)
    made.get("", summary="Find techniques", responses={200: {"model": list[Described]}})(find)
    made.get("/count", summary="Count techniques", responses={200: {"model": Count}})(count)
    made.get(
        "/pan-ontology",
        summary="Replace conditions on techniques by the PIDs of what they select and all beneath",
        responses={200: {"model": dict[str, Any]}},
    )(expand)
    made.get("/{pid}", summary="Get one technique", responses={200: {"model": Described}, **UNKNOWN})(get)
    return made


def find(shared: Shared, given: PlainFilter) -> Response:
    """Find techniques that a filter selects."""
    if isinstance(given, dict):
        given = {name: _number(name, value) for name, value in given.items()}
    return json_answer(asking.techniques(_ontology(shared), given))


def count(shared: Shared, where: AskedWhere) -> Response:
    """Count the techniques that a where selects."""
    return json_answer({"count": asking.count(_ontology(shared), where)})


def expand(shared: Shared, where: AskedWhere) -> Response:
    """Answer with conditions on PIDs alone; techniques that nobody knows give an empty list."""
    return json_answer(asking.expand(_ontology(shared), where))


def get(shared: Shared, pid: AskedPid) -> Response:
    """Get a technique by its PURL, or by the last part of it, such as PaNET01207."""
    found = asking.technique(_ontology(shared), pid)
    return unknown("Technique", pid) if found is None else json_answer(found)


def _ontology(shared: Services) -> Ontology:
    with shared.database.read(STATEMENT_SECONDS) as connection:
        stored = stored_ontology(connection)
    return stored if len(stored) else core()


def _number(name: str, value: Any) -> Any:
    """Read a number that was written in brackets, where everything is a text."""
    plain = name in ("limit", "skip", "offset") and isinstance(value, str) and value.isascii() and value.isdigit()
    return int(value) if plain and len(value) < 19 else value
