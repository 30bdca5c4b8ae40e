"""Gathering the words of the pages for translators.

``python -m pancommons.server.pages.wording`` brings the files of all languages up to date. Each language has one file
``locale/CODE.po``, read as it is when the server starts. A text that is new is added there without a translation, one
that is no longer used is removed, and nothing is guessed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from pancommons.server.pages.languages import LANGUAGES

SERVER = Path(str(files("pancommons.server")))
_WHERE = [("templates/**.html", "jinja2"), ("templates/**.svg", "jinja2"), ("**.py", "python")]
_HOW = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "trimmed": "true", "newstyle_gettext": "true"}}
_HEADER = "# Words of the pages of PaN Commons. Bring up to date: python -m pancommons.server.pages.wording"
_CALLED = {
    "_": None, "gettext": None, "later": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "HTTPException": (2,),
}  # fmt: skip


def gathered(folder: Path = SERVER) -> Catalog:
    """Return every text that the templates and the code ask for."""
    catalog = Catalog(project="PaN Commons")
    for file, _line, words, comments, context in extract_from_dir(folder, _WHERE, _HOW, _CALLED):
        catalog.add(words, None, [(file, None)], auto_comments=comments, context=context)
    return catalog


def translated(code: str) -> Catalog:
    """Return what is translated into a language so far."""
    file = SERVER / "locale" / f"{code}.po"
    if not file.is_file():
        return Catalog(code, project="PaN Commons", header_comment=_HEADER, fuzzy=False)
    return read_po(io.BytesIO(file.read_bytes()), locale=code)


def refresh() -> Iterator[tuple[str, int, int]]:
    """Bring the file of every language up to date; give its code, how many texts there are, how many are missing."""
    words = gathered()
    for code in LANGUAGES:
        if code == "en":
            continue
        catalog = translated(code)
        words.creation_date = catalog.creation_date
        catalog.update(words, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        catalog.msgid_bugs_address, catalog.last_translator, catalog.language_team = "", "PaN Commons", code
        told = io.BytesIO()
        write_po(told, catalog, width=110, sort_output=True, include_lineno=False)
        (SERVER / "locale" / f"{code}.po").write_bytes(told.getvalue())
        yield code, len(catalog), len(missing(catalog))


def missing(catalog: Catalog) -> list[str]:
    """List the words that are not translated, or only guessed."""
    found = []
    for message in catalog:
        texts = message.string if isinstance(message.string, list | tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(texts)):
            found.append(message.id if isinstance(message.id, str) else message.id[0])
    return found


if __name__ == "__main__":
    for code, count, lacking in refresh():
        sys.stdout.write(f"{code}: {count} words, {lacking} to translate\n")
