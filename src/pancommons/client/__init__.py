"""A commons elsewhere, from Python: find data at a server, fetch it, run pipelines close to it, follow them."""

from __future__ import annotations

from pancommons.client.commons import Client
from pancommons.client.runs import Run

__all__ = ["Client", "Run"]
