"""The walk through a file: every group is compared with what its layers say, every dataset with its field."""

from __future__ import annotations

import difflib
from itertools import islice

import h5py

from pancommons.nexus.read import nx_class
from pancommons.nexus.text import as_texts, decode
from pancommons.nexus.validation.definitions import Definitions
from pancommons.nexus.validation.fields import agreement, check_attributes, check_field
from pancommons.nexus.validation.findings import EntryVerdict, Findings, severity
from pancommons.nexus.validation.layers import (
    Layer,
    Match,
    application_layers,
    class_layers,
    match_fields,
    match_groups,
    match_links,
    named_groups,
)
from pancommons.nexus.validation.links import check_link, dangling, reach
from pancommons.nexus.validation.nxdl import Field, Group, Link
from pancommons.nexus.validation.plot import check_plot
from pancommons.nexus.validation.values import kind_of, small_value

MOST_ITEMS = 100_000
MOST_IN_GROUP = 20_000
DEEPEST = 32

_NO_DEFINITIONS = frozenset({"NXentry", "NXroot", "NXsubentry"})


class Walk:
    """One file being walked through, once: places reached again by a link are not looked at twice.

    Attributes
    ----------
    entries
        What was checked of each entry and subentry.
    """

    def __init__(self, definitions: Definitions, findings: Findings, entries: set[str]) -> None:
        self.entries: list[EntryVerdict] = []
        self._definitions, self._findings, self._taken_for_entries = definitions, findings, entries
        self._seen: set[tuple[object, ...]] = set()
        self._left = MOST_ITEMS

    def group(self, group: h5py.Group, path: str, layers: list[Layer], depth: int = 0) -> None:
        """Compare a group with what its layers say, and go on beneath it."""
        info = h5py.h5o.get_info(group.id)
        key = (group.file.filename, info.addr, *(id(layer.content) for layer in layers))
        if key in self._seen:
            return
        self._seen.add(key)
        if depth > DEEPEST:
            self._findings.limit(f"groups deeper than {DEEPEST} were not looked at")
            return
        check_attributes(group, path, [(layer, layer.content.attributes) for layer in layers], self._findings)
        if any(layer.name == "NXdata" for layer in layers):
            check_plot(group, path, self._findings)
        names = list(islice(group, MOST_IN_GROUP + 1))
        if len(names) > MOST_IN_GROUP:
            self._findings.limit(f"of the groups with more than {MOST_IN_GROUP} members the rest was not looked at")
        there: dict[int, list[str]] = {}
        for name in names[:MOST_IN_GROUP]:
            self._left -= 1
            if self._left < 0:
                self._findings.limit(f"only the first {MOST_ITEMS} groups and datasets were looked at")
                return
            for item in self._member(group, name, f"{path.rstrip('/')}/{decode(name)}", layers, depth):
                there.setdefault(id(item), []).append(name)
        if len(names) <= MOST_IN_GROUP and depth:
            self._missing(path, layers, there)

    def _member(
        self, group: h5py.Group, name: str, path: str, layers: list[Layer], depth: int
    ) -> list[Field | Group | Link]:
        """Check one member of a group, and return the items of the layers that it is."""
        thing = reach(group, name)
        stored, name = name, decode(name)
        links = match_links(layers, name)
        if thing is None:
            dangling(group, stored, path, self._findings)
            meant: list[Field | Group | Link] = [match.item for match in match_fields(layers, name)]
            meant += [match.item for match in links]
            return meant + [match.item for match in named_groups(layers, name)]
        for match in links:
            check_link(group, thing, path, match, self._findings)
        found: list[Field | Group | Link] = [match.item for match in links]
        if isinstance(thing, h5py.Dataset):
            return found + self._dataset(thing, name, path, layers, bool(links))
        return found + self._subgroup(thing, name, path, layers, depth)

    def _dataset(
        self, dataset: h5py.Dataset, name: str, path: str, layers: list[Layer], linked: bool
    ) -> list[Field | Group | Link]:
        matches = match_fields(layers, name)
        if not matches and not linked:
            for other in named_groups(layers, name)[:1]:
                text = f"is a dataset, where {other.layer.name} has a group {other.item.type}"
                self._findings.add(severity(other.layer.strict), "kind", path, text)
                return [other.item]
            self._unknown("dataset", path, layers, "fields")
        check_field(dataset, path, matches, self._findings)
        return [match.item for match in matches]

    def _subgroup(
        self, group: h5py.Group, name: str, path: str, layers: list[Layer], depth: int
    ) -> list[Field | Group | Link]:
        cls = nx_class(group)
        if path in self._taken_for_entries and not cls:
            self._findings.add("error", "class", path, "has no NX_class; it is taken for an NXentry")
            cls = "NXentry"
        matches = match_groups(layers, name, cls, self._definitions, lambda item: agreement(group, item.attributes))
        if not matches:
            matches = self._misplaced(name, path, cls, layers)
        for match in matches:
            if match.item.deprecated:
                self._findings.add("info", "deprecated", path, f"is deprecated in {match.layer.name}: "
                                   f"{_line(match.item.deprecated)}")  # fmt: skip
        own = [Layer(match.item, match.layer.name, match.layer.strict, match.layer.symbols) for match in matches
               if not cls or self._definitions.is_a(cls, match.item.type)]  # fmt: skip
        own += class_layers(self._definitions, cls or (matches[0].item.type if matches else ""))
        if cls in ("NXentry", "NXsubentry"):
            self._entry(group, path, cls, own, depth)
        else:
            self.group(group, path, own, depth + 1)
        return [match.item for match in matches]

    def _misplaced(self, name: str, path: str, cls: str, layers: list[Layer]) -> list[Match[Group]]:
        """Say what is odd about a group that no layer expects here; return the items it was meant to be."""
        meant = named_groups(layers, name)
        if meant:
            has = f"is of class {cls}" if cls else "has no NX_class"
            text = f"{has}, where {meant[0].layer.name} expects {meant[0].item.type}"
            self._findings.add(severity(meant[0].layer.strict), "class", path, text)
            return meant
        fields = [match for match in match_fields(layers, name) if match.kind > 1]
        if fields:
            text = f"is a group, where {fields[0].layer.name} has a field"
            self._findings.add(severity(fields[0].layer.strict), "kind", path, text)
        elif not cls:
            self._findings.add("warning", "class", path, "has no NX_class; its contents were not checked")
        elif not self._definitions.lineage(cls):
            self._findings.add("warning", "class", path, f"is of class {cls[:60]}, which the definitions do not have")
        else:
            self._unknown(f"group of class {cls}", path, layers, "groups")
        return []

    def _unknown(self, what: str, path: str, layers: list[Layer], kind: str) -> None:
        if layers and not any(kind in layer.content.lenient for layer in layers):
            self._findings.add("info", "unknown", path, f"this {what} is not described in {_names(layers)}")

    def _missing(self, path: str, layers: list[Layer], there: dict[int, list[str]]) -> None:
        """Say which items that should be there are not; what a nearer layer says of an item counts."""
        said: set[tuple[str, str]] = set()
        chosen: dict[str, bool] = {}
        for layer in layers:
            items: tuple[Field | Group | Link, ...] = (
                *layer.content.fields, *layer.content.links, *layer.content.groups,
            )  # fmt: skip
            for item in items:
                label = _label(item)
                names = there.get(id(item), [])
                if isinstance(item, Group) and item.choice:
                    chosen[item.choice] = chosen.get(item.choice, False) or bool(names)
                    continue
                if label in said:
                    continue
                said.add(label)
                most = getattr(item, "most", len(names))
                if len(names) > max(most, 1):
                    text = f"has {len(names)} of {label[1]}, where {layer.name} allows {most}"
                    self._findings.add("warning", "number", path, text)
                if len(names) >= getattr(item, "least", 1) or item.presence == "optional":
                    continue
                self._say_missing(path, layer, item, label[1], len(names))

    def _say_missing(self, path: str, layer: Layer, item: Field | Group | Link, label: str, count: int) -> None:
        place = f"{path.rstrip('/')}/{item.name}" if item.name and item.name_type == "specified" else path
        if item.presence == "recommended":
            if layer.strict:
                self._findings.add("info", "recommended", place, f"{label} is missing, which {layer.name} recommends")
            return
        least = getattr(item, "least", 1)
        some = "" if least <= 1 else f" {least} times, here {count} times"
        text = f"{label} is missing, which {layer.name} requires{some}"
        self._findings.add(severity(layer.strict), "missing", place, text)

    def _entry(self, group: h5py.Group, path: str, cls: str, layers: list[Layer], depth: int) -> None:
        """Go on with an entry or subentry, by the application definitions that it names."""
        before = self._findings.counts["error"]
        known: list[str] = []
        unknown: list[str] = []
        own: list[Layer] = []
        for name in self._claimed(group, path, cls):
            applying = application_layers(self._definitions, name)
            (known if applying else unknown).append(name)
            own += applying
            if not applying:
                self._say_unknown(name, f"{path}/definition")
        self.group(group, path, [*own, *(layer for layer in layers if layer.name not in known)], depth + 1)
        errors = self._findings.counts["error"] - before
        self.entries.append(EntryVerdict(path, tuple(known), tuple(unknown), errors))

    def _claimed(self, group: h5py.Group, path: str, cls: str) -> list[str]:
        dataset = reach(group, "definition")
        place = f"{path}/definition"
        if not isinstance(dataset, h5py.Dataset):
            if cls == "NXentry":
                text = "no application definition is named; only the base classes were checked"
                self._findings.add("info", "definition", path, text)
            return []
        if kind_of(dataset.dtype) != "t":
            self._findings.add("error", "definition", place, "holds no text, so no application definition is named")
            return []
        names = list(dict.fromkeys(name for name in as_texts(small_value(dataset)) if name))
        if len(names) > 8:
            self._findings.limit("of entries that name more than 8 definitions the rest was not checked")
        if dataset.ndim and len(names) == 1:
            self._findings.add("info", "definition", place, f"is an array of {dataset.size}; {names[0][:60]} is taken")
        elif len(names) > 1:
            text = f"names {len(names)} definitions; the entry is checked against each"
            self._findings.add("info", "definition", place, text)
        elif not names:
            self._findings.add("warning", "definition", place, "is empty; only the base classes were checked")
        for name in _NO_DEFINITIONS.intersection(names):
            text = f"{name} is a base class, no application definition; only the base classes were checked"
            self._findings.add("warning", "definition", place, text)
        return [name[:100] for name in names[:8] if name not in _NO_DEFINITIONS]

    def _say_unknown(self, name: str, place: str) -> None:
        if self._definitions.lineage(name):
            text = f"{name} is a base class, no application definition"
        else:
            near = difflib.get_close_matches(name, self._definitions.names(), 1, 0.8)
            hint = f"; {near[0]} is meant, perhaps" if near else ""
            text = f"there is no definition {name} in {self._definitions.version}{hint}"
        self._findings.add("warning", "definition", place, f"{text}; only the base classes were checked")


def _label(item: Field | Group | Link) -> tuple[str, str]:
    if isinstance(item, Group):
        named = f"group {item.name} ({item.type})" if item.name else f"a group of class {item.type}"
        return ("group", named)
    return ("other", f"{'field' if isinstance(item, Field) else 'link'} {item.name}")


def _names(layers: list[Layer]) -> str:
    names = list(dict.fromkeys(layer.name for layer in layers if layer.name != "NXobject"))
    return " or ".join(names) or "NXobject"


def _line(text: str) -> str:
    return " ".join(text.split())
