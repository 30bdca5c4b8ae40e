"""Small matters of writing XML that all formats share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from lxml import etree

XSI = "http://www.w3.org/2001/XMLSchema-instance"

_ADDRESS = re.compile(r"https?://[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]+")
_SPDX = re.compile(r"[A-Za-z0-9.+-]+")


def root(space: str, local: str, prefix: str | None, schema: str, **spaces: str) -> etree._Element:
    """Make a root element with its schema's location and further namespaces by prefix."""
    known: Any = {prefix: space, **spaces, "xsi": XSI}
    element = etree.Element(f"{{{space}}}{local}", nsmap=known)
    element.set(f"{{{XSI}}}schemaLocation", f"{space} {schema}")
    return element


def add(parent: etree._Element, name: str, text: str | None = None, **attributes: Any) -> etree._Element:
    """Append an element, ``{namespace}local``, with text and attributes that XML can hold."""
    element = etree.SubElement(parent, name, {key: clean(value) for key, value in attributes.items()})
    if text is not None:
        element.text = clean(text)
    return element


def clean(text: str) -> str:
    """Drop what XML 1.0 cannot hold, whatever a file put into a title."""
    return "".join(sign for sign in text if _allowed(sign))


def _allowed(sign: str) -> bool:
    return sign in "\t\n\r" or " " <= sign <= "\ud7ff" or "\ue000" <= sign <= "\ufffd" or sign >= "\U00010000"


def address(text: str | None) -> str | None:
    """Return an address that every format takes for one, or None."""
    return text if text and _ADDRESS.fullmatch(text) else None


def license_url(name: str | None) -> str | None:
    """Return where a licence is explained: as given if it is an address, SPDX's page if it is their name for it."""
    if name and _SPDX.fullmatch(name):
        return f"https://spdx.org/licenses/{name}.html"
    return address(name)


def stamp(moment: datetime) -> str:
    """Write a moment in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
