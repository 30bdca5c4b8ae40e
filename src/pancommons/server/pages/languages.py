"""The words of the pages in the languages there are, read from the catalogues of translations as they are kept."""

from __future__ import annotations

import gettext
import io
from functools import cache
from importlib.resources import files

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fastapi import Request

LANGUAGES = {"en": "English", "fr": "Français", "de": "Deutsch"}
"""By code, as each is called in itself; the words in the code are English."""

COOKIE = "language"
_MOST_ASKED = 20


def language(request: Request) -> str:
    """Choose the language of an answer: the one the visitor chose, else the best the browser asks for."""
    chosen = request.cookies.get(COOKIE)
    if chosen in known():
        return chosen
    asked = []
    for place, part in enumerate(request.headers.get("accept-language", "").split(",")[:_MOST_ASKED]):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        asked.append((-weight, place, tag.split("-")[0].lower()))
    return next((tag for weight, _, tag in sorted(asked) if weight < 0 and tag in LANGUAGES), "en")


def known() -> set[str]:
    """Return the codes of all languages that pages can be made in, the tests' own among them."""
    return {*LANGUAGES, *_EXTRA}


def later(text: str) -> str:
    """Mark a text for translators that is translated where it is shown."""
    return text


_EXTRA: dict[str, gettext.NullTranslations] = {}


@cache
def translations(code: str) -> gettext.NullTranslations:
    """Return the translations into a language; what is not translated stays English."""
    if code in _EXTRA:
        return _EXTRA[code]
    file = files("pancommons.server") / "locale" / f"{code}.po"
    if not file.is_file():
        return gettext.NullTranslations()
    catalog: Catalog = read_po(io.BytesIO(file.read_bytes()), locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
