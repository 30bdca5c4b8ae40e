"""Entitlements: what is written is read, whatever it is, and nothing else is read as one."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pancommons.base.settings import Entitled
from pancommons.catalogue.access import Role
from pancommons.server.signin.entitlements import Entitlement, parse
from pancommons.server.signin.roles import rules

ELEMENTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True)
NAMESPACES = st.tuples(NAMES, ELEMENTS) | st.tuples(NAMES, ELEMENTS, ELEMENTS)
PATHS = st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple)
AUTHORITIES = st.none() | st.from_regex(r"[a-z0-9.:-]{0,20}", fullmatch=True)
GROUPS = st.builds(Entitlement, NAMESPACES, st.just("group"), PATHS, role=st.none() | ELEMENTS, authority=AUTHORITIES)
RESOURCES = st.builds(
    Entitlement, NAMESPACES, st.just("res"), PATHS, actions=st.frozensets(ELEMENTS, max_size=3), authority=AUTHORITIES
)


@given(GROUPS | RESOURCES)
@example(Entitlement(("x", "group"), "res", ("act", "act"), actions=frozenset({"a,b", "act"})))
@example(Entitlement(("x", "res"), "group", ("group", "role=a"), role="role=b"))
def test_what_is_written_is_read(one: Entitlement) -> None:
    read = parse(str(one))
    assert read == one
    assert read is not None and read.authority == one.authority


def escaped(element: str, how: str) -> str:
    """Write an element as a provider may: a character may be escaped where it need not, with digits of either case."""
    return "".join(
        one
        if how != "all" and one.isascii() and (one.isalnum() or one in "-._~")
        else "".join((f"%{byte:02x}" if how == "low" else f"%{byte:02X}") for byte in one.encode())
        for one in element
    )


@given(st.sampled_from(["few", "low", "all"]), NAMES, ELEMENTS, PATHS, st.none() | ELEMENTS, AUTHORITIES)
def test_what_others_write_is_read_however_they_escape(
    how: str, name: str, place: str, path: tuple[str, ...], role: str | None, authority: str | None
) -> None:
    """Against texts put together by the grammar of AARC-G069 here, not by what reads them."""
    assume(not {"group", "res"} & {place, *path} and not any(one.startswith("role=") for one in path))
    elements = [escaped(one, how) for one in (place, *path)]
    text = ":".join(["URN" if how == "all" else "urn", name.upper(), elements[0], "group", *elements[1:]])
    text += "" if role is None else f":role={escaped(role, how)}"
    text += "" if authority is None else f"#{authority}"
    assume(len(text) <= 2000)
    read = parse(text)
    assert read is not None
    assert (read.namespace, read.kind, read.path, read.role) == ((name, place), "group", path, role)
    assert read.authority == authority


@given(GROUPS, st.integers(0, 200), st.characters(codec="ascii"))
def test_a_letter_more_or_less_is_never_the_same(one: Entitlement, place: int, letter: str) -> None:
    """But where a percent sign and its digits are written otherwise, and behind the authority."""
    text = str(one).partition("#")[0]
    place %= len(text)
    for changed in (text[:place] + text[place + 1 :], text[:place] + letter + text[place:]):
        read = parse(changed)
        if "%" not in changed and "#" not in changed and changed.lower() != text.lower():
            assert read is None or read != one


PLACED = rules([Entitled(entitlement="urn:a:b:group:proposals:{proposal}:role=pi", role="principal investigator")])[0]


@given(ELEMENTS, GROUPS)
def test_a_rule_gives_what_it_names_and_nothing_like_it(pid: str, like: Entitlement) -> None:
    exact = Entitlement(("a", "b"), "group", ("proposals", pid), "pi")
    assert PLACED.given(exact) == (Role.PRINCIPAL_INVESTIGATOR, pid, None)
    for near in (
        Entitlement(("a", "b"), "group", ("proposals", pid)),
        Entitlement(("a", "b"), "group", ("proposals", pid), "Pi"),
        Entitlement(("a", "b"), "group", ("proposals", pid, "x"), "pi"),
        Entitlement(("a", "b"), "group", ("proposals",), "pi"),
        Entitlement(("a", "b", "c"), "group", ("proposals", pid), "pi"),
        Entitlement(("a", "b"), "res", ("proposals", pid)),
    ):
        assert PLACED.given(near) is None
    named = like.namespace == ("a", "b") and like.path[:1] == ("proposals",) and like.role == "pi"
    assert PLACED.given(like) is None or (named and len(like.path) == 2)


@given(st.text(max_size=60) | st.from_regex(r"urn(:[a-z=%#,0-9]{0,6}){0,6}"))
def test_nothing_makes_it_fail_and_what_is_read_is_written_again(text: str) -> None:
    read = parse(text)
    assert read is None or parse(str(read)) == read


@pytest.mark.parametrize(
    ("text", "path", "role"),
    [
        ("urn:mace:example.org:group:parent#aai.example.org", ("parent",), None),
        ("urn:geant:example.org:service:group:parent:child:role=manager#a", ("parent", "child"), "manager"),
        ("URN:GEANT:example.org:group:a%20b", ("a b",), None),
        ("urn:mace:example.org:group:10.5072%2Fp-1:role=member", ("10.5072/p-1",), "member"),
    ],
)
def test_groups(text: str, path: tuple[str, ...], role: str | None) -> None:
    read = parse(text)
    assert read is not None
    assert (read.kind, read.path, read.role) == ("group", path, role)


def test_a_capability() -> None:
    read = parse("urn:mace:example.org:res:beamline:id19:act:read,run#aai.example.org")
    assert read == Entitlement(("mace", "example.org"), "res", ("beamline", "id19"), actions=frozenset({"read", "run"}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "faculty@example.org",
        "https://example.org/group/a",
        "urn:mace:dir:entitlement:common-lib-terms",
        "urn:mace:example.org:group:#a",
        "urn:mace:example.org:group::role=a",
        "urn:mace:example.org:group:role=a",
        "urn:mace:example.org:group:a:role=",
        "urn:mace:example.org:group:a:role=b:c",
        "urn:mace:group:a",
        "urn:mace:example.org:group:a b",
        "urn:mace:example.org:group:a%0",
        "urn:mace:example.org:group:a%00b",
        "urn:mace:example.org:res:a:act:",
        "urn:mace:example.org:res:a:act:b:c",
        "urn:mace:example.org:group:" + "a" * 2000,
    ],
)
def test_what_is_no_entitlement(text: str) -> None:
    assert parse(text) is None


def test_the_authority_informs_only() -> None:
    assert parse("urn:mace:example.org:group:a#one") == parse("urn:mace:example.org:group:a#other")
