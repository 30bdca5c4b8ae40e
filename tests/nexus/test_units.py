"""Unit texts as files spell them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.nexus import units
from pancommons.nexus.units import compatible, convert, parse


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (12.4, "KeV", "eV", 12400),
        (12.4, "kev", "eV", 12400),
        (25, "meV", "eV", 0.025),
        (25, "MeV", "keV", 25000),
        (1.54, "Angstrom", "nm", 0.154),
        (1.54, "angstroms", "nm", 0.154),
        (1.54, "A", "nm", 0.154),
        (300, "mA", "A", 0.3),
        (2, "A", "mA", 2000),
        (0.045, "1/A", "1/nm", 0.45),
        (0.045, "A^-1", "1/nm", 0.45),
        (0.045, "Å-1", "1/nm", 0.45),
        (0.045, "\u212b^-1", "1/nm", 0.45),
        (6.5, "\u00b5m", "m", 6.5e-6),
        (6.5, "\u03bcm", "m", 6.5e-6),
        (6.5, "microns", "m", 6.5e-6),
        (6.5, "um", "m", 6.5e-6),
        (2, "1e-6 m", "m", 2e-6),
        (2, "nm-1", "1/nm", 2),
        (180, "deg", "rad", math.pi),
        (180, "degrees", "rad", math.pi),
        (180, "\u00b0", "rad", math.pi),
        (180, "NX_ANGLE", "rad", math.pi),
        (5, "Counts", "count", 5),
        (5, "none", "", 5),
        (5, "arbitrary", "", 5),
        (20, "C", "K", 293.15),
        (20, "°C", "K", 293.15),
        (3, "mJ/cm^2", "J/m^2", 30),
    ],
)
def test_conversions(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, unit, to) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("unit", ["xyzzy", "m/", "(", "channel of 3", "9**9**9**9", "((9**99)**99)**99", "1" * 99])
def test_unknown_texts_are_none_and_not_an_error(unit: str) -> None:
    assert parse(unit) is None
    assert convert(1.0, unit, "m") is None


def test_units_of_different_dimension_do_not_convert() -> None:
    assert convert(1.0, "keV", "m") is None
    assert not compatible("s", "m")
    assert compatible("mm", "m")


def test_arrays_keep_their_shape() -> None:
    converted = convert([[1.0, 2.0]], "mm", "m")
    assert isinstance(converted, np.ndarray) and converted.shape == (1, 2)


@settings(max_examples=300, deadline=2000)
@given(st.text("aAkKmMeEvVÅµ°gradsn^-*/1290()., %Cx", max_size=40))
def test_any_text_is_answered(text: str) -> None:
    quantity = parse(text)
    assert quantity is None or math.isfinite(float(quantity.magnitude))


@given(
    st.floats(-1e9, 1e9, allow_subnormal=False),
    st.sampled_from([("mm", "um"), ("keV", "eV"), ("deg", "rad"), ("1/A", "1/nm"), ("ms", "s")]),
)
def test_there_and_back(value: float, pair: tuple[str, str]) -> None:
    there = convert(value, *pair)
    assert there is not None
    assert convert(there, pair[1], pair[0]) == pytest.approx(value, rel=1e-12, abs=1e-300)


def test_definitions_that_were_kept_in_half_are_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed while it keeps them must not leave every later one without units."""
    monkeypatch.setenv("PANCOMMONS_HOME", str(tmp_path))
    units._registry.__wrapped__()
    kept = [path for path in (tmp_path / "pint").iterdir() if path.suffix == ".pickle"]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:20])
    assert units._registry.__wrapped__()("1 mm").to("m").magnitude == 0.001
    assert not list((tmp_path / "pint").iterdir()), "what is of no use is gone"
    kept[0].write_bytes(b"")
    units._registry.__wrapped__()
