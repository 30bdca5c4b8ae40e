"""What the definitions say of one group of a file, in layers: the application definitions first, then its classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pancommons.nexus.validation.definitions import Definitions
from pancommons.nexus.validation.names import ANY, SPECIFIED, fit
from pancommons.nexus.validation.nxdl import Attribute, Field, Group, Link
from pancommons.nexus.validation.shapes import Symbols

Item = TypeVar("Item", Field, Group, Attribute, Link)


@dataclass(frozen=True, eq=False)
class Layer:
    """One description of a group.

    Attributes
    ----------
    content
        What it says.
    name
        The definition it is from.
    strict
        Whether that is an application definition, whose required items must be there.
    symbols
        The sizes of its symbols in this entry.
    """

    content: Group
    name: str
    strict: bool
    symbols: Symbols


@dataclass(frozen=True)
class Match(Generic[Item]):
    """An item of a file is this item of a definition, known by a specified, a partial or any name."""

    layer: Layer
    item: Item
    kind: int


def class_layers(definitions: Definitions, nx_class: str) -> list[Layer]:
    """List what a base class and those it extends say."""
    return [Layer(one.content, one.name, False, Symbols(frozenset())) for one in definitions.lineage(nx_class)]


def application_layers(definitions: Definitions, name: str) -> list[Layer]:
    """List what an application definition and those it extends say of the entry."""
    found = []
    for one in definitions.lineage(name):
        content = next((group for group in one.content.groups if group.type in ("NXentry", "NXsubentry")), None)
        if one.application and content is not None:
            found.append(Layer(content, one.name, True, Symbols(one.symbols)))
    return found


def match_fields(layers: list[Layer], name: str) -> list[Match[Field]]:
    """Find what the layers say of a field, at most one item each; a name that is said anywhere beats any name."""
    return _named([match for layer in layers for match in _best(layer, layer.content.fields, name)])


def match_attributes(layers: Iterable[tuple[Layer, tuple[Attribute, ...]]], name: str) -> list[Match[Attribute]]:
    """Find what the layers say of an attribute."""
    return _named([match for layer, attributes in layers for match in _best(layer, attributes, name)])


def match_links(layers: list[Layer], name: str) -> list[Match[Link]]:
    """Find what the layers say of a link."""
    return [match for layer in layers for match in _best(layer, layer.content.links, name)]


def match_groups(
    layers: list[Layer], name: str, nx_class: str, definitions: Definitions, agreement: Callable[[Group], int]
) -> list[Match[Group]]:
    """Find what the layers say of a group of a class, the best item of each.

    Of items whose names fit as well, that of exactly this class is taken, then the one with whose fixed attributes
    the group agrees best: so canSAS tells its groups apart.
    """
    found = []
    for layer in layers:
        fitting = [one for one in layer.content.groups if nx_class and definitions.is_a(nx_class, one.type)]
        exact = [one for one in fitting if one.type == nx_class]
        found += _best(layer, exact, name, agreement) or _best(layer, fitting, name, agreement)
    return found


def named_groups(layers: list[Layer], name: str) -> list[Match[Group]]:
    """Find the groups whose name is specified as this one, whatever their class."""
    return [
        Match(layer, one, SPECIFIED)
        for layer in layers
        for one in layer.content.groups
        if one.name and fit(name, one.name, one.name_type)[0] == SPECIFIED
    ]


def _best(
    layer: Layer, items: Iterable[Item], name: str, agreement: Callable[[Item], int] = lambda _: 0
) -> list[Match[Item]]:
    scored = [(fit(name, one.name, one.name_type), one) for one in items]
    kind = max((score[0] for score, _ in scored), default=0)
    fitting = [(score, one) for score, one in scored if score[0] == kind]
    if len(fitting) > 1:
        fitting.sort(key=lambda pair: (agreement(pair[1]), pair[0][1]), reverse=True)
    score, best = fitting[0] if fitting else ((0, 0), None)
    return [Match(layer, best, score[0])] if best is not None and score[0] else []


def _named(matches: list[Match[Item]]) -> list[Match[Item]]:
    """Leave out the matches by any name where there are others, and by a part of it where it is specified."""
    most = max((match.kind for match in matches), default=ANY)
    return [match for match in matches if match.kind == most]
