"""Forms are made from the schema alone, and give back what was put in."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pancommons.pipelines import parameters, registry
from pancommons.pipelines.declaration import Parameters
from pancommons.server.pages import form

NAMES = registry.names()
HOSTILE = ["1e999", "nan", "-1", "../../etc/passwd", "<script>", "0" * 3000]


def values_of(described: dict[str, Any]) -> SearchStrategy[Any]:
    """Draw valid values of one property of a schema."""
    if "anyOf" in described:
        return st.one_of(*(values_of(way) for way in described["anyOf"]))
    if "const" in described:
        return st.just(described["const"])
    if "enum" in described:
        return st.sampled_from(described["enum"])
    low, high = described.get("minimum"), described.get("maximum")
    above, below = described.get("exclusiveMinimum"), described.get("exclusiveMaximum")
    match described["type"]:
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "integer":
            return st.integers(low if above is None else above + 1, high if below is None else below - 1)
        case "number":
            return st.floats(
                low if above is None else above,
                high if below is None else below,
                exclude_min=above is not None,
                exclude_max=below is not None,
                allow_nan=False,
                allow_infinity=False,
            )
        case "string" if "pattern" in described:
            return st.from_regex(described["pattern"].replace("$", r"\Z"), alphabet=string.printable[:-6])
    return st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)


def models(name: str) -> SearchStrategy[Parameters]:
    pipeline = registry.load(name)
    properties = parameters.schema(pipeline)["properties"]
    drawn = st.fixed_dictionaries({key: values_of(one) for key, one in properties.items()})
    return drawn.map(lambda values: parameters.build(pipeline.parameters, values))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_valid_comes_back(name: str, data: st.DataObject) -> None:
    pipeline = registry.load(name)
    model = data.draw(models(name))
    preset = data.draw(st.sampled_from([None, *pipeline.presets]))
    sent = dict(parse_qsl(urlencode(form.texts(model)), keep_blank_values=True))
    filled = form.read(pipeline, sent, preset)
    assert filled.wrong == {}
    assert parameters.build(pipeline.parameters, filled.given, presets=pipeline.presets, preset=preset) == model


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_not_given(name: str) -> None:
    pipeline = registry.load(name)
    assert form.read(pipeline, {}).given == {}
    assert form.read(pipeline, form.texts(pipeline.parameters())).given == {}
    for preset, values in pipeline.presets.items():
        filled = form.read(pipeline, form.texts(pipeline.parameters()), preset)
        changed = {key for key, value in values.items() if value != getattr(pipeline.parameters(), key)}
        assert set(filled.given) == changed


@pytest.mark.parametrize("name", NAMES)
@given(
    hostile=st.text(max_size=40) | st.sampled_from(["1e999", "nan", "-1", "../../etc/passwd", "<script>", "0" * 3000])
)
@settings(max_examples=15, deadline=None)
def test_hostile_values_are_refused_or_valid(name: str, hostile: str) -> None:
    pipeline = registry.load(name)
    filled = form.read(pipeline, dict.fromkeys([*pipeline.parameters.model_fields, "unknown"], hostile))
    assert all(len(text) <= form.LONGEST for text in filled.texts.values())
    assert "unknown" not in filled.texts
    if not filled.wrong:
        parameters.build(pipeline.parameters, filled.given)


def test_all_that_is_wrong_is_told_at_once() -> None:
    pipeline = registry.load("tomography")
    filled = form.read(
        pipeline, {"centre": "left", "mask": "2", "pixel_size": "3 kg", "filter": "sharp", "rows": "0:9"}
    )
    assert set(filled.wrong) == {"centre", "mask", "pixel_size", "filter"}
    assert filled.texts["centre"] == "left" and filled.texts["rows"] == "0:9"
    assert "um" in filled.wrong["pixel_size"] and "auto" in filled.wrong["centre"]


def test_a_field_says_what_it_takes() -> None:
    made = {one.name: one for one in form.fields(registry.load("tomography"))}
    assert made["mask"].limits == "≥ 0, ≤ 1" and made["mask"].kind == "number"
    assert made["pixel_size"].limits == "> 0" and made["pixel_size"].words == ("auto",)
    assert made["pixel_size"].unit == "um" and made["pixel_size"].default == "auto"
    assert made["filter"].kind == "choice" and made["filter"].choices[0] == "ramp"
    assert made["non_negative"].kind == "switch" and made["non_negative"].default == "on"
    assert made["region"].optional and made["centre_range"].words == ("auto",)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_stand_for_their_groups(name: str) -> None:
    made = form.fields(registry.load(name))
    chosen = form.first(made)
    assert len(chosen) == min(form.FIRST, len(made))
    assert len({one.group for one in chosen}) == min(len({one.group for one in made}), form.FIRST)


def test_units_are_converted_and_emptied_fields_are_defaults() -> None:
    pipeline = registry.load("tomography")
    assert form.read(pipeline, {"pixel_size": " 0.65 um "}).given == {"pixel_size": 0.65}
    assert form.read(pipeline, {"pixel_size": "650 nm"}).given == {"pixel_size": pytest.approx(0.65)}
    emptied = form.read(pipeline, {"mask": "", "rows": "", "centre": " "})
    assert emptied.given == {} and emptied.texts["mask"] == "1"
