"""Parts of a dataset, read within a budget that is reckoned up before."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

from pancommons.nexus.serving.budget import Budget, Clock, Refused
from pancommons.nexus.serving.selection import Selection, select
from pancommons.nexus.serving.types import varies

_VARYING_AT_ONCE = 1024
_LESS = "ask for a part of it with selection"
_FAULTS = (OSError, RuntimeError, ValueError, TypeError, KeyError, NotImplementedError)


def dtype_of(dataset: Any) -> np.dtype[Any]:
    """Return the type that values of a dataset are read as.

    Raises
    ------
    Refused
        422 if NumPy has none.
    """
    try:
        dtype: np.dtype[Any] = np.dtype(dataset.dtype)
        return dtype
    except _FAULTS:
        raise Refused(422, "the type of the dataset is unknown here") from None


def check_chunks(dataset: Any, selection: Selection, budget: Budget, *, whole: bool = True) -> None:
    """Refuse what needs more decoding than is allowed.

    Parameters
    ----------
    whole
        Whether all chunks of the selection are decoded for one answer, rather than as many as there is time for.

    Raises
    ------
    Refused
        413
    """
    chunks = dataset.chunks
    if chunks is None:
        return
    one = math.prod(chunks) * max(1, dtype_of(dataset).itemsize)
    if one > budget.chunk_bytes:
        raise Refused(413, f"is stored in chunks of {one} bytes, of which at most {budget.chunk_bytes} are decoded")
    needed = selection.chunks_touched(chunks) * one
    if whole and needed > budget.decoded_bytes:
        raise Refused(
            413,
            f"{needed} bytes would have to be decoded, of at most {budget.decoded_bytes}; "
            "ask for a selection along the axes that chunks are long in",
        )


def read(dataset: Any, text: str | None, budget: Budget, clock: Clock) -> Any:
    """Read a selection, see `selection.select`: an array, a NumPy scalar, text, or `h5py.Empty`.

    Raises
    ------
    Refused
        413 if it is more than the budget allows, 422 if the selection does not fit or the values cannot be decoded.
    """
    dtype = dtype_of(dataset)
    if dataset.shape is None:
        return h5py.Empty(dtype)
    selection = select(text, dataset.shape)
    if selection.size * max(1, dtype.itemsize) > budget.answer_bytes and not varies(dtype):
        size = selection.size * dtype.itemsize
        raise Refused(413, f"the values have {size} bytes, of at most {budget.answer_bytes}; {_LESS}")
    check_chunks(dataset, selection, budget)
    if varies(dtype):
        return _read_varying(dataset, selection, dtype, budget, clock)
    return block(dataset, index_of(selection))


def block(dataset: Any, index: Any) -> Any:
    """Read what an index of h5py names.

    Raises
    ------
    Refused
        413 if it does not fit into memory, 422 if the stored bytes cannot be decoded.
    """
    try:
        return dataset[index]
    except MemoryError:
        raise
    except _FAULTS as error:
        if "alloc" in str(error):
            raise MemoryError from None
        raise Refused(422, "the values cannot be read: the file is damaged, or its filter is unknown here") from None


def index_of(selection: Selection) -> tuple[int | slice, ...]:
    """Return a selection as h5py's index."""
    return tuple(axis.start if axis.single else axis.piece(0, axis.count) for axis in selection.axes)


def _read_varying(dataset: Any, selection: Selection, dtype: np.dtype[Any], budget: Budget, clock: Clock) -> Any:
    """Read values whose size only shows when they are read: a few at a time, as long as the budget lasts."""
    if selection.size > budget.elements:
        raise Refused(413, f"{selection.size} values of any length, of at most {budget.elements}; {_LESS}")
    if not selection.axes:
        return block(dataset, ())
    out, left = np.empty(selection.counts, dtype), budget.answer_bytes
    for piece, place in selection.blocks(_VARYING_AT_ONCE):
        clock.check(_LESS)
        values = np.asarray(block(dataset, piece), dtype)
        left -= weight(values)
        if left < 0:
            raise Refused(413, f"the values have more than {budget.answer_bytes} bytes; {_LESS}")
        out[place] = values
    shaped = out.reshape(selection.shape)
    return shaped if selection.shape else shaped[()]


def weight(value: Any) -> int:
    """Return how many bytes values of any length take, about."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return int(value.nbytes)
    if isinstance(value, np.ndarray | np.void):
        return weight(value.tolist())
    if isinstance(value, str | bytes):
        return len(value) + 4
    if isinstance(value, list | tuple):
        return sum(weight(item) for item in value)
    return 8
