"""Values out of a foreign file: each checked for what it must be, by a sentence that names its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import File, Parameter, Terms
from pancommons.store.schema import floor

ELSEWHERE = "elsewhere"
"""The data root of files that another catalogue told of; where it is configured, they are found below it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From when on something public is open that has no date of its own."""

_NAME_BYTES, _TEXT_BYTES = 2000, 2**20  # PostgreSQL's ordered indexes take 2700 bytes
_LARGEST = 2**63 - 1
_PANET = re.compile(r"PaNET/?(\d{5,7})$")
_PURL = "http://purl.org/pan-science/PaNET/PaNET"


@dataclass(frozen=True)
class Fields:
    """An object out of a file.

    Attributes
    ----------
    values
        What it holds. Every method takes the names a field may have, and looks at the first that has a value.
    place
        Where it stands, for people: ``datasets[3].instrument``.
    """

    values: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, value: object, place: str) -> Fields:
        """Take an object; BadInput if it is none."""
        if not isinstance(value, Mapping):
            raise BadInput(f"expected an object, found {_shown(value)}", field=place)
        return cls(value, place)

    def has(self, *names: str) -> bool:
        """Say whether there is such a field, whatever it holds."""
        return any(name in self.values for name in names)

    def text(self, *names: str) -> str | None:
        """Return a text of any length up to a mebibyte; a number is written out, nothing and blanks are None."""
        name, value = self._first(names)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = _written(value, self._at(name))
        if value is not None and not isinstance(value, str):
            raise BadInput(f"expected a text, found {_shown(value)}", field=self._at(name))
        return None if value is None or not value.strip() else _storable(value, _TEXT_BYTES, self._at(name))

    def name(self, *names: str) -> str | None:
        """Return a text that is looked up, and so not longer than 2000 bytes."""
        value = self.text(*names)
        return None if value is None else _storable(value, _NAME_BYTES, self._at(self._first(names)[0]))

    def needed(self, *names: str) -> str:
        """Return a name that must be there."""
        value = self.name(*names)
        if value is None:
            raise BadInput(f"has no {names[0]}", field=self.place, remedy="give it one")
        return value

    def names(self, *names: str) -> tuple[str, ...]:
        """Return a list of names, each once; a single text is a list of one."""
        found, value = self._first(names)
        if value is None:
            return ()
        listed = value if isinstance(value, (list, tuple)) else [value]
        several = (Fields({found: one}, self.place).name(found) for one in listed)
        return tuple(dict.fromkeys(one for one in several if one is not None))

    def truth(self, *names: str) -> bool | None:
        """Return true, false, or None where it is not said."""
        name, value = self._first(names)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is None or isinstance(value, bool):
            return value
        raise BadInput(f"expected true or false, found {_shown(value)}", field=self._at(name))

    def number(self, *names: str) -> float | None:
        """Return a finite number, also out of a text."""
        name, value = self._first(names)
        if value is None or value == "":
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise ValueError
            found = float(value)
        except (ValueError, OverflowError):
            raise BadInput(f"expected a number, found {_shown(value)}", field=self._at(name)) from None
        if not math.isfinite(found):
            raise BadInput(f"expected a finite number, found {_shown(value)}", field=self._at(name))
        return found

    def count(self, *names: str) -> int | None:
        """Return a whole number from 0 to 2^63 - 1, such as a size in bytes."""
        name, value = self._first(names)
        found = value if isinstance(value, int) and not isinstance(value, bool) else self.number(*names)
        if found is None:
            return None
        if not 0 <= found <= _LARGEST or found != int(found):
            raise BadInput(f"expected a whole number that is not negative, found {_shown(value)}", field=self._at(name))
        return int(found)

    def moment(self, *names: str) -> datetime | None:
        """Return a moment in UTC, to the millisecond; without a time zone it is taken as UTC."""
        name, value = self._first(names)
        if isinstance(value, Mapping) and "$date" in value:
            value = value["$date"]
        if value is None or value == "":
            return None
        try:
            found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
            if not isinstance(found, datetime):
                raise ValueError
            return floor(found if found.tzinfo else found.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            problem = f"expected a date such as 2026-11-21T14:43:32Z, found {_shown(value)}"
            raise BadInput(problem, field=self._at(name)) from None

    def one(self, *names: str) -> Fields | None:
        """Return the object in a field, if there is one."""
        name, value = self._first(names)
        return None if value is None else Fields.of(value, self._at(name))

    def many(self, *names: str) -> Iterator[Fields]:
        """Give the objects of a list."""
        name, value = self._first(names)
        if value is None:
            return
        if not isinstance(value, (list, tuple)):
            raise BadInput(f"expected a list, found {_shown(value)}", field=self._at(name))
        for place, one in enumerate(value):
            yield Fields.of(one, f"{self._at(name)}[{place}]")

    def _first(self, names: tuple[str, ...]) -> tuple[str, Any]:
        return next(
            ((name, self.values[name]) for name in names if self.values.get(name) is not None), (names[0], None)
        )

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def parameter_of(given: Fields, name: str, value: object, unit: str | None) -> Parameter:
    """Make a parameter of a number or a text; BadInput if the number is not finite."""
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, str):
        return parameter(name, _storable(value, _TEXT_BYTES, f"{given.place}.value"), unit)
    if value is None:
        return parameter(name, None, unit)
    if not isinstance(value, (int, float)):
        raise BadInput(f"expected a number or a text, found {_shown(value)}", field=f"{given.place}.value")
    try:
        made = parameter(name, float(value), unit)
    except (ValueError, OverflowError):
        raise BadInput(f"expected a finite number, found {_shown(value)}", field=f"{given.place}.value") from None
    return made if made.si is None or math.isfinite(made.si) else replace(made, si=None, dimension=None)


def file_of(given: Fields, path: str, *, root: str = ELSEWHERE, **more: Any) -> File:
    """Make a file of a path with slashes; BadInput if it leads upwards."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise BadInput(f"{_shown(path)} is no path below a folder", field=given.place)
    return File(root=root, path="/".join(parts), **more)


