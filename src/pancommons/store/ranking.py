"""How well a record answers a query, as a number that means the same in every catalogue.

The score is BM25F (Robertson, Zaragoza & Taylor 2004) without the inverse document frequency: that depends on
what else a catalogue holds, and would let the same record score differently at two facilities. Instead, words
that carry no meaning anywhere weigh little. Lengths are compared with fixed ones for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from pancommons.store.words import terms

_SATURATION = 1.2
_LENGTH_PART = 0.5
_TITLE_WEIGHT, _TITLE_LENGTH = 3.0, 8
_BODY_WEIGHT, _BODY_LENGTH = 1.0, 30
_EMPTY_WORDS = frozenset(terms("a an and are as at be by for from in into is it of on or that the this to was with"))
_EMPTY_WEIGHT = 0.05


def score(query: Sequence[str], title: str, body: str) -> float:
    """Score a record for a query.

    Parameters
    ----------
    query
        Terms, as `pancommons.store.words.terms` gives them; repeated ones count once.
    title, body
        The record's terms, parted by spaces, as the text index keeps them.

    Returns
    -------
    float
        0 where no term is found, else strictly between 0 and 1.
    """
    in_title, in_body = title.split(), body.split()
    title_part = _TITLE_WEIGHT / _norm(len(in_title), _TITLE_LENGTH)
    body_part = _BODY_WEIGHT / _norm(len(in_body), _BODY_LENGTH)
    total = weights = 0.0
    for term in dict.fromkeys(query):
        weight = _EMPTY_WEIGHT if term in _EMPTY_WORDS else 1.0
        frequency = title_part * in_title.count(term) + body_part * in_body.count(term)
        total += weight * frequency / (_SATURATION + frequency)
        weights += weight
    return total / weights if weights else 0.0


def _norm(length: int, usual: int) -> float:
    return 1 - _LENGTH_PART + _LENGTH_PART * length / usual
