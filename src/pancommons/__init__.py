"""PaN Commons: an open-science commons for photon and neutron facilities.

>>> import pancommons
>>> result = pancommons.run("tomography", "scan.nxs", out="result")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancommons.base.home import home


def _kernel_cache() -> Path:
    """Return where compiled kernels are kept: numba itself does not see that a module a kernel imports has changed."""
    modules = (Path(__file__).parent / "techniques").rglob("*.py")
    newest = max(module.stat().st_mtime_ns for module in modules)
    return home() / "numba" / f"{newest:x}"


os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
os.environ.setdefault("NUMBA_CACHE_DIR", str(_kernel_cache()))

if TYPE_CHECKING:
    from pancommons.base.errors import BadInput, PanError
    from pancommons.pipelines.api import Run, estimate, open_run, resume, run, simulate, stop
    from pancommons.pipelines.comparing import compare
    from pancommons.pipelines.following import status
    from pancommons.pipelines.packing import pack
    from pancommons.pipelines.reproducing import reproduce

_PLACES = {
    "base.errors": ("BadInput", "PanError"),
    "pipelines.api": ("Run", "estimate", "open_run", "resume", "run", "simulate", "stop"),
    "pipelines.comparing": ("compare",),
    "pipelines.following": ("status",),
    "pipelines.packing": ("pack",),
    "pipelines.reproducing": ("reproduce",),
}

__all__ = [
    "BadInput",
    "PanError",
    "Run",
    "compare",
    "estimate",
    "open_run",
    "pack",
    "reproduce",
    "resume",
    "run",
    "simulate",
    "status",
    "stop",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that ``import pancommons`` itself costs nothing."""
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"pancommons.{place}"), name)
    raise AttributeError(f"module 'pancommons' has no attribute {name!r}")
