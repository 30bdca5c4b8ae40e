"""Text for a terminal."""

from __future__ import annotations


def printable(line: str) -> str:
    """Show what a terminal would take for a command of its own as an escape: names in a file are anybody's."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
