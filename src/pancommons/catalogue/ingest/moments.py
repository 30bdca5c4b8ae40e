"""Dates and times as files write them, as moments in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pancommons.base.errors import BadInput

_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Moment:
    """A moment with the text it was read from, and the time zone where the text names none."""

    at: datetime
    text: str
    assumed_zone: str | None = None


def read_moment(text: str, zone: str, latest: datetime) -> Moment | None:
    """Read an ISO 8601 date with or without time.

    Parameters
    ----------
    text
        Such as ``2001-02-07T08:54:21-0600`` or ``2018-07-03 09:28:59``.
    zone
        The time zone of texts that name none.
    latest
        What lies after it is wrong, as is what lies before 1970-01-02.

    Returns
    -------
    Moment or None
        In UTC; None for what is no date, or a wrong one.
    """
    text = text.strip()
    if not _DATE.fullmatch(text):
        return None
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is None:
            moment = Moment(read.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), text, zone)
        else:
            moment = Moment(read.astimezone(UTC), text)
    except (ValueError, OverflowError):
        return None
    return moment if _EARLIEST <= moment.at <= latest else None


def known_zone(name: str) -> str:
    """Return the name of a time zone.

    Raises
    ------
    BadInput
        If there is none of that name.
    """
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise BadInput(
            f"there is no time zone {name!r}", field="time_zone", remedy="write it as Europe/Berlin or UTC"
        ) from None
    return name
