"""How pages write sizes, numbers, moments: with units, sensible digits and the words of a language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from babel.dates import format_date, format_datetime

_THIN = "\N{NARROW NO-BREAK SPACE}"
_SIGNS = {"angstrom": "Å", "1/angstrom": "Å⁻¹", "degree": "°", "degC": "°C", "micrometer": "µm", "um": "µm"}


def size(count: int | None) -> str:
    """Write a number of bytes, in powers of a thousand as disks are sold."""
    if count is None:
        return "-"
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 999.5 or unit == "PB":
            break
        value /= 1000
    return f"{value:.0f}{_THIN}{unit}" if unit == "B" or value >= 99.5 else f"{value:.3g}{_THIN}{unit}"


def number(value: Any, digits: int = 6) -> str:
    """Write a number with as many digits as mean something; texts stay as they are."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}".replace(",", _THIN) if isinstance(value, int) else f"{value:.{digits}g}"


def quantity(value: Any, unit: str | None = None) -> str:
    """Write a number with its unit."""
    written = number(value)
    return f"{written}{_THIN}{_SIGNS.get(unit, unit)}" if unit and value is not None else written


def duration(seconds: float | None) -> str:
    """Write a time that something takes."""
    if seconds is None:
        return "-"
    if seconds < 90:
        return f"{max(1, round(seconds))}{_THIN}s" if seconds >= 0.5 else f"{seconds:.1g}{_THIN}s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes}{_THIN}min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{_THIN}h {minutes}{_THIN}min" if hours < 48 else f"{hours // 24}{_THIN}d {hours % 24}{_THIN}h"


def moment(value: datetime | None) -> str:
    """Write a moment for a table: ISO, UTC."""
    return "-" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def day(value: datetime | None) -> str:
    """Write the day of a moment for a table: ISO."""
    return "-" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d")


def filters(code: str) -> dict[str, Callable[..., str]]:
    """Return what templates write values with, in a language."""

    def spelled(value: datetime | None, *, time: bool = False) -> str:
        """Write a moment in a text."""
        if value is None:
            return "-"
        known = code if code in ("en", "fr", "de") else "en"
        if time:
            return f"{format_datetime(value.astimezone(UTC), 'd MMMM y, HH:mm', locale=known)} UTC"
        return str(format_date(value.astimezone(UTC), "d MMMM y", locale=known))

    return {
        "size": size,
        "number": number,
        "quantity": quantity,
        "duration": duration,
        "moment": moment,
        "day": day,
        "spelled": spelled,
    }
