"""What can be wrong with a query."""

from __future__ import annotations

from pancommons.base.errors import BadInput, PanError


class BadFilter(BadInput):
    """A query that means nothing; ``field`` is the way to the culprit, such as ``filter.where.titel``."""


class TooLarge(PanError):
    """An answer that holds more than is given at once."""
