"""JSON read piece by piece: a list, an object of lists, or objects one after the other, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TextIO

from pancommons.base.errors import BadInput

MOST = 64 * 2**20
"""Signs a single value may have."""

_CHUNK, _KEY = 2**20, 4096


class _Reader:
    def __init__(self, stream: TextIO, file: Path) -> None:
        self.stream, self.file, self.buffer, self.place, self.before = stream, file, "", 0, 0
        self.decoder = json.JSONDecoder(parse_constant=_no_constant)

    def more(self) -> bool:
        """Read on, dropping what was used; False at the end of the file."""
        self.before += self.place
        chunk = self.stream.read(max(_CHUNK, len(self.buffer) - self.place))
        self.buffer = self.buffer[self.place :] + chunk
        self.place = 0
        return bool(chunk)

    def peek(self) -> str:
        """Return the next sign that is no space; an empty text at the end."""
        while True:
            while self.place < len(self.buffer):
                if not self.buffer[self.place].isspace() and self.buffer[self.place] != "\ufeff":
                    return self.buffer[self.place]
                self.place += 1
            if not self.more():
                return ""

    def take(self, wanted: str) -> str:
        """Step over one of some signs."""
        sign = self.peek()
        if not sign or sign not in wanted:
            raise self.bad(f"expected {' or '.join(wanted)}, found {sign!r}" if sign else "ends too early")
        self.place += 1
        return sign

    def value(self) -> Any:
        """Read a whole value."""
        self.peek()
        while True:
            problem: Exception
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.place)
                length = end - self.place
                rest = self.buffer[end : end + 3]
                number_may_go_on = len(rest) < 3 and rest[:1] in ("", ".", "e", "E")  # 1 of 1.5, 1e5, 1e+5
                if not number_may_go_on or not self.more():
                    self.place += length
                    return value
                continue
            except RecursionError:
                raise self.bad("is nested too deeply") from None
            except ValueError as error:
                problem = error
            if len(self.buffer) - self.place > MOST:
                raise self.bad(f"a value has more than {MOST // 2**20} million signs, or is no JSON") from None
            if not self.more():
                raise self.bad(f"is no JSON ({problem})") from None

    def bad(self, problem: str) -> BadInput:
        return BadInput(problem, file=self.file, field=f"sign {self.before + self.place + 1}")


def values(file: Path, sections: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Give the values of a JSON file one by one.

    Parameters
    ----------
    sections
        Keys of an outermost object whose lists are read value by value. An object whose first key is none of
        them is a value by itself.

    Yields
    ------
    place, value
        ``[3]`` or ``datasets[3]``, and what stands there.

    Raises
    ------
    BadInput
        Naming the sign at which it is no JSON, too deep or too large.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            reader = _Reader(stream, file)
            number = 0
            while sign := reader.peek():
                if sign == "[":
                    yield from _list(reader, "")
                elif sign == "{":
                    yield from _object(reader, sections, number)
                else:
                    raise reader.bad("is neither a list nor an object")
                number += 1
            if not number:
                raise BadInput("is empty", file=file)
    except UnicodeDecodeError as error:
        raise BadInput(f"is not UTF-8 ({error.reason})", file=file) from None
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=file) from None


def _list(reader: _Reader, name: str) -> Iterator[tuple[str, Any]]:
    reader.take("[")
    number = 0
    if reader.peek() == "]":
        reader.take("]")
        return
    while True:
        yield f"{name}[{number}]", reader.value()
        number += 1
        if reader.take(",]") == "]":
            return


def _object(reader: _Reader, sections: Collection[str], number: int) -> Iterator[tuple[str, Any]]:
    if not _begins_with(reader, sections):
        yield f"[{number}]", reader.value()
        return
    reader.take("{")
    while True:
        key = reader.value()
        reader.take(":")
        if not isinstance(key, str) or key not in sections:
            raise reader.bad(f"{key!r} is not among {', '.join(sections)}")
        yield from _list(reader, key)
        if reader.take(",}") == "}":
            return


def _begins_with(reader: _Reader, sections: Collection[str]) -> bool:
    """Look at the first key of an object, and leave it where it is."""
    while len(reader.buffer) - reader.place < _KEY and reader.more():
        pass
    inside = reader.buffer[reader.place + 1 : reader.place + _KEY].lstrip()
    return any(inside.startswith(f'"{name}"') for name in sections)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
