"""A lineage drawn from left to right: where its boxes and lines stand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from pancommons.catalogue.lineage import Lineage, Node

_WIDE, _HIGH, _GAP, _ROW = 192, 52, 44, 66
_LETTERS = 23


@dataclass(frozen=True)
class Box:
    """A box: a dataset, or the run that made one.

    Attributes
    ----------
    node
        The dataset; for a run the one that it made.
    run
        Whether it is the run.
    lines
        What is written in it, shortened to its width.
    """

    node: Node
    run: bool
    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """A drawing, in pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    paths: tuple[str, ...]


def draw(told: Lineage) -> Graph:
    """Place datasets in columns by their step, and runs between them and what they were made from."""
    made_by_run = {node.key for node in told.nodes if node.pipeline and any(end == node.key for _, end in told.edges)}
    columns: defaultdict[float, list[tuple[Node, bool]]] = defaultdict(list)
    for node in told.nodes:
        columns[node.step].append((node, False))
        if node.key in made_by_run:
            columns[node.step - 0.5].append((node, True))
    tallest = max(len(column) for column in columns.values())
    boxes: dict[tuple[int | str, bool], Box] = {}
    for place, (_, column) in enumerate(sorted(columns.items())):
        above = (tallest - len(column)) * _ROW // 2
        for row, (node, run) in enumerate(column):
            lines = (node.pipeline or "",) if run else _said(node)
            boxes[node.key, run] = Box(
                node, run, place * (_WIDE + _GAP), above + row * _ROW, _WIDE, _HIGH, tuple(map(_short, lines))
            )
    joints = {((one, False), (other, other in made_by_run)) for one, other in told.edges}
    joints |= {((key, True), (key, False)) for key in made_by_run}
    return Graph(
        width=len(columns) * (_WIDE + _GAP) - _GAP,
        height=tallest * _ROW - (_ROW - _HIGH),
        boxes=tuple(boxes.values()),
        paths=tuple(sorted(_line(boxes[one], boxes[other]) for one, other in joints)),
    )


def _said(node: Node) -> tuple[str, ...]:
    return (node.title or node.pid or "…", node.kind or "")


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1].rstrip() + "…"


def _line(one: Box, other: Box) -> str:
    x, y = one.x + one.width, one.y + one.height // 2
    u, v = other.x, other.y + other.height // 2
    middle = (x + u) // 2
    return f"M{x} {y}C{middle} {y} {middle} {v} {u} {v}"
