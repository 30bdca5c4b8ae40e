"""A tree out of the graph of techniques: only those that tell datasets apart, each in one place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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

    A technique all of whose datasets are those of one beneath it is left out unless it is taken, and each is
    shown under the one above it with the fewest datasets.
    """
    below = {pid: _beneath(pid, ontology) for pid in {*counts, *taken} if pid in ontology}
    nodes = {
        pid: Node(pid, _name(ontology, pid), counts.get(pid, 0), pid in taken)
        for pid, lower in below.items()
        if pid in taken or not any(counts.get(one) == counts[pid] for one in lower)
    }
    roots: list[Node] = []
    for pid, node in sorted(nodes.items()):
        above = [one for one in nodes if pid in below[one]]
        parent = min(above, key=lambda one: (nodes[one].count, len(below[one]), one), default=None)
        (roots if parent is None else nodes[parent].beneath).append(node)
    _arrange(roots)
    return roots


def _arrange(nodes: list[Node]) -> bool:
    """Sort and open; return whether anything here or beneath is taken."""
    nodes.sort(key=lambda one: (-one.count, one.name))
    for one in nodes:
        one.open = _arrange(one.beneath)
    return any(one.taken or one.open for one in nodes)


def _beneath(pid: str, ontology: Ontology) -> frozenset[str]:
    """Return what lies below a technique; of those that are each other's parent the later one does."""
    return frozenset(one for one in ontology.closure[pid][1:] if one > pid or pid not in ontology.closure[one])


def _name(ontology: Ontology, pid: str) -> str:
    known = ontology.get(pid)
    return known.name if known else pid
