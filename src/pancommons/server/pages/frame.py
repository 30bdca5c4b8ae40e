"""What all pages have: the frame, the language, addresses below the path the server is mounted at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import CodeType
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.routing import Match
from starlette.types import Scope

from pancommons.server.carried import version
from pancommons.server.pages import shown
from pancommons.server.pages.languages import LANGUAGES, language, translations
from pancommons.server.services import Shared
from pancommons.server.visitor import Asking

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'",
    "Cache-Control": "private, no-cache",
    "Vary": "Accept, Accept-Language, Cookie",
}
THEMES = ("light", "dark")


class PageRoute(APIRoute):
    """A route for browsers, at an address where programs are answered in JSON."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match if the request would rather have HTML."""
        wanted = next((value for name, value in scope.get("headers", ()) if name == b"accept"), b"")
        return super().matches(scope) if b"text/html" in wanted else (Match.NONE, {})


def router() -> APIRouter:
    """Make a router of pages; they are no part of the API's description."""
    return APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class Page:
    """Makes the page that answers one request."""

    def __init__(self, request: Request, shared: Shared, asking: Asking) -> None:
        self.request, self.shared, self.asking = request, shared, asking
        self.language = language(request)

    def to(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Return the address of a path of ours, below the path the server is mounted at.

        That of a file of the package changes with what is in the file.
        """
        asked = urlencode(query or version(path), doseq=True)
        mounted: str = self.request.scope.get("root_path", "")
        return mounted + quote(path, safe="/:@%._-~") + (f"?{asked}" if asked else "")

    def render(self, template: str, /, status: int = 200, **shown_there: Any) -> HTMLResponse:
        """Fill a template.

        Parameters
        ----------
        template
            Its name below ``templates/``.
        shown_there
            What it shows; each template says at its top what it needs.
        """
        frame = {
            "to": self.to,
            "request": self.request,
            "asking": self.asking,
            "site": self.shared.settings.site,
            "language": self.language,
            "languages": LANGUAGES,
            "theme": theme if (theme := self.request.cookies.get("theme")) in THEMES else "",
            "built": built(),
        }
        return HTMLResponse(self.fragment(template, **frame, **shown_there), status, HEADERS)

    def fragment(self, template: str, /, **shown_there: Any) -> Markup:
        """Fill a template that is a part of a page, which has addresses but not what the frame knows."""
        return Markup(environment(self.language).get_template(template).render(**{"to": self.to} | shown_there))  # noqa: S704

    def gettext(self, text: str) -> str:
        """Translate a text that is made in the code."""
        return translations(self.language).gettext(text)


Paged = Annotated[Page, Depends(Page)]


class _Compiled(BytecodeCache):
    """Templates as they were compiled for one language, which are the same for all."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is kept, if it is of the same text."""
        text, code = self._kept.get(bucket.key, ("", None))
        if text == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._kept[bucket.key] = (bucket.checksum, bucket.code)


_compiled = _Compiled()


@cache
def environment(code: str) -> Environment:
    """Return the templates in a language."""
    made = Environment(
        loader=PackageLoader("pancommons.server"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        bytecode_cache=_compiled,
        auto_reload=False,
    )
    words = translations(code)
    made.install_gettext_callables(words.gettext, words.ngettext, newstyle=True, pgettext=words.pgettext)  # type: ignore[attr-defined]
    made.filters.update(shown.filters(code))
    return made


@cache
def built() -> frozenset[str]:
    """Return the names of what npm built, which need not be there: ``htmx.js``, ``viewer.js``, ``viewer.css``."""
    folder = files("pancommons.server") / "static" / "built"
    return frozenset(one.name for one in folder.iterdir()) if folder.is_dir() else frozenset()
