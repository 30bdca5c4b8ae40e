"""What a range means, against the plain slice; what names become in a header."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.server.ranges import Unsatisfiable, asked_part
from pancommons.server.sending import disposition

_HEADER = re.compile(r"attachment; filename=\"([^\"\\%;]+)\"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)")
places = st.one_of(st.none(), st.integers(0, 60), st.integers(10**18, 10**25))


@given(data=st.binary(max_size=50), first=places, last=places)
def test_a_range_is_the_plain_slice(data: bytes, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None:
        expected = None if last is None else data[max(0, len(data) - last) :]
    elif last is not None and last < first:
        expected = None
    else:
        expected = data[first : None if last is None else last + 1]
    try:
        part = asked_part(header, len(data))
    except Unsatisfiable:
        assert expected == b""
        return
    if part is None:
        assert expected is None
    else:
        assert part and data[part.start : part.stop] == expected


@pytest.mark.parametrize("header", [None, "", "bytes", "bytes=", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b",
                                    "bytes=-1-2", "bytes=٣-٤", "bytes=1-" + "9" * 5000])  # fmt: skip
def test_what_is_no_single_range_is_left_out_of_account(header: str | None) -> None:
    assert asked_part(header, 10) is None


@given(name=st.text(max_size=60))
def test_any_name_fits_into_a_header(name: str) -> None:
    header = disposition(name)
    assert header.isascii() and header.isprintable()
    match = _HEADER.fullmatch(header)
    assert match
    told = unquote(match[2], errors="strict")
    assert len(told) == max(1, len(name)) or not name
    assert not any(ord(one) < 32 or one in "/\\" for one in told)


def test_a_plain_name_stays() -> None:
    assert disposition("scan 7 (dark).nxs") == (
        "attachment; filename=\"scan 7 (dark).nxs\"; filename*=UTF-8''scan%207%20%28dark%29.nxs"
    )
    assert "filename*=UTF-8''%C3%A9chantillon.h5" in disposition("échantillon.h5")
