"""The arguments of an OAI-PMH request, checked as the protocol has it; and the tokens that continue lists."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ARGUMENTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "Identify": (frozenset(), frozenset()),
    "ListMetadataFormats": (frozenset(), frozenset({"identifier"})),
    "ListSets": (frozenset(), frozenset({"resumptionToken"})),
    "GetRecord": (frozenset({"identifier", "metadataPrefix"}), frozenset()),
    "ListIdentifiers": (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set", "resumptionToken"})),
    "ListRecords": (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set", "resumptionToken"})),
}
"""By verb: the arguments that are needed, and those that may be there."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SECOND = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_SPEC = re.compile(r"[A-Za-z0-9\-_.!~*'()]+(:[A-Za-z0-9\-_.!~*'()]+)*")
_LONGEST = 2000


class OaiError(Exception):
    """What the protocol answers with an ``error`` element: one of its codes, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Request:
    """A request as it was understood.

    Attributes
    ----------
    verb
        One of the six.
    start, stop
        The first moment and the one after the last whose changes are asked for; None without limit.
    spec
        The set asked for.
    after
        The place in the order of changes after which a list goes on.
    given
        How many items of the list were given before.
    size
        How many the whole list had when it began.
    """

    verb: str
    prefix: str = ""
    identifier: str | None = None
    start: datetime | None = None
    stop: datetime | None = None
    spec: str | None = None
    after: int = 0
    given: int = 0
    size: int = 0
    resumed: bool = False

    def continued(self, after: int, count: int, size: int) -> str:
        """Return the token of the part of a list of this size that follows; it holds for good."""
        told = {
            "p": self.prefix,
            "f": self.start and self.start.isoformat(),
            "u": self.stop and self.stop.isoformat(),
            "s": self.spec,
            "a": after,
            "n": self.given + count,
            "c": size,
        }
        text = json.dumps({name: value for name, value in told.items() if value is not None})
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def understand(arguments: Sequence[tuple[str, str]]) -> Request:
    """Check the arguments of a request.

    Parameters
    ----------
    arguments
        As they came, in order; a name may be there twice, which is an error.

    Raises
    ------
    OaiError
        ``badVerb``, ``badArgument`` or ``badResumptionToken``.
    """
    verbs = [value for name, value in arguments if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in ARGUMENTS:
        shown = verbs[0][:40] if verbs else "nothing"
        raise OaiError("badVerb", f"verb is {shown!r}; it must be one of {', '.join(ARGUMENTS)}, once")
    verb = verbs[0]
    needed, possible = ARGUMENTS[verb]
    given = dict(arguments)
    del given["verb"]
    if len(given) + 1 != len(arguments):
        raise OaiError("badArgument", "an argument is there twice")
    for name, value in given.items():
        if name not in needed | possible:
            raise OaiError("badArgument", f"{verb} takes no argument {name[:40]!r}")
        if not value or len(value) > _LONGEST:
            raise OaiError("badArgument", f"{name} is empty or too long")
    if "resumptionToken" in given:
        if len(given) > 1:
            raise OaiError("badArgument", "resumptionToken stands alone")
        return _resumed(verb, given["resumptionToken"])
    for name in sorted(needed):
        if name not in given:
            raise OaiError("badArgument", f"{verb} needs the argument {name}")
    return _first(verb, given)


def _first(verb: str, given: dict[str, str]) -> Request:
    start, stop = given.get("from"), given.get("until")
    if start and stop and len(start) != len(stop):
        raise OaiError("badArgument", "from and until must both be days, or both be seconds")
    since = _moment("from", start) if start else None
    until = _moment("until", stop) if stop else None
    if since and until and since > until:
        raise OaiError("badArgument", "from is after until")
    if until is not None:
        until += timedelta(days=1) if stop and len(stop) == 10 else timedelta(seconds=1)
    spec = given.get("set")
    if spec is not None and not _SPEC.fullmatch(spec):
        raise OaiError("badArgument", "set is no setSpec")
    return Request(verb, given.get("metadataPrefix", ""), given.get("identifier"), since, until, spec)


def _moment(name: str, text: str) -> datetime:
    form = "%Y-%m-%d" if _DAY.fullmatch(text) else "%Y-%m-%dT%H:%M:%SZ" if _SECOND.fullmatch(text) else None
    try:
        if form:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise OaiError("badArgument", f"{name} must be YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ")


def _resumed(verb: str, token: str) -> Request:
    """Read a token; anybody may write one, so that it is checked like arguments."""
    try:
        told = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        request = Request(
            verb,
            prefix=_string(told["p"]),
            start=_date(told.get("f")),
            stop=_date(told.get("u")),
            spec=_string(told["s"]) if "s" in told else None,
            after=_count(told["a"]),
            given=_count(told["n"]),
            size=_count(told["c"]),
            resumed=True,
        )
        if request.spec is not None and not _SPEC.fullmatch(request.spec):
            raise ValueError(request.spec)
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise OaiError("badResumptionToken", "this is no token of ours") from None
    return request


def _string(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(value)


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62:
        return value
    raise TypeError(value)


def _date(value: object) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(_string(value))
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment.astimezone(UTC)
