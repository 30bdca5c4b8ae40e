"""Scores for records of catalogues that rank otherwise than we do, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pancommons.catalogue.federation.order import score as given_score
from pancommons.catalogue.search.models import Model
from pancommons.catalogue.search.ranking import query_terms
from pancommons.store.ranking import score
from pancommons.store.words import terms

_LEAST = 1e-6


def rescored(record: Mapping[str, Any], model: Model, query: str) -> dict[str, Any] | None:
    """Return a record with a score by our measure; None where it does not answer the query.

    Only title or name and the other searched fields are known here. A record in which none of them matches, but
    that its catalogue scored, keeps a place at the end.
    """
    title, *rest = model.searched
    found = score(query_terms(query), _terms(record.get(title)), " ".join(_terms(record.get(name)) for name in rest))
    if not found and given_score(record) > 0:
        found = _LEAST
    return {**record, "score": found} if found else None


def _terms(text: Any) -> str:
    return " ".join(terms(text)) if isinstance(text, str) else ""
