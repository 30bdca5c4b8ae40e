"""What a client of the search API asks, and what goes back to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Path, Query, Request, Response

from pancommons.catalogue.search import weighing
from pancommons.catalogue.search.brackets import from_query
from pancommons.catalogue.search.errors import BadFilter
from pancommons.catalogue.search.parse import loaded

_FILTER = (
    'A filter in JSON: `{"where": {...}, "include": [...], "order": "title ASC", "fields": [...], "limit": 10, '
    '"skip": 0, "query": "words"}`. LoopBack\'s other spelling is taken as well: `filter[limit]=10`.'
)
_WHERE = 'Conditions in JSON: `{"title": {"like": "lung"}}`, or `where[title][like]=lung`.'


def asked_filter(
    request: Request,
    _shown: Annotated[str | None, Query(alias="filter", description=_FILTER, examples=['{"limit": 10}'])] = None,
    query: Annotated[str | None, Query(description="Free text to rank by; the same as `query` in the filter.")] = None,
) -> Any:
    """Take the filter out of a request, and a free text beside it into it."""
    given = loaded(from_query(request.query_params.multi_items()), "filter")
    if query is None:
        return given
    if given is None:
        return {"query": query}
    if not isinstance(given, Mapping):
        return given
    if given.get("query") is not None:
        raise BadFilter("it is there twice", field="query", remedy="give it in the filter or beside it")
    return {**given, "query": query}


def plain_filter(
    request: Request,
    _shown: Annotated[str | None, Query(alias="filter", description=_FILTER, examples=['{"limit": 10}'])] = None,
) -> Any:
    """Take the filter out of a request where nothing is ranked."""
    return loaded(from_query(request.query_params.multi_items()), "filter")


def asked_where(
    request: Request,
    _shown: Annotated[str | None, Query(alias="where", description=_WHERE, examples=["{}"])] = None,
) -> Any:
    """Take the conditions of a count out of a request."""
    return loaded(from_query(request.query_params.multi_items(), "where"), "where")


def asked_pid(
    pid: Annotated[str, Path(description="PID, percent-encoded into one segment: a slash is `%2F`.")],
) -> str:
    """Decode a PID."""
    return unquote(pid)


AskedFilter = Annotated[Any, Depends(asked_filter)]
PlainFilter = Annotated[Any, Depends(plain_filter)]
AskedWhere = Annotated[Any, Depends(asked_where)]
AskedPid = Annotated[str, Depends(asked_pid)]


def json_answer(told: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Write an answer; one that is too large is refused."""
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        body = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, from another server
        body = json.dumps(told, allow_nan=False, separators=(",", ":")).encode()
    if len(body) > weighing.LARGEST:
        raise weighing.too_large()
    return Response(body, media_type="application/json", headers=dict(headers or {}))
