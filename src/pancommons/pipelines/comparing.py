"""Two results side by side: every array of both, and what else tells the runs apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pancommons.base.errors import BadInput
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.packing import blocks, opened

if TYPE_CHECKING:
    import h5py

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"


@dataclass(frozen=True)
class Row:
    """One array of both results.

    Attributes
    ----------
    name
        Its path in ``result.nxs``; a field of a table stands behind a colon.
    verdict
        "identical", "within tolerance", or what is different.
    agrees
        Whether the verdict counts as the same.
    shapes, types
        In A and in B; None where it is missing.
    bitwise
        Whether all bits are equal; NaN counts as equal to NaN.
    largest
        The largest absolute difference, over all places where both have a number.
    rms
        The root of the mean squared difference over the same places.
    relative
        ``largest`` as a fraction of the largest magnitude in either.
    unpaired
        In how many places only one has a number.
    """

    name: str
    verdict: str
    agrees: bool
    shapes: tuple[tuple[int, ...] | None, tuple[int, ...] | None]
    types: tuple[str | None, str | None]
    bitwise: bool = False
    largest: float | None = None
    rms: float | None = None
    relative: float | None = None
    unpaired: int = 0

    def cells(self) -> tuple[str, str, str]:
        """Write three numbers for a table: largest difference, the same as a fraction, and rms."""
        largest, relative, rms = (
            "–" if value is None else f"{value:.3g}" for value in (self.largest, self.relative, self.rms)
        )
        return largest, relative, rms


@dataclass(frozen=True)
class Comparison:
    """What two results have in common and what not.

    Attributes
    ----------
    a, b
        What was compared.
    tolerance
        The largest relative difference that still counts as the same.
    rows
        One for each array that is in either.
    differences
        A sentence for everything else that tells the runs apart: parameters, values found, figures of merit,
        versions, processors, inputs. They do not decide whether the results are the same.
    """

    a: str
    b: str
    tolerance: float
    rows: list[Row]
    differences: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Tell whether every array of one is in the other and agrees under the tolerance."""
        return bool(self.rows) and all(row.agrees for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values; a difference that is not finite is null."""
        rows = [{name: _finite(value) for name, value in asdict(row).items()} for row in self.rows]
        return {
            "same": self.same,
            "a": self.a,
            "b": self.b,
            "tolerance": self.tolerance,
            "rows": rows,
            "differences": self.differences,
        }


def compare(a: str | Path, b: str | Path, *, tolerance: float = 0.0) -> Comparison:
    """Compare two results, of whatever technique, array by array.

    Strings and dates are left out. Arrays are read in blocks, so that they may be larger than the memory.

    Parameters
    ----------
    a, b
        Run folders or packed results.
    tolerance
        The largest difference allowed, as a fraction of an array's largest magnitude; with 0 all bits count.

    Raises
    ------
    BadInput
        If one of them is no run or has no result.
    """
    a, b = Path(a), Path(b)
    with opened(a) as one, opened(b) as other:
        rows = _rows(_result(one, a), _result(other, b), tolerance)
        return Comparison(str(a), str(b), tolerance, rows, _differences(one, other, tolerance))


def _result(folder: RunFolder, named: Path) -> Path:
    if not folder.result.exists():
        raise BadInput("this run has no result", file=named, remedy="end it first with `pan resume`")
    return folder.result


def _rows(a: Path, b: Path, tolerance: float) -> list[Row]:
    import h5py
    import hdf5plugin  # noqa: F401  (makes its filters known)

    with h5py.File(a, "r", locking=False) as one, h5py.File(b, "r", locking=False) as other:
        ours, theirs = dict(_arrays(one)), dict(_arrays(other))
        names = [*ours, *(name for name in theirs if name not in ours)]
        return [_row(name, ours.get(name), theirs.get(name), tolerance) for name in names]


@dataclass(frozen=True)
class _Array:
    """A dataset, or one field of a table, read in pieces."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None
    read: Callable[[tuple[slice, ...]], Any]


def _arrays(file: h5py.File) -> Iterator[tuple[str, _Array]]:
    """List all numeric arrays of a file by name; each once, however many links lead to it."""
    import h5py

    found: list[tuple[str, _Array]] = []

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return
        fields = item.dtype.fields
        if fields is None:
            if item.dtype.kind in "iufcb":
                found.append((name, _Array(item.shape, item.dtype, item.chunks, item.__getitem__)))
            return
        for key, (kind, *_) in fields.items():
            if kind.kind in "iufcb" and not kind.shape:
                found.append((f"{name}:{key}", _Array(item.shape, kind, item.chunks, item.fields(key).__getitem__)))

    file.visititems(visit)
    yield from sorted(found, key=lambda pair: pair[0])


def _row(name: str, a: _Array | None, b: _Array | None, tolerance: float) -> Row:
    shapes = (a.shape if a else None, b.shape if b else None)
    types = (str(a.dtype) if a else None, str(b.dtype) if b else None)
    if a is None or b is None:
        return Row(name, f"only in {'A' if a else 'B'}", False, shapes, types)
    if a.shape != b.shape:
        return Row(name, f"shapes differ: {_shape(a.shape)} and {_shape(b.shape)}", False, shapes, types)
    measured = _measure(a, b)
    kinds_differ = a.dtype.newbyteorder("=") != b.dtype.newbyteorder("=")
    bitwise = measured.bitwise and not kinds_differ
    if kinds_differ:
        verdict, agrees = f"types differ: {types[0]} and {types[1]}", False
    elif bitwise:
        verdict, agrees = IDENTICAL, True
    elif measured.unpaired:
        verdict, agrees = f"{DIFFERENT}: {measured.unpaired} places have a number in one only", False
    elif tolerance > 0 and measured.relative <= tolerance:
        verdict, agrees = WITHIN, True
    else:
        verdict, agrees = DIFFERENT if measured.largest else f"{DIFFERENT}: in bits only", False
    return Row(
        name,
        verdict,
        agrees,
        shapes,
        types,
        bitwise=bitwise,
        largest=measured.largest,
        rms=measured.rms,
        relative=measured.relative,
        unpaired=measured.unpaired,
    )


@dataclass
class _Measure:
    """How far two arrays are apart, gathered block by block."""

    bitwise: bool = True
    largest: float = 0.0
    magnitude: float = 0.0
    squares: float = 0.0
    count: int = 0
    unpaired: int = 0

    @property
    def rms(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @property
    def relative(self) -> float:
        if self.largest == 0.0:
            return 0.0
        return self.largest / self.magnitude if self.magnitude else math.inf

    def add(self, a: np.ndarray, b: np.ndarray) -> None:
        if a.dtype.kind in "iub":
            self._add_numbers(a, b, np.array_equal(a, b))
            return
        ours, theirs = np.isnan(a), np.isnan(b)
        self.unpaired += int(np.count_nonzero(ours != theirs))
        both = ~(ours | theirs)
        x, y = (a, b) if both.all() else (a[both], b[both])
        self._add_numbers(x, y, not (ours != theirs).any() and _same_bits(x, y))

    def _add_numbers(self, a: np.ndarray, b: np.ndarray, same: bool) -> None:
        self.bitwise &= bool(same)
        self.count += a.size
        if not a.size:
            return
        wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
        x, y = a.astype(wide), b.astype(wide)
        magnitudes = np.maximum(np.abs(x), np.abs(y))
        finite = magnitudes[np.isfinite(magnitudes)]
        self.magnitude = max(self.magnitude, float(finite.max(initial=0.0)))
        if same:
            return
        with np.errstate(invalid="ignore"):
            apart = np.where(x == y, 0.0, np.abs(x - y))
        self.largest = max(self.largest, float(apart.max()))
        self.squares += float(np.sum(np.square(apart)))


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype != b.dtype:
        return False
    return bool(np.array_equal(np.ascontiguousarray(a).view(np.uint8), np.ascontiguousarray(b).view(np.uint8)))


def _measure(a: _Array, b: _Array) -> _Measure:
    measured = _Measure()
    if 0 in a.shape:
        return measured
    item = 16 + max(a.dtype.itemsize, b.dtype.itemsize)
    for block in blocks(a.shape, item, a.chunks):
        x, y = (np.atleast_1d(np.asarray(array.read(block))) for array in (a, b))
        measured.add(*(part.astype(part.dtype.newbyteorder("="), copy=False) for part in (x, y)))
    return measured


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one value"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _differences(a: RunFolder, b: RunFolder, tolerance: float) -> list[str]:
    """Say what else tells two runs apart."""
    ours, theirs = _told(a), _told(b)
    told = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        one, other = ours.get(name), theirs.get(name)
        if not _agree(one, other, tolerance):
            told.append(f"{name}: {_written(one)} in A, {_written(other)} in B")
    return told


def _told(folder: RunFolder) -> dict[str, Any]:
    record, report = folder.record(), folder.report_facts()
    told: dict[str, Any] = {
        "pipeline": record.pipeline,
        "pipeline version": record.pipeline_version,
        "software version": record.software_version,
        "state": report.get("state"),
        "processor family": report.get("environment", {}).get("processor_family"),
    }
    told |= {f"parameter {name}": value for name, value in record.parameters.items()}
    told |= {f"found {name}": found.value for name, found in (record.found or {}).items()}
    told |= {f"figure of merit {merit['name']}": merit["value"] for merit in report.get("merits", [])}
    for role, files in record.inputs.items():
        told[f"sha256 of input {role}"] = [file.sha256 for file in files]
    return told


def _agree(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool):
        return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b))
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return all(_agree(one, other, tolerance) for one, other in zip(a, b, strict=True))
    return bool(a == b)


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_written(item) for item in value)
    if value is None:
        return "nothing"
    return f"{value:.9g}" if isinstance(value, float) else str(value)
