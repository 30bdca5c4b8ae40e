"""Keeping the server's folders out of what is shown: a path becomes a place, as ``raw:2026/scan.nxs``."""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pancommons.base.home import home
from pancommons.catalogue.ingest.roots import Roots


class Hiding:
    """What is not to be shown, and what is shown instead.

    Parameters
    ----------
    roots
        What lies below a root is named by the root; what lies in other folders of the server by what follows.
    """

    def __init__(self, roots: Roots) -> None:
        shown: dict[str, str] = {}
        for name, folder in roots.folders.items():
            shown |= dict.fromkeys(_spelled(folder), f"{name}:")
        for folder in (home(), Path.home(), Path(sys.prefix), Path(sys.base_prefix), Path.cwd()):
            for text in _spelled(folder):
                shown.setdefault(text, "")
        self._shown = shown
        folders = "|".join(re.escape(text) for text in sorted(shown, key=len, reverse=True))
        self._paths = re.compile(rf"(?<![\w.~-])(?:file://)?({folders})(?:/|(?![\w-]|\.\w))")

    def text(self, text: str) -> str:
        """Replace every folder of the server in a text."""
        return self._paths.sub(lambda match: self._shown[match[1]], text)

    def json(self, value: Any) -> Any:
        """Do so in every text of a JSON value, names included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.json(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(one) for one in value]
        return value


def _spelled(folder: Path) -> set[str]:
    """Return the ways in which a folder may be written: as configured, with links resolved, in HTML, in a URI."""
    found: set[str] = set()
    for path in (folder.absolute(), folder.resolve()):
        if len(path.parts) > 1:
            found |= {str(path), escape(str(path)), quote(str(path))}
    return found
