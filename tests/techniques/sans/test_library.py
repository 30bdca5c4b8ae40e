"""Models of sasmodels: fits with a known answer, what is read as parameters, what is said when something is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.techniques.sans import library
from pancommons.techniques.sans.library import Given, library_fit, parse_assignments
from tests.techniques.sans.conftest import Reduce
from tests.techniques.sans.test_analysis import spheres

pytest.importorskip("sasmodels")
needs_compiler = pytest.mark.skipif(not library._compiler(), reason="no C compiler is there")


@needs_compiler
def test_spheres_without_any_start() -> None:
    law = library_fit(spheres(45.0), "sphere", {"sld": Given(6.0), "sld_solvent": Given(1.0)})
    radius = law.quantities["radius"]
    assert (radius.value, radius.unit) == (pytest.approx(45, rel=0.002), "angstrom")
    assert radius.error is not None and 0 < radius.error < 0.1
    assert law.value("background") == pytest.approx(0.05, rel=0.05)
    volume = 4 / 3 * np.pi * 45**3
    assert law.value("scale") == pytest.approx(60e-8 / (volume * 5e-6**2), rel=0.01)
    assert 0.6 < law.chi_square < 1.5
    assert law.warning is None


@needs_compiler
def test_an_ellipsoid_finds_that_it_is_a_sphere() -> None:
    law = library_fit(spheres(45.0), "ellipsoid", {})
    assert law.value("radius_polar") == pytest.approx(45, rel=0.02)
    assert law.value("radius_equatorial") == pytest.approx(45, rel=0.02)


@needs_compiler
def test_limits_are_kept_and_a_misfit_is_said() -> None:
    law = library_fit(spheres(45.0), "sphere", parse_assignments("radius=50:48:60"))
    assert 48 <= law.value("radius") <= 60
    assert law.warning is not None and "sphere does not fit" in law.warning


def test_the_polymer_standard_without_a_compiler(
    runs_54431: dict[str, Path], reduce: Reduce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TK49 as sasmodels has it elsewhere: Rg 75.3 +- 1.8 Angstrom; the model is written in Python."""
    monkeypatch.setattr(library, "_compiler", lambda: False)
    run = reduce(**runs_54431, gravity="on", fit="poly_gauss_coil")
    with h5py.File(run.path / "result.nxs") as file:
        found = file["entry/analysis01/fit_process"]
        radius, error = found["rg"][()], found["rg_errors"][()]
        assert found["rg"].attrs["units"] == "angstrom"
        assert found["chi_square"][()] < 1.2
        assert file["entry/analysis01/fit"].attrs["signal"] == "I"
    assert abs(radius - 75.3) < 2
    assert 0.5 < error < 3
    assert run.merits["fit_chi_square"] < 1.2
    assert (run.path / "figures" / "fit.png").exists()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]\w{0,8}", fullmatch=True),
        st.one_of(
            st.floats(-1e6, 1e6).map(lambda value: (value,)),
            st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3, unique=True).map(
                lambda three: (sorted(three)[1], sorted(three)[0], sorted(three)[2])
            ),
        ),
        max_size=5,
    )
)
def test_assignments_come_back_as_they_were_written(wanted: dict[str, tuple[float, ...]]) -> None:
    text = ", ".join(f"{name}={':'.join(map(repr, numbers))}" for name, numbers in wanted.items())
    found = parse_assignments(text)
    assert found == {name: Given(first, tuple(limits) or None) for name, (first, *limits) in wanted.items()}


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_assignments(text)
    except BadInput as error:
        assert error.field == "fit-parameters"


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"fit": "spere"}, "sasmodels has no model 'spere'"),
        ({"fit": "poly_gauss_coil", "fit_parameters": "rg=9:3"}, "limits out of order"),
        ({"fit": "poly_gauss_coil", "fit_parameters": "rg:9"}, "is no parameter of a fit"),
        ({"fit": "poly_gauss_coil", "fit_parameters": "rg=3 rg=4"}, "given twice"),
        ({"fit": "poly_gauss_coil", "fit_parameters": "radius=3"}, "has no parameter radius; it has scale, background"),
    ],
)
def test_what_makes_no_fit_is_said_before_the_start(
    runs_54431: dict[str, Path], reduce: Reduce, parameters: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        reduce(**runs_54431, **parameters)


def test_without_the_extra_or_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_compiler", lambda: False)
    monkeypatch.setattr(library, "_choose_compiler", lambda: None)
    with pytest.raises(
        BadInput, match=r"model cylinder in C and there is no C compiler; install one \(pip install zig"
    ):
        library.model_info("cylinder")
    find: Callable[[str], Any] = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bumps" else find(name))
    with pytest.raises(BadInput, match=r"needs the packages .* pip install 'pancommons\[sans-models\]'"):
        library.model_info("sphere")
