"""Whatever stands in a file, its readers give records and refusals, or refuse it in a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.catalogue.exchange import json_stream
from pancommons.catalogue.exchange.arriving import Arrival, Refusal
from pancommons.catalogue.exchange.panosc import read_panosc
from pancommons.catalogue.exchange.scicat import read_scicat

AT = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = [
    "pid", "title", "isPublic", "creationDate", "size", "documents", "document", "instrument", "instrumentId",
    "techniques", "samples", "parameters", "files", "name", "path", "type", "facility", "members", "person",
    "affiliation", "id", "fullName", "value", "unit", "panetId", "keywords", "models", "Dataset", "DatasetSample",
    "sampleId", "datasetId", "creationTime", "datasetName", "scientificMetadata", "origdatablocks", "dataFileList",
    "proposalIds", "sampleIds", "instrumentIds", "relationships", "inputDatasets", "doi", "creator",
    "publishedData", "metadata", "creators", "principalInvestigators", "owner", "sourceFolder", "isPublished",
    "releaseDate", "startDate", "pidArray",
]  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["2020-05-05T15:01:02Z", "10.1/a", "proposal", "raw", 10**30, "\ud800", "a\0b", "", " "])
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=25,
)
objects = st.dictionaries(st.sampled_from(NAMES), anything, max_size=12)


@settings(max_examples=300, deadline=None)
@given(value=st.lists(objects, max_size=3) | objects | anything)
@pytest.mark.parametrize("read", [read_panosc, read_scicat])
def test_any_json(tmp_path_factory: pytest.TempPathFactory, read: Any, value: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(value))
    try:
        for one in read(file, AT):
            assert isinstance(one, (Arrival, Refusal))
            if isinstance(one, Refusal):
                assert one.reason.endswith(".") and "\n" not in one.reason
    except BadInput as error:
        assert "\n" not in error.problem


@given(value=anything, chunk=st.integers(1, 9), spaces=st.sampled_from(["", " ", "\n\n  "]))
@settings(max_examples=200, deadline=None)
def test_a_stream_is_read_as_a_whole_is(
    tmp_path_factory: pytest.TempPathFactory, value: Any, chunk: int, spaces: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "stream.json"
    listed = [value, {"a": [value]}, 12, value]
    try:
        text = json.dumps(listed, allow_nan=False, indent=1).replace("\n", f"\n{spaces}")
    except ValueError:
        return
    file.write_text(spaces + text + spaces)
    kept, json_stream._CHUNK = json_stream._CHUNK, chunk
    try:
        assert [one for _, one in json_stream.values(file, ())] == json.loads(text)
        file.write_text(f'{{"one": {text}, {spaces} "two": []}}')
        assert [one for _, one in json_stream.values(file, ("one", "two"))] == json.loads(text)
    finally:
        json_stream._CHUNK = kept
