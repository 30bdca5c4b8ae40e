"""What a browser is called by people, from what it calls itself."""

from __future__ import annotations

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
"""The first that is found counts: a browser also names those it resembles."""

_LONGEST = 60


def called(agent: str | None) -> str:
    """Name a browser and its system, as ``Firefox on Linux``; one that is not known by what it says."""
    if not agent:
        return "?"
    browser = next((name for sign, name in _BROWSERS if sign in agent), agent[:_LONGEST])
    system = next((name for sign, name in _SYSTEMS if sign in agent), None)
    return f"{browser} on {system}" if system and browser != agent[:_LONGEST] else browser
