"""Entitlements: what is written is read, whatever it is, and nothing else is read as one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pancommons.server.signin.entitlements import Entitlement, parse

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
