"""Parameters: what people write, made into the model, or refused in words."""

from __future__ import annotations

import json
import math
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import PositiveFloat

from pancommons.base.errors import BadInput, PanError
from pancommons.pipelines import parameters, registry
from pancommons.pipelines.declaration import Auto, Parameters, parameter
from tests.pipelines import toy


class Model(Parameters):
    length: PositiveFloat | Auto = parameter("auto", "a length", unit="um", group="Sizes")
    angle: float = parameter(0.0, "an angle", unit="degree", ge=-360, le=360)
    share: float = parameter(0.5, "a share", unit="percent", ge=0, le=100)
    count: int = parameter(3, "a count", ge=1)
    kind: Literal["one", "two"] = parameter("one", "a kind")
    name: str | None = parameter(None, "a name", pattern="^[a-z]+$")
    on: bool = parameter(False, "whether")


def built(**given_: object) -> Model:
    model = parameters.build(Model, given_)
    assert isinstance(model, Model)
    return model


_UNITS = {"um": 1.0, "µm": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6, "micrometer": 1.0, "angstrom": 1e-4, "Å": 1e-4}


@settings(deadline=None)
@given(
    value=st.floats(1e-6, 1e6), unit=st.sampled_from(sorted(_UNITS)), space=st.sampled_from(["", " ", "  "]),
)  # fmt: skip
def test_lengths_in_any_unit(value: float, unit: str, space: str) -> None:
    assert built(length=f"{value!r}{space}{unit}").length == pytest.approx(value * _UNITS[unit], rel=1e-12)


@settings(deadline=None)
@given(value=st.floats(1e-6, 1e6))
def test_plain_numbers_are_in_the_declared_unit(value: float) -> None:
    assert built(length=repr(value)).length == value == built(length=value).length


def test_other_dimensions_and_words() -> None:
    assert built(angle="3.14159265358979 rad").angle == pytest.approx(180)
    assert built(angle="90°").angle == pytest.approx(90)
    assert built(share="30%").share == pytest.approx(30)
    assert built(length="auto").length == "auto"
    assert built(on="true").on is True


@settings(deadline=None)
@given(st.text(max_size=15))
def test_any_text_is_a_length_or_refused_in_one_sentence(text: str) -> None:
    try:
        length = built(length=text).length
    except BadInput as error:
        assert error.field == "length" and "um" in str(error)
    else:
        assert length == "auto" or (isinstance(length, float) and math.isfinite(length) and length > 0)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"length": "3 kg"}, ("length", "'3 kg'", "um")),
        ({"length": "inf"}, ("length", "finite")),
        ({"length": float("nan")}, ("length",)),
        ({"length": "-1 um"}, ("length", "greater than 0", "auto")),
        ({"length": "1e999 um"}, ("length", "finite")),
        ({"angle": "7 rad"}, ("angle", "360")),
        ({"count": "2.5"}, ("count", "integer")),
        ({"count": 0}, ("count", "greater than or equal to 1")),
        ({"kind": "three"}, ("kind", "'one' or 'two'")),
        ({"name": "A B"}, ("name", "expected a name")),
        ({"lenght": 1}, ("lenght", "did you mean length?")),
        ({"zzz": 1}, ("zzz", "known are", "length")),
        ({"on": "perhaps"}, ("on",)),
        ({"angle": None}, ("angle",)),
        ({"angle": [1]}, ("angle",)),
        ({"angle": {"a": 1}}, ("angle",)),
    ],
)
def test_what_does_not_fit(given_: dict[str, object], words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput) as caught:
        parameters.build(Model, given_)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_given_goes_before_preset_before_default() -> None:
    presets = {"big": {"count": 7, "angle": 5.0}}
    model = parameters.build(Model, {"angle": 1.0}, presets=presets, preset="big")
    assert model.model_dump(include={"count", "angle", "kind"}) == {"count": 7, "angle": 1.0, "kind": "one"}
    with pytest.raises(BadInput, match="known are: big"):
        parameters.build(Model, {}, presets=presets, preset="bgi")
    with pytest.raises(BadInput, match="known are: none"):
        parameters.build(Model, {}, preset="big")


def test_model_is_flat_frozen_and_survives_json() -> None:
    model = built(length="2 mm", name="ada")
    with pytest.raises(ValueError, match="frozen"):
        model.count = 4
    assert Model.model_validate(json.loads(model.model_dump_json())) == model


def test_schema_has_units_groups_and_defaults() -> None:
    from dataclasses import replace

    schema = parameters.schema(replace(toy.PIPELINE, parameters=Model))
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["properties"]["length"] | {"anyOf": 0, "title": 0} == {
        "anyOf": 0, "title": 0, "default": "auto", "description": "a length", "group": "Sizes", "unit": "um",
    }  # fmt: skip
    assert schema["properties"]["angle"]["maximum"] == 360
    json.dumps(schema, allow_nan=False)


def test_names_of_run_options_are_refused_as_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace
    from importlib.metadata import EntryPoint

    class Bad(Parameters):
        memory: int = parameter(1, "taken")

    class Mute(Parameters):
        x: int = 1

    wrong = {
        "run option": replace(toy.PIPELINE, parameters=Bad),
        "no description": replace(toy.PIPELINE, parameters=Mute),
        "unknown parameter": replace(toy.PIPELINE, presets={"p": {"nothing": 1}}),
        "calls itself": replace(toy.PIPELINE, name="other"),
        "at least one role": replace(toy.PIPELINE, stages=()),
    }  # fmt: skip
    point = EntryPoint("toy", "nowhere:NOTHING", registry.GROUP)
    for word, pipeline in wrong.items():
        monkeypatch.setattr(EntryPoint, "load", lambda self, pipeline=pipeline: pipeline)
        monkeypatch.setattr(registry, "entry_points", lambda group: [point])
        registry.load.cache_clear()
        with pytest.raises(PanError, match=word):
            registry.load("toy")
    registry.load.cache_clear()
