"""NXDL, the language of the NeXus definitions: one definition read from its XML into plain records.

The XML is read by the standard library's expat with everything refused that a definition never has: a document
type, and so entities, which is what makes small files grow large; great depth; great size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from pancommons.base.errors import BadInput

Presence = Literal["required", "recommended", "optional"]
NameType = Literal["specified", "partial", "any"]

LARGEST_FILE = 4 << 20
DEEPEST = 64
_UNBOUNDED = 2**31


@dataclass(frozen=True)
class Enumeration:
    """The values that are allowed, or, where it is open, suggested."""

    items: tuple[str, ...]
    open: bool


@dataclass(frozen=True)
class Dimensions:
    """The shape of a field.

    Attributes
    ----------
    rank
        The number of its dimensions; None where it is not a plain number.
    sizes
        For each dimension, from the first, a number, the name of a symbol, or "" for anything else.
    """

    rank: int | None
    sizes: tuple[str, ...]


@dataclass(frozen=True)
class Attribute:
    """An attribute of a group or a field. `type` is "" where none is stated."""

    name: str
    name_type: NameType
    presence: Presence
    deprecated: str
    type: str
    enumeration: Enumeration | None


@dataclass(frozen=True)
class Field:
    """A dataset. `type` and `units`, a category such as NX_LENGTH or a unit, are "" where none are stated."""

    name: str
    name_type: NameType
    presence: Presence
    deprecated: str
    most: int
    type: str
    units: str
    enumeration: Enumeration | None
    dimensions: Dimensions | None
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True)
class Link:
    """Another name of a dataset or a group that lies elsewhere in the entry."""

    name: str
    name_type: NameType
    presence: Presence
    deprecated: str
    target: str


@dataclass(frozen=True)
class Group:
    """A group of a class. `choice` is the same for groups of which one is to be there, "" for others.

    Attributes
    ----------
    name
        "" where only the class counts; `name_type` is then "any".
    lenient
        Of what more than is described may be there without a word: ``groups``, ``fields``, ``attributes``.
    """

    name: str
    name_type: NameType
    presence: Presence
    deprecated: str
    type: str
    least: int
    most: int
    choice: str = ""
    attributes: tuple[Attribute, ...] = ()
    fields: tuple[Field, ...] = ()
    links: tuple[Link, ...] = ()
    groups: tuple[Group, ...] = ()
    lenient: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Definition:
    """A base class or an application definition. `content` is the group it describes, of its own type."""

    name: str
    application: bool
    extends: str
    deprecated: str
    symbols: frozenset[str]
    content: Group


@dataclass
class _Element:
    tag: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)

    def all(self, tag: str) -> list[_Element]:
        return [child for child in self.children if child.tag == tag]


def read_definition(path: Path) -> Definition:
    """Read one definition.

    Raises
    ------
    BadInput
        If the file cannot be read, is no XML, is too large or too deep, has a document type, or is no definition.
    """
    root = _parse(path)
    if root.tag != "definition" or not root.attributes.get("name"):
        raise BadInput("is no NeXus definition", file=path)
    given = root.attributes
    application = given.get("category") == "application"
    lenient = {what for what in ("groups", "fields", "attributes") if _yes(given, f"ignoreExtra{what.title()}")}
    symbols = {one.attributes.get("name", "") for part in root.all("symbols") for one in part.all("symbol")}
    return Definition(
        name=given["name"],
        application=application,
        extends=given.get("extends", ""),
        deprecated=given.get("deprecated", ""),
        symbols=frozenset(symbols - {""}),
        content=_Reader(application).group(root, of=given["name"], lenient=frozenset(lenient)),
    )


def _parse(path: Path) -> _Element:
    top = _Element("", {})
    above = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(above) > DEEPEST:
            raise BadInput("is nested too deep for a NeXus definition", file=path)
        plain = {name.rpartition(" ")[2]: value for name, value in attributes.items()}
        element = _Element(tag.rpartition(" ")[2], plain)
        above[-1].children.append(element)
        above.append(element)

    def refuse(*_: object) -> None:
        raise BadInput("has a document type, which no NeXus definition has", file=path)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: above.pop() and None
    parser.StartDoctypeDeclHandler = refuse
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadInput("is too large for a NeXus definition", file=path)
        parser.Parse(path.read_bytes(), True)
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path) from None
    except expat.ExpatError as error:
        raise BadInput(f"is no XML ({error})", file=path) from None
    return top.children[0]


class _Reader:
    """Turns elements into records; what says nothing is required in an application, optional in a base class."""

    def __init__(self, application: bool) -> None:
        self._silent: Presence = "required" if application else "optional"

    def group(
        self, element: _Element, *, of: str = "", lenient: frozenset[str] = frozenset(), choice: str = ""
    ) -> Group:
        given = element.attributes
        name = choice or ("" if of else given.get("name", ""))
        presence: Presence = "optional" if choice else self._presence(given)
        groups = [self.group(one) for one in element.all("group")]
        for one in element.all("choice"):
            label = one.attributes.get("name", "")
            groups += [self.group(inner, choice=label) for inner in one.all("group")]
        return Group(
            name=name,
            name_type=_name_type(given) if name else "any",
            presence=presence,
            deprecated=given.get("deprecated", ""),
            type=of or given.get("type", "NXobject"),
            least=max(_count(given.get("minOccurs"), 0), 1) if presence == "required" else 0,
            most=_count(given.get("maxOccurs"), _UNBOUNDED),
            choice=choice,
            attributes=tuple(self.attribute(one) for one in element.all("attribute")),
            fields=tuple(self.field(one) for one in element.all("field")),
            links=tuple(self.link(one) for one in element.all("link")),
            groups=tuple(groups),
            lenient=lenient,
        )

    def field(self, element: _Element) -> Field:
        given = element.attributes
        return Field(
            name=given.get("name", ""),
            name_type=_name_type(given),
            presence=self._presence(given),
            deprecated=given.get("deprecated", ""),
            most=_count(given.get("maxOccurs"), _UNBOUNDED),
            type=given.get("type", ""),
            units=given.get("units", ""),
            enumeration=_enumeration(element),
            dimensions=_dimensions(element),
            attributes=tuple(self.attribute(one) for one in element.all("attribute")),
        )

    def attribute(self, element: _Element) -> Attribute:
        given = element.attributes
        return Attribute(
            name=given.get("name", ""),
            name_type=_name_type(given),
            presence=self._presence(given),
            deprecated=given.get("deprecated", ""),
            type=given.get("type", ""),
            enumeration=_enumeration(element),
        )

    def link(self, element: _Element) -> Link:
        given = element.attributes
        return Link(
            name=given.get("name", ""),
            name_type=_name_type(given),
            presence=self._presence(given),
            deprecated=given.get("deprecated", ""),
            target=given.get("target", ""),
        )

    def _presence(self, given: Mapping[str, str]) -> Presence:
        if _yes(given, "recommended"):
            return "recommended"
        if "optional" in given:
            return "optional" if _yes(given, "optional") else "required"
        if "minOccurs" in given:
            return "required" if _count(given["minOccurs"], 0) else "optional"
        return self._silent


def _yes(given: Mapping[str, str], name: str) -> bool:
    return given.get(name, "").strip().lower() in ("true", "1", "yes")


def _name_type(given: Mapping[str, str]) -> NameType:
    stated = given.get("nameType", "specified")
    return "any" if stated == "any" else "partial" if stated == "partial" else "specified"


def _count(text: str | None, silent: int) -> int:
    if text is None:
        return silent
    return int(text) if re.fullmatch(r"\d{1,9}", text.strip()) else _UNBOUNDED


def _enumeration(element: _Element) -> Enumeration | None:
    for one in element.all("enumeration"):
        stated = (item.attributes["value"].strip() for item in one.all("item") if "value" in item.attributes)
        items = tuple("" if item in ("''", '""') else item for item in stated)
        return Enumeration(items, _yes(one.attributes, "open")) if items else None
    return None


def _dimensions(element: _Element) -> Dimensions | None:
    for one in element.all("dimensions"):
        sizes: dict[int, str] = {}
        optional = False
        for dim in one.all("dim"):
            place = _count(dim.attributes.get("index"), 0)
            optional |= dim.attributes.get("required", "true") == "false"
            if 0 < place <= 32:
                sizes[place] = dim.attributes.get("value", "").strip()
        stated = one.attributes.get("rank", "").strip()
        rank = int(stated) if re.fullmatch(r"\d{1,2}", stated) and not optional else None
        return Dimensions(rank, tuple(sizes.get(place, "") for place in range(1, max(sizes, default=0) + 1)))
    return None
