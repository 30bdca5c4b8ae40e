"""HDF5 types as the viewer's protocol describes them."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from pancommons.nexus.serving.budget import Refused
from pancommons.nexus.serving.text import plain

_MOST_MEMBERS = 1000
_DEEPEST = 8


def described(kind: Any, depth: int = 0) -> dict[str, Any]:
    """Describe a type: class, NumPy dtype, size in bytes, and what its class has beside.

    Parameters
    ----------
    kind
        h5py's low-level identifier of the type.

    Raises
    ------
    Refused
        422 for a type that NumPy does not know, or that is nested too deep.
    """
    if depth > _DEEPEST:
        raise Refused(422, f"the type is nested deeper than {_DEEPEST}")
    try:
        dtype = kind.dtype
    except (TypeError, ValueError, NotImplementedError, RuntimeError):
        dtype = None
    told: dict[str, Any] = {
        "class": kind.get_class(),
        "dtype": "|O" if dtype is None else _dtype(dtype),
        "size": kind.get_size(),
    }
    if isinstance(kind, h5py.h5t.TypeIntegerID):
        told |= {"order": kind.get_order(), "sign": kind.get_sign()}
    elif isinstance(kind, h5py.h5t.TypeFloatID | h5py.h5t.TypeBitfieldID):
        told["order"] = kind.get_order()
    elif isinstance(kind, h5py.h5t.TypeStringID):
        told |= {"cset": kind.get_cset(), "strpad": kind.get_strpad(), "vlen": bool(kind.is_variable_str())}
    elif isinstance(kind, h5py.h5t.TypeOpaqueID):
        told["tag"] = plain(kind.get_tag())
    elif isinstance(kind, h5py.h5t.TypeCompoundID):
        told["members"] = [
            {"name": plain(kind.get_member_name(index)), **described(kind.get_member_type(index), depth + 1)}
            for index in range(_members(kind))
        ]
    elif isinstance(kind, h5py.h5t.TypeEnumID):
        told["members"] = {
            plain(kind.get_member_name(index)): kind.get_member_value(index) for index in range(_members(kind))
        }
        told["base"] = described(kind.get_super(), depth + 1)
    elif isinstance(kind, h5py.h5t.TypeVlenID):
        told["base"] = described(kind.get_super(), depth + 1)
    elif isinstance(kind, h5py.h5t.TypeArrayID):
        told |= {"dims": kind.get_array_dims(), "base": described(kind.get_super(), depth + 1)}
    return told


def varies(dtype: np.dtype[Any]) -> bool:
    """Say whether the values of a type are of no fixed size in memory: text and lists of any length, references."""
    return bool(dtype.hasobject)


def _members(kind: Any) -> int:
    count = int(kind.get_nmembers())
    if count > _MOST_MEMBERS:
        raise Refused(422, f"the type has more than {_MOST_MEMBERS} members")
    return count


def _dtype(dtype: np.dtype[Any]) -> Any:
    if dtype.fields is None:
        return dtype.str
    return {plain(name): _dtype(field[0]) for name, field in dtype.fields.items()}
