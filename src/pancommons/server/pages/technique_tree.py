"""A tree out of the graph of techniques: only those that tell datasets apart, each in one place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pancommons.catalogue.ontology.graph import Ontology


@dataclass
class Node:
    """A technique in the tree.

    Attributes
    ----------
    open
        Whether something taken lies beneath it.
    """

    pid: str
    name: str
    count: int
    taken: bool = False
    open: bool = False
    beneath: list[Node] = field(default_factory=list)


def tree(ontology: Ontology, counts: Mapping[str, int], taken: Collection[str] = ()) -> list[Node]:
    """Make the tree: the most frequent first.

    Each is shown under the one above it with the fewest datasets. Left out, unless they are taken, are those
    whose datasets are all of one beneath it, and those under which nothing comes to stand though there are some.
    """
    there = frozenset((*counts, *taken))
    below = {pid: ontology.below[pid] & there for pid in there if pid in ontology}
    nodes = {
        pid: Node(pid, _name(ontology, pid), counts.get(pid, 0), pid in taken)
        for pid, lower in below.items()
        if pid in taken or not any(counts.get(one) == counts[pid] for one in lower)
    }
    order = sorted(nodes, key=lambda pid: (nodes[pid].count, len(ontology.below[pid]), pid))
    while idle := _place(nodes, below, order, taken):
        for pid in idle:
            del nodes[pid]
    standing = {one.pid for node in nodes.values() for one in node.beneath}
    roots = [node for pid, node in nodes.items() if pid not in standing]
    _arrange(roots)
    return roots


def size(nodes: list[Node]) -> int:
    """Count the nodes of a tree."""
    return sum(1 + size(one.beneath) for one in nodes)


def leaves(ontology: Ontology, counts: Mapping[str, int]) -> list[str]:
    """List the techniques with datasets that have none with datasets beneath, those with the most first."""
    there = {pid: count for pid, count in counts.items() if count and pid in ontology}
    found = [pid for pid in there if not any(one in there for one in ontology.below[pid])]
    return sorted(found, key=lambda pid: (-there[pid], _name(ontology, pid)))


def _place(
    nodes: Mapping[str, Node], below: Mapping[str, frozenset[str]], order: Sequence[str], taken: Collection[str]
) -> list[str]:
    """Put each node beneath the first other in order; return those that would have some beneath them and have not."""
    nearest: dict[str, str] = {}
    for above in order:
        if above in nodes:
            for pid in below[above]:
                if pid in nodes:
                    nearest.setdefault(pid, above)
    for node in nodes.values():
        node.beneath = []
    for pid in sorted(nearest):
        nodes[nearest[pid]].beneath.append(nodes[pid])
    return [
        pid for pid, node in nodes.items() if not node.beneath and pid not in taken and not below[pid].isdisjoint(nodes)
    ]


def _arrange(nodes: list[Node]) -> bool:
    """Sort and open; return whether anything here or beneath is taken."""
    nodes.sort(key=lambda one: (-one.count, one.name))
    for one in nodes:
        one.open = _arrange(one.beneath)
    return any(one.taken or one.open for one in nodes)


def _name(ontology: Ontology, pid: str) -> str:
    known = ontology.get(pid)
    return known.name if known else pid
