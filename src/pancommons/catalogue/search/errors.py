"""What can be wrong with a query."""

from __future__ import annotations

from pancommons.base.errors import BadInput


class BadFilter(BadInput):
    """A query that means nothing; ``field`` is the way to the culprit, such as ``filter.where.titel``."""
