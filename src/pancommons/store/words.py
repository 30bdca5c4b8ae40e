"""Text as terms: split, folded and stemmed once here, so that both databases index the same."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

import snowballstemmer

_WORD = re.compile(r"[^\W_]+")
_LONGEST = 64
_stemmers = threading.local()


def terms(text: str) -> list[str]:
    """Split a text into terms: accents and case dropped, English words by their Porter stem, in order.

    A term holds letters and digits only. ``X-ray`` gives ``x`` and ``ray``, ``4.2 K`` gives ``4``, ``2``
    and ``k``; no word is left out as too common. Words over 64 letters are cut.
    """
    return [_stem(word) for word in _WORD.findall(folded(text))]


def folded(text: str) -> str:
    """Drop accents and case."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    if not hasattr(_stemmers, "porter"):
        _stemmers.porter = snowballstemmer.stemmer("porter")
    stem: str = _stemmers.porter.stemWord(word[:_LONGEST])
    return stem or word
