"""The small parsers of ingest, with anything for input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.catalogue.ingest.mapping import read_mappings
from pancommons.catalogue.ingest.moments import known_zone, read_moment
from pancommons.catalogue.ingest.naming import slug
from pancommons.catalogue.ingest.people import orcid_in
from pancommons.catalogue.ingest.roots import Place, Roots

LATEST = datetime(2027, 1, 1, tzinfo=UTC)


@given(st.text())
def test_any_text_is_a_moment_or_none(text: str) -> None:
    found = read_moment(text, "UTC", LATEST)
    assert found is None or found.at.tzinfo is UTC


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2026, 12, 30)),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["T", " "]),
)
def test_what_is_written_as_iso_is_read_back(moment: datetime, minutes: int, between: str) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    found = read_moment(zoned.isoformat(between), "Europe/Paris", LATEST)
    assert found is not None
    assert (found.at, found.assumed_zone) == (zoned, None)


def test_a_time_zone_that_is_none_is_refused() -> None:
    assert known_zone("Europe/Berlin") == "Europe/Berlin"
    for name in ("Europe/Atlantis", "../../etc/passwd", ""):
        with pytest.raises(BadInput, match="time_zone"):
            known_zone(name)


@given(st.text(min_size=1))
def test_a_slug_is_fit_for_a_pid(text: str) -> None:
    made = slug(text)
    assert 0 < len(made) <= 64
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_names_in_other_letters_stay_two() -> None:
    assert len({slug(name) for name in ("鉄", "銅", "x" * 80, "x" * 81)}) == 4


@given(st.text())
def test_any_text_is_an_orcid_or_none(text: str) -> None:
    assert orcid_in(text) is None or len(orcid_in(text) or "") == 19


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0000-0002-1825-0097", "0000-0002-1825-0097"),
        (" https://orcid.org/0000-0002-1694-233X", "0000-0002-1694-233X"),
        ("0000-0002-1694-2330", None),
        ("0000-0002-1825", None),
        (None, None),
    ],
)
def test_an_orcid_has_its_check_digit(text: str | None, found: str | None) -> None:
    assert orcid_in(text) == found


@given(st.lists(st.sampled_from(["..", "a", "b", ".", ""]), max_size=6))
def test_no_place_leads_out_of_its_root(parts: list[str]) -> None:
    roots = Roots({"here": Path("/nowhere/root")})
    found = roots.path(Place("here", "/".join(parts)))
    assert found is None or found.resolve().is_relative_to("/nowhere/root")


def test_the_innermost_root_counts(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    roots = Roots({"outer": tmp_path, "inner": tmp_path / "a"})
    assert roots.place(tmp_path / "a" / "b") == Place("inner", "b")
    (tmp_path / "a" / "out").symlink_to(tmp_path.parent)
    assert roots.place(tmp_path / "a" / "out" / "x") is None


def test_a_mapping_goes_before_the_default_and_null_takes_away(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "when: {instrument: ['b1*']}\ntitle: [name]\nsummary: null\n"
        "techniques: {names: {NXtomo: null, NXown: {any: PaNET01129}}}\n"
        "parameters: [{name: furnace, paths: [furnace/temperature], unit: K}]\n"
    )
    mappings = read_mappings([file])
    default, own = mappings.default, mappings.choose("/x", "B12")
    assert own.title == ("name", *default.title)
    assert own.summary == () != default.summary
    assert set(own.techniques.names) == {*default.techniques.names, "NXown"} - {"NXtomo"}
    assert own.parameters == (own.parameters[0], *default.parameters)
    assert own.parameters[0].name == "furnace"
    assert mappings.choose("/x", "C1") is default
    assert mappings.choose("/x") is default
    assert mappings.digest != read_mappings().digest
