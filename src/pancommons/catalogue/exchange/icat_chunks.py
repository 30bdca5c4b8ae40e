"""The objects of an ICAT dump one by one, from YAML or XML, as names, keys and plain values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import yaml
from lxml import etree

from pancommons.base.errors import BadInput

_DEEPEST = 30
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where libyaml is there

Object = tuple[str, str, dict[str, Any]]


def objects(file: Path) -> Iterator[Object]:
    """Give the kind, the key and the attributes of every object of a dump, chunk by chunk.

    References are the keys of what they lead to, inner objects are lists under the name of their relation.

    Raises
    ------
    BadInput
        If the file is neither of the two forms, or uses entities or aliases.
    """
    try:
        with file.open("rb") as stream:
            first = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
            stream.seek(0)
            yield from _xml(stream, file) if first.startswith(b"<") else _yaml(stream, file)
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=file) from None


def _yaml(stream: IO[bytes], file: Path) -> Iterator[Object]:
    try:
        _check_plain(stream, file)
        stream.seek(0)
        for number, chunk in enumerate(yaml.load_all(stream, Loader=_LOADER)):
            if chunk is None:
                continue
            if not isinstance(chunk, dict):
                raise BadInput("is no chunk of a dump", file=file, field=f"document {number + 1}")
            for name, several in chunk.items():
                if not isinstance(several, dict):
                    raise BadInput("holds no objects by key", file=file, field=str(name)[:60])
                for key, value in several.items():
                    if not isinstance(value, dict):
                        raise BadInput("is no object", file=file, field=f"{name} {key}"[:200])
                    yield str(name), str(key), value
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeDecodeError) as error:
        raise BadInput(f"is no YAML of a dump ({_short(error)})", file=file) from None


def _check_plain(stream: IO[bytes], file: Path) -> None:
    """Refuse aliases, by which a small file can stand for a huge one, and deep nesting."""
    depth = 0
    for event in yaml.parse(stream, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise BadInput("uses an alias, which a dump does not", file=file, field=_line(event))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise BadInput("is nested too deeply", file=file, field=_line(event))


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _xml(stream: IO[bytes], file: Path) -> Iterator[Object]:
    try:
        source = etree.iterparse(
            stream,
            events=("end",),
            tag="data",
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
        )
        for _, data in source:
            if data.getroottree().docinfo.doctype:
                raise BadInput("declares a document type, and entities are not taken", file=file)
            for element in data:
                if isinstance(element.tag, str):
                    yield element.tag, element.get("id") or "", _attributes(element)
            data.clear()
        if source.root is None or source.root.tag != "icatdata":
            raise BadInput("is no XML of a dump: its outermost element is not icatdata", file=file)
    except etree.XMLSyntaxError as error:
        raise BadInput(f"is no XML ({_short(error)})", file=file) from None


def _attributes(element: etree._Element, depth: int = 0) -> dict[str, Any]:
    """Return the attributes of an object: texts, keys of others, and lists of inner objects."""
    if depth > _DEEPEST:
        raise BadInput("is nested too deeply", field=str(element.tag))
    values: dict[str, Any] = {}
    for part in element:
        if not isinstance(part.tag, str):
            continue
        if part.get("ref") is not None:
            values[part.tag] = part.get("ref")
        elif len(part):
            values.setdefault(part.tag, []).append(_attributes(part, depth + 1))
        else:
            values[part.tag] = part.text
    return values


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