def each_once(files: Iterator[File]) -> tuple[File, ...]:
    """Keep of several files at one place the last."""
    return tuple({(file.root, file.path): file for file in files}.values())


def technique_pid(*given: str | None) -> str | None:
    """Return PaNET's PURL if one of these is a form of it, else the first."""
    for one in given:
        if one and (match := _PANET.search(one)):
            return _PURL + match[1]
    return next((one for one in given if one), None)


def terms(
    public: bool | None, since: datetime | None, at: datetime, *, opens: datetime | None = None, **more: Any
) -> Terms:
    """Return the terms of a record that another catalogue says is public or not.

    Parameters
    ----------
    public
        None where it is not said; the policy decides then.
    since
        The date of the record, from which on it is open if public.
    opens
        When it will be; counts where it is not public and that is still to come.
    """
    if public is None:
        return Terms(**more)
    moment: datetime | None
    if public:
        moment = since if since is not None and since <= at else EPOCH
    else:
        moment = opens if opens is not None and opens > at else None
    return Terms(open_from=moment, discoverable_from=moment, fixed=True, **more)


def _storable(value: str, most: int, place: str) -> str:
    """Refuse what one of the databases does not take."""
    if "\0" in value:
        raise BadInput("holds a character with code 0", field=place)
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise BadInput("holds half a surrogate pair, which is no character", field=place) from None
    if size > most:
        raise BadInput(f"is {size} bytes long, and at most {most} are taken", field=place)
    return value


def _written(value: float, place: str) -> str:
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise BadInput("expected a text, found a huge number", field=place)
    return str(value)


def _shown(value: object) -> str:
    """Show a value in a sentence, cut short."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        return "a huge number"
    text = ascii(value) if isinstance(value, (str, int, float, bool, type(None))) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
