"""What lies where in a file: entities with their members, and all paths below a group."""

from __future__ import annotations

from typing import Any

import h5py
import orjson

from pancommons.nexus.serving.attributes import attribute_list
from pancommons.nexus.serving.budget import Refused
from pancommons.nexus.serving.text import plain
from pancommons.nexus.serving.types import described
from pancommons.nexus.serving.walk import Entity, Link, Walk, decoded, link_at, opened

_MOST_TOLD = 100


def metadata(walk: Walk, found: Entity | Link, name: str, resolve: str, first: int = 0) -> dict[str, Any]:
    """Describe an entity; of a group its members too, from the ``first`` on.

    Where a group has more than can be told at once, ``children_total`` says how many, and ``next`` where to go on.
    """
    told = _described(walk, found, name)
    if isinstance(found, Entity) and isinstance(found.thing, h5py.Group):
        told |= _children(walk, found, resolve, first)
    return dict(sorted(told.items()))


def paths(walk: Walk, group: Entity, base: str) -> list[str]:
    """List the paths of all links below a group, depth first in the order of names; hard-linked groups once.

    Raises
    ------
    Refused
        413 if there are more than can be listed.
    """
    told, seen = [base], {_address(group.thing)}
    prefix = base.rstrip("/")
    waiting = [(group.thing, prefix, iter(member_names(group.thing, walk)))]
    while waiting:
        holder, above, names = waiting[-1]
        name = next(names, None)
        if name is None:
            waiting.pop()
            continue
        path = f"{above}/{name}"
        told.append(plain(path))
        if len(told) > walk.budget.paths:
            raise Refused(413, f"there are more than {walk.budget.paths} paths; ask for those of a group further down")
        if len(told) % 100 == 0:
            walk.clock.check("ask for the paths of a group further down")
        link = link_at(holder, name)
        if link is None or link.kind != "hard":
            continue
        thing = _group(holder, name)
        if thing is not None and (address := _address(thing)) not in seen:
            seen.add(address)
            waiting.append((thing, path, iter(member_names(thing, walk))))
    return told


def _described(walk: Walk, found: Entity | Link, name: str) -> dict[str, Any]:
    told: dict[str, Any] = {"name": plain(name)}
    if isinstance(found, Link):
        told["kind"] = found.kind
        if found.kind != "other":
            told["target_path"] = plain(found.path)
        if found.kind == "external_link":
            told["target_file"] = plain(found.file)
        return told
    thing = found.thing
    told["attributes"] = attribute_list(thing, walk.budget)
    if isinstance(thing, h5py.Group):
        return told | {"kind": "group"}
    if isinstance(thing, h5py.Datatype):
        return told | {"kind": "datatype", "type": described(thing.id)}
    if found.problem is not None:
        told["problem"] = plain(found.problem)
        if thing.id.get_create_plist().get_layout() == h5py.h5d.VIRTUAL:
            return told | {"kind": "other"}
    if found.missing:
        told["missing_sources"] = [plain(one) for one in found.missing[:_MOST_TOLD]]
        told["missing_sources_total"] = len(found.missing)
    return told | {
        "kind": "dataset",
        "shape": thing.shape,
        "chunks": thing.chunks,
        "filters": _filters(thing),
        "type": described(thing.id.get_type()),
    }


def _children(walk: Walk, group: Entity, resolve: str, first: int) -> dict[str, Any]:
    names = member_names(group.thing, walk)
    if first > len(names):
        raise Refused(422, f"first: the group has only {len(names)} members")
    told: list[Any] = []
    left = walk.budget.answer_bytes // 2
    for name in names[first : first + walk.budget.children]:
        link = link_at(group.thing, name) or Link("other")
        try:
            child = _described(walk, walk.enter(group, name, link, "only_valid"), name)
        except (Refused, OSError, RuntimeError, ValueError, TypeError) as error:
            why = error.problem if isinstance(error, Refused) else f"cannot be read ({type(error).__name__})"
            child = {"name": plain(name), "kind": "other", "problem": plain(why)}
        one = dict(sorted(child.items()))
        left -= len(orjson.dumps(one, option=orjson.OPT_SERIALIZE_NUMPY, default=str))
        if told and (left < 0 or walk.clock.over):
            break
        told.append(one)
    after = first + len(told)
    if first == 0 and after == len(names):
        return {"children": told}
    return {"children": told, "children_total": len(names), "next": after if after < len(names) else None}


def member_names(group: Any, walk: Walk) -> list[str]:
    """List the names in a group in the order in which h5py gives them."""
    if len(group) > 20 * walk.budget.paths:
        raise Refused(413, "the group has too many members to be listed")
    return [decoded(name) for name in group.id]


def _filters(dataset: Any) -> list[dict[str, Any]] | None:
    created = dataset.id.get_create_plist()
    found = [created.get_filter(index) for index in range(created.get_nfilters())]
    return [{"id": number, "name": plain(name)} for number, _, _, name in found] or None


def _group(holder: Any, name: str) -> Any:
    try:
        thing = opened(holder, name)
    except Exception:  # the path is told, what lies there cannot be opened
        return None
    return thing if isinstance(thing, h5py.Group) else None


def _address(group: Any) -> tuple[int, int]:
    known = h5py.h5o.get_info(group.id)
    return int(known.fileno), int(known.addr)
