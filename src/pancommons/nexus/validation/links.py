"""Links: those that lead nowhere, and those that a definition wants."""

from __future__ import annotations

import h5py

from pancommons.base.errors import BadInput
from pancommons.nexus.links import dataset_sources
from pancommons.nexus.read import attribute, member, nx_class
from pancommons.nexus.text import as_text, decode
from pancommons.nexus.validation.findings import Findings
from pancommons.nexus.validation.layers import Match
from pancommons.nexus.validation.nxdl import Link

_MOST_STEPS = 12
_MOST_MEMBERS = 500


def reach(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return a member of a group, or None where there is none.

    A link to another file is followed only to regular files: HDF5 would wait for ever at a pipe.
    """
    try:
        if "/" in decode(name) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            place = decode(name) if decode(name).startswith("/") else f"{group.name}/{decode(name)}"
            sources = dataset_sources(group.file.filename, place)
            if any(one.missing and one.kind == "external link" for one in sources):
                return None
    except (BadInput, KeyError, OSError, RuntimeError, ValueError, TypeError):
        return None
    return member(group, name)


def dangling(group: h5py.Group, name: str, path: str, findings: Findings) -> None:
    """Say why a member of a group is not there."""
    try:
        link = group.get(name, getlink=True)
    except (KeyError, OSError, RuntimeError, ValueError):
        link = None
    if isinstance(link, h5py.ExternalLink):
        where = f"{decode(link.filename)}:{decode(link.path)}"
        findings.add("error", "link", path, f"is a link to {where[:200]}, which is not there")
    elif isinstance(link, h5py.SoftLink):
        findings.add("error", "link", path, f"is a link to {decode(link.path)[:200]}, which is not there or a circle")
    else:
        findings.add("error", "unreadable", path, "cannot be read, or is neither a group nor a dataset")


def check_link(
    group: h5py.Group, thing: h5py.Group | h5py.Dataset, path: str, match: Match[Link], findings: Findings
) -> None:
    """Say where a definition wants a link to an item, and something else is there; a copy may be as good."""
    target = _resolve(group, match.item.target)
    if target is None or target == thing or as_text(attribute(thing, "target")) == target.name:
        return
    text = f"is not a link to {decode(target.name)[:200]}, which {match.layer.name} wants"
    findings.add("info", "link", path, text)


def _resolve(group: h5py.Group, target: str) -> h5py.Group | h5py.Dataset | None:
    """Find what a target such as ``/NXentry/NXinstrument/detector:NXdetector/data`` stands for, in this entry."""
    steps = [step for step in target.split("/") if step]
    parts = [part for part in (group.name or "/").split("/") if part]
    if not steps or not parts or len(steps) > _MOST_STEPS:
        return None
    place: h5py.Group | h5py.Dataset | None = reach(group.file, parts[0])
    for step in steps[1:]:
        if not isinstance(place, h5py.Group):
            return None
        name, _, cls = step.partition(":")
        if cls or not name.startswith("NX"):
            place = reach(place, name)
        else:
            names = list(place)[:_MOST_MEMBERS]
            inner = (reach(place, one) for one in names)
            place = next((one for one in inner if isinstance(one, h5py.Group) and nx_class(one) == name), None)
    return place
