"""Planning: the grammars of rows, regions and centres, units that cover all and overlap nowhere, honest costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pancommons.base.errors import BadInput
from pancommons.pipelines import parameters
from pancommons.pipelines.job import Allowance, Job
from pancommons.techniques.tomography.fourier import BATCH
from pancommons.techniques.tomography.pipeline import PIPELINE, TomographyParameters
from pancommons.techniques.tomography.reading.scan import FrameSet, Scan, Stack
from pancommons.techniques.tomography.run import asked, checks, planning

ROWS, COLUMNS = 40, 64


def scan(
    rows: int = ROWS,
    columns: int = COLUMNS,
    angles: int = 90,
    chunks: tuple[int, int, int] | None = None,
    dtype: str = "u2",
) -> Scan:
    stack = Stack(
        (Path("scan.nxs"),), "/data", (angles + 2, rows, columns), np.dtype(dtype), chunks, chunks is not None
    )
    flats = (FrameSet(stack, np.array([0]), 0.0),)
    return Scan(
        Path("scan.nxs"), "NXtomo", "/entry", stack, np.arange(2, angles + 2), np.linspace(0, 3, angles), flats, ()
    )


def made(**given_: Any) -> TomographyParameters:
    model = parameters.build(TomographyParameters, given_)
    assert isinstance(model, TomographyParameters)
    return model


def planned(monkeypatch: pytest.MonkeyPatch, of: Scan, memory: int = 8 << 30, **given_: Any) -> dict[str, Any]:
    monkeypatch.setattr(planning, "scan_of", lambda job: of)
    return planning.plan(Job({"scan": (of.path,)}, made(**given_), Allowance(2, memory)))


bounds = st.none() | st.integers(0, ROWS + 5)


@given(start=bounds, stop=bounds)
def test_rows(start: int | None, stop: int | None) -> None:
    text = f"{'' if start is None else start}:{'' if stop is None else stop}"
    first, last = start or 0, ROWS if not stop and stop != 0 else stop
    try:
        found = asked.row_range(made(rows=text), scan())
    except BadInput as error:
        assert not 0 <= first < last <= ROWS
        assert error.field == "rows" and text in str(error) and f"0:{ROWS}" in str(error)
    else:
        assert found == (first, last)


@given(st.lists(st.none() | st.integers(0, COLUMNS + 3), min_size=4, max_size=4))
def test_regions(limits: list[int | None]) -> None:
    a, b, c, d = ("" if limit is None else limit for limit in limits)
    text = f"{a}:{b},{c}:{d}"
    x0, x1, y0, y1 = (
        default if given_ is None else given_ for given_, default in zip(limits, (0, COLUMNS) * 2, strict=True)
    )
    good = 0 <= x0 < x1 <= COLUMNS and 0 <= y0 < y1 <= COLUMNS
    try:
        found = asked.region_of(made(region=text), COLUMNS)
    except BadInput as error:
        assert not good and error.field == "region"
    else:
        assert good and found == (y0, y1, x0, x1)


numbers = st.decimals(min_value=-5, max_value=70, places=2)


@given(st.lists(numbers, min_size=1, max_size=8))
def test_lists_of_centres(values: list[Any]) -> None:
    text = ",".join(str(value) for value in values)
    assert asked.tried_centres(made(try_centres=text)) == list(dict.fromkeys(float(value) for value in values))


@given(start=numbers, count=st.integers(1, 200), step=st.decimals(min_value="0.05", max_value=4, places=2))
def test_ranges_of_centres_include_both_ends(start: Any, count: int, step: Any) -> None:
    stop = start + (count - 1) * step
    centres = asked.tried_centres(made(try_centres=f"{start}:{stop}:{step}"))
    assert len(centres) == count
    assert centres[0] == pytest.approx(float(start)) and centres[-1] == pytest.approx(float(stop), abs=1e-6)
    assert len(set(centres)) == count


@given(st.text(alphabet="0123456789:,.-+e auto٣²", max_size=12))
@settings(deadline=None)
def test_any_text_is_understood_or_refused_in_one_sentence(text: str) -> None:
    for name in ("rows", "region", "try_centres", "centre_range", "limits", "centre"):
        try:
            model = made(**{name: text})
            asked.row_range(model, scan())
            asked.region_of(model, COLUMNS)
            asked.limits_of(model)
            checks.check_centre(model, scan())
        except BadInput as error:
            assert "\n" not in str(error) and name in str(error)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("0:1", (0, 1)), ("-1.5:+2", (-1.5, 2)), (".5:1.", (0.5, 1)), ("1e-3:1E2", (0.001, 100)),
        ("1:0", None), ("1:1", None), ("0:1e999", None), ("-1e999:0", None),
    ],
)  # fmt: skip
def test_limits(text: str, limits: tuple[float, float] | None) -> None:
    if limits:
        assert asked.limits_of(made(limits=text)) == limits
    else:
        with pytest.raises(BadInput, match="LOW:HIGH"):
            asked.limits_of(made(limits=text))
    assert asked.limits_of(made()) is None


@settings(deadline=None)
@given(
    rows=st.integers(1, 100), columns=st.integers(16, 3000), angles=st.integers(3, 2500),
    chunks=st.none() | st.tuples(st.integers(1, 300), st.integers(1, 120), st.integers(8, 3000)),
    span=st.tuples(st.integers(0, 99), st.integers(1, 100)),
)  # fmt: skip
def test_units_cover_all_and_overlap_nowhere(
    rows: int, columns: int, angles: int, chunks: tuple[int, int, int] | None, span: tuple[int, int]
) -> None:
    first, last = min(span[0], rows - 1), min(rows, max(span[1], min(span[0], rows - 1) + 1))
    of = scan(rows, columns, angles, chunks)
    with pytest.MonkeyPatch.context() as patch:
        plan = planned(patch, of, memory=1 << 45, rows=f"{first}:{last}")
    covered = [row for unit in plan["slices"] for row in range(unit.span["start"], unit.span["stop"])]
    assert covered == list(range(first, last))
    assert [unit.index for unit in plan["slices"]] == list(range(len(plan["slices"])))
    assert all(unit.size == unit.span["stop"] - unit.span["start"] <= BATCH for unit in plan["slices"])
    if plan["frames"]:
        frames = [frame for unit in plan["frames"] for frame in range(unit.span["start"], unit.span["stop"])]
        assert frames == list(range(angles))
    else:
        assert chunks is None or BATCH % min(chunks[1], rows) == 0
    for unit in [*plan["frames"], *plan["slices"]]:
        assert unit.memory > 0 and unit.seconds > 0 and unit.output > 0 and unit.size > 0


def test_plan_does_not_follow_the_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    of = scan(chunks=(1, ROWS, COLUMNS))
    assert planned(monkeypatch, of, memory=1 << 28) == planned(monkeypatch, of, memory=1 << 40)


def test_memory_that_is_too_little_is_refused_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"--memory.*needs .*GB, 10 MB are allowed"):
        planned(monkeypatch, scan(2048, 2048, 1500, (1, 2048, 2048)), memory=10 << 20)


def test_memory_of_a_unit_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = [
        max(
            unit.memory
            for units in planned(monkeypatch, scan(rows, 2048, 1500, (1, rows, 2048))).values()
            for unit in units
        )
        for rows in (256, 1024, 2048)
    ]
    assert max(peaks) < 1.1 * min(peaks)


def test_preview_stays_within_the_rows_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for first, last in ((0, 40), (0, 1), (38, 40), (3, 6), (7, 12)):
        job = Job({"scan": (Path("x"),)}, made(), Allowance(1, 1), facts={"first_row": first, "last_row": last})
        start, stop = map(int, planning.preview(job)["rows"].split(":"))
        assert first <= start < stop <= last and stop - start <= 4


def test_every_preset_and_sample_is_valid() -> None:
    for values in (*PIPELINE.presets.values(), *(sample.parameters for sample in PIPELINE.samples)):
        parameters.build(TomographyParameters, values)


def test_looking_at_the_scan_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding tilt and centre and judging the resolution are no units of their own."""
    of = scan(512, 2048, 1500, (1, 512, 2048))

    def seconds(**given_: Any) -> float:
        units = planned(monkeypatch, of, 64 << 30, **given_)["slices"]
        return units[0].seconds - units[1].seconds

    assert seconds(centre=1000, resolution=False) == 0
    assert 0 < seconds(resolution=False) < seconds()
    assert seconds(method="cgls") > 2 * seconds()
    leaning = made(tilt="auto", resolution=False, centre=1)
    assert planning._look_cost(of, leaning, False, 512)[0] > 16 * 4 * 512 * 2048


def test_a_preview_leaves_out_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job({"scan": (Path("x"),)}, made(), Allowance(1, 1), facts={"first_row": 0, "last_row": 9})
    assert planning.preview(job)["resolution"] is False


def test_what_does_not_go_together_is_refused_in_a_sentence() -> None:
    with pytest.raises(BadInput, match=r"rings.*7 projections are too few") as refused:
        checks.check_rings(made(rings="sorting"), scan(angles=7))
    assert "\n" not in str(refused.value)
    with pytest.raises(BadInput, match=r"rings.*6 columns are too few"):
        checks.check_rings(made(rings="all"), scan(columns=6))
    checks.check_rings(made(), scan(columns=6, angles=7))
    checks.check_rings(made(rings="all"), scan(columns=8, angles=8))
    with pytest.raises(BadInput, match=r"zarr.*no volume"):
        checks.check_tries(made(zarr=True, try_centres="30:32:1"))
    with pytest.raises(BadInput, match=r"tilt.*half a turn apart"):
        checks.check_tilt(made(tilt="auto"), scan())  # from 0 to 3 radians
    checks.check_tilt(made(tilt=1.0), scan())
