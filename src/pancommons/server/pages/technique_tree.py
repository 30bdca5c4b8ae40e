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
    above = _nearest(nodes, below, sorted(nodes, key=lambda pid: (nodes[pid].count, len(ontology.below[pid]), pid)))
    for pid, nearest in above.items():
        nodes[nearest].beneath.append(nodes[pid])
    while idle := [pid for pid, node in nodes.items() if _is_idle(node, below[pid], nodes, taken)]:
        for pid in idle:
            node = nodes.pop(pid)
            if pid in above:
                nodes[above[pid]].beneath.remove(node)
    roots = [node for pid, node in nodes.items() if pid not in above]
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


def _nearest(nodes: Mapping[str, Node], below: Mapping[str, frozenset[str]], order: Sequence[str]) -> Mapping[str, str]:
    """Return for each node the first other in order that it lies beneath."""
    nearest: dict[str, str] = {}
    for above in order:
        for pid in below[above]:
            if pid in nodes:
                nearest.setdefault(pid, above)
    return nearest


def _is_idle(node: Node, lower: frozenset[str], nodes: Mapping[str, Node], taken: Collection[str]) -> bool:
    """Say whether a node has nothing beneath it though there is something that could be."""
    return not node.beneath and node.pid not in taken and not lower.isdisjoint(nodes)


def _arrange(nodes: list[Node]) -> bool:
    """Sort and open; return whether anything here or beneath is taken."""
    nodes.sort(key=lambda one: (-one.count, one.name))
    for one in nodes:
        one.open = _arrange(one.beneath)
    return any(one.taken or one.open for one in nodes)


def _name(ontology: Ontology, pid: str) -> str:
    known = ontology.get(pid)
    return known.name if known else pid
