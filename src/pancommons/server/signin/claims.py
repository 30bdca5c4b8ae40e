"""Claims of a provider, read into who somebody is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pancommons.server.signin.accounts import Identity

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_ENTITLEMENTS = ("entitlements", "eduperson_entitlement")
_MOST = 1000
_SHOWN = 200


def identity(issuer: str, claims: Mapping[str, Any], *more: Mapping[str, Any]) -> Identity:
    """Read the claims; what is only shown is cut to what can be shown.

    Parameters
    ----------
    more
        Other claims of the same subject, whose entitlements count as well.
    """
    written = _shown(claims.get("orcid"))
    orcid = _ORCID.fullmatch(written) if written else None
    names = (claims.get(one) for one in ("name", "preferred_username"))
    return Identity(
        issuer,
        str(claims["sub"]),
        next((shown for one in names if (shown := _shown(one))), None),
        _shown(claims.get("email")),
        orcid[1] if orcid else None,
        tuple(sorted({text for one in (claims, *more) for text in _entitlements(one)}))[:_MOST],
    )


def _entitlements(claims: Mapping[str, Any]) -> Iterable[str]:
    for name in _ENTITLEMENTS:
        value = claims.get(name)
        listed = value if isinstance(value, list) else [value]
        yield from (one for one in listed if isinstance(one, str) and one.isprintable())


def _shown(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(one for one in " ".join(value.split()) if one.isprintable())[:_SHOWN] or None
