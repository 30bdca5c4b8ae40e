"""Regular expressions that mean the same to RE2 and to PostgreSQL, and cannot run away in either."""

from __future__ import annotations

from dataclasses import dataclass

import re2

from pancommons.catalogue.search.errors import BadFilter

_LONGEST = 256
_MOST_REPEATS = 255
_MEMORY = 1 << 20
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_CONTROLS = {"t": "\\t", "n": "\\n", "f": "\\f", "r": "\\r"}
_PLACES = {"b": ("\\b", "\\y"), "B": ("\\B", "\\Y"), "A": ("^", "^"), "z": ("$", "$")}
_SPECIAL = frozenset("\\.[]{}()*+?^$|-/&~")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression in both spellings.

    Attributes
    ----------
    re2, postgresql
        The expression for either engine; in lower case where case is ignored.
    ignore_case
        Whether it is to be searched in the lower case of a text.
    """

    re2: str
    postgresql: str
    ignore_case: bool


def read(text: str, field: str) -> Pattern:
    r"""Read a regular expression: ``^L``, ``/^l/i``, or ``(?i)^l``.

    Understood are letters, ``.``, classes, groups, ``|``, repeats up to 255, ``^ $ \A \z \b \B``, and
    ``\d \w \s`` for ASCII. What the two engines understand differently, such as named groups and Unicode
    classes, is refused.

    Raises
    ------
    BadFilter
        If the expression is broken, too long, or says what is not understood.
    """
    body, ignore_case = text, False
    if len(text) > 1 and text.startswith("/") and (end := text.rfind("/")) > 0:
        body, flags = text[1:end], text[end + 1 :]
        if set(flags) - set("ig"):
            raise _bad(field, text, f"the flags {flags!r} are not understood")
        ignore_case = "i" in flags
    if body.startswith("(?i)"):
        body, ignore_case = body[4:], True
    if len(body) > _LONGEST:
        raise _bad(field, text[:20] + "...", f"it is longer than {_LONGEST} letters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        re2.compile(body, options=options)
        ours, theirs = _translated(body, ignore_case)
        re2.compile(ours, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise _bad(field, text, reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
    except _Unknown as unknown:
        raise _bad(field, text, f"{unknown.args[0]!r} is not understood") from None
    return Pattern(ours, theirs, ignore_case)


class _Unknown(Exception):
    pass


def _bad(field: str, text: str, reason: str) -> BadFilter:
    return BadFilter(f"{text!r} is not a regular expression that can be searched for: {reason}", field=field)


def _translated(body: str, fold: bool) -> tuple[str, str]:
    """Go through an expression that RE2 has accepted and spell it for both engines."""
    ours: list[str] = []
    theirs: list[str] = []
    place = 0
    repeatable = False
    while place < len(body):
        sign = body[place]
        following = body[place + 1 : place + 2]
        mine = None
        if sign == "\\":
            place += 2
            if following in _PLACES:
                mine, other = _PLACES[following]
                ours.append(mine)
                theirs.append(other)
                repeatable = False
                continue
            mine = _escape(following)
        elif sign == "[":
            mine, place = _bracket(body, place, fold)
        elif sign == ".":
            mine, place = "[^\\n]", place + 1
        elif sign == "(":
            if body[place : place + 3] == "(?:":
                mine, place = "(?:", place + 3
            elif following == "?":
                raise _Unknown(body[place : place + 3])
            else:
                mine, place = "(?:", place + 1
        elif sign in "*+?{":
            mine, place = _repeat(body, place)
            if mine != "\\{":
                if not repeatable:
                    raise _Unknown(mine)
                ours.append(mine)
                theirs.append(mine)
                repeatable = False
                continue
        elif sign in ")|^$":
            mine, place = sign, place + 1
        else:
            mine, place = _literal(sign, fold), place + 1
        ours.append(mine)
        theirs.append(mine)
        repeatable = sign not in "(|^$"
    return "".join(ours), "".join(theirs)


def _literal(sign: str, fold: bool = False) -> str:
    sign = sign.lower() if fold else sign
    return "\\" + sign if sign in _SPECIAL else sign


def _escape(letter: str) -> str:
    if letter in _CLASSES:
        return f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES:
        return f"[^{_CLASSES[letter.lower()]}]"
    if letter in _CONTROLS:
        return _CONTROLS[letter]
    if not letter or letter.isalnum() or letter == "_" or not letter.isascii():
        raise _Unknown("\\" + letter)
    return _literal(letter)


def _repeat(body: str, place: int) -> tuple[str, int]:
    sign = body[place]
    end = place + 1
    if sign == "{":
        close = body.find("}", place)
        low, comma, high = body[place + 1 : close].partition(",")
        counts = [one for one in (low, high) if one]
        if close < 0 or not low or not all(one.isascii() and one.isdigit() for one in counts):
            return "\\{", end
        if any(int(one) > _MOST_REPEATS for one in counts):
            raise _Unknown(body[place : close + 1])
        sign, end = "{" + low + comma + high + "}", close + 1
    return sign, end + (body[end : end + 1] == "?")


def _bracket(body: str, place: int, fold: bool) -> tuple[str, int]:
    """Spell a class of letters; in lower case it holds the lower case of its letters too."""
    place += 1
    start = "["
    if body[place] == "^":
        start, place = "[^", place + 1
    spelled: list[str] = []
    first = True
    while first or body[place] != "]":
        first = False
        if body.startswith("[:", place):
            raise _Unknown(body[place : place + 4])
        if body[place] == "\\" and body[place + 1] in _CLASSES:
            spelled.append(_CLASSES[body[place + 1]])
            place += 2
            continue
        low, place = _member(body, place)
        high = low
        if body[place] == "-" and body[place + 1] != "]":
            high, place = _member(body, place + 1)
        spelled.append(_range(low, high))
        if fold and low.isupper() and high.isupper():
            spelled.append(_range(low.lower(), high.lower()))
    return start + "".join(spelled) + "]", place + 1


def _member(body: str, place: int) -> tuple[str, int]:
    if body[place] != "\\":
        return body[place], place + 1
    letter = body[place + 1]
    if letter in _CONTROLS:
        return {"t": "\t", "n": "\n", "f": "\f", "r": "\r"}[letter], place + 2
    if letter.isalnum() or letter == "_" or not letter.isascii():
        raise _Unknown("\\" + letter)
    return letter, place + 2


def _range(low: str, high: str) -> str:
    ends = [_literal(low)] if low == high else [_literal(low), _literal(high)]
    return "-".join(ends)
