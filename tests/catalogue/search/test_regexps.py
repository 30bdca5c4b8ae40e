"""Regular expressions: the same matches in both databases as in RE2, and none that runs away or fails inside."""

from __future__ import annotations

import re2
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.catalogue.search.putting import NOW, dataset, put

from pancommons.catalogue.access import ANONYMOUS
from pancommons.catalogue.search.asking import count
from pancommons.catalogue.search.errors import BadFilter

TITLES = [
    "",
    "a",
    "ab",
    "aB",
    "b a",
    "a.b",
    "a\\b",
    "2",
    "a2_b",
    "a{2}",
    "[ab]",
    "x\ny",
    "Äa",
    "ab" * 30,
    "a" * 60,
    "^$",
    "a-b",
]
LETTERS = st.text("aAbB2.[]()*+?{},|^$\\dDwWsSbBzA-_ Ä\n", max_size=10)
PIECES = st.lists(
    st.sampled_from(
        ["a", "B", ".", "\\d", "\\W", "\\s", "\\b", "[^a]", "[a-b]", "[A-Z_]", "(a|b)", "(?:ab)", "$", "^"]
    ),
    max_size=4,
).map(lambda parts: "".join(parts))
REPEATED = st.tuples(PIECES, st.sampled_from(["", "*", "+", "?", "{2}", "{0,1}", "*?", "{1,}"])).map("".join)


def test_both_databases_find_what_re2_finds(database):
    put(database, [dataset(f"d{number}", title) for number, title in enumerate(TITLES)])
    with database.read() as connection:

        @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(LETTERS | PIECES | REPEATED, st.booleans())
        @example("(a*)*b", False)
        @example("(a|a)*$", False)
        @example("((a{0,9}){0,9}){0,9}$", False)
        @example("(?:a?){30}a{30}", False)
        @example("[\\d\\-\\]]", False)
        @example("[]a]", False)
        @example("a{,2}", False)
        def compare(pattern, ignore_case):
            try:
                found = count(
                    connection, "Dataset", {"title": {"regexp": f"/{pattern}/{'i' * ignore_case}"}}, ANONYMOUS, NOW
                )
            except BadFilter:
                return
            compiled = re2.compile(("(?i)" if ignore_case else "") + pattern)
            assert found == sum(compiled.search(title) is not None for title in TITLES), pattern

        compare()
