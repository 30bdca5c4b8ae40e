"""The default plot of an NXdata group: that its signal and axes are there and fit each other."""

from __future__ import annotations

import h5py

from pancommons.nexus.text import as_text, as_texts, names_in
from pancommons.nexus.validation.findings import Findings
from pancommons.nexus.validation.links import reach
from pancommons.nexus.validation.values import small_attribute


def check_plot(group: h5py.Group, path: str, findings: Findings) -> None:
    """Check ``@signal``, ``@axes`` and ``@..._indices`` of an NXdata group; what is left out is not missed."""
    signal_name = as_text(small_attribute(group, "signal"))
    if not signal_name:
        return
    signal = reach(group, signal_name)
    if not isinstance(signal, h5py.Dataset):
        findings.add("error", "plot", f"{path}@signal", f"names {signal_name[:100]}, which is no dataset in this group")
        return
    named = names_in(small_attribute(group, "axes"))[:64]
    stated = {name for name in named if name != "." and as_texts(small_attribute(group, f"{name}_indices"))}
    if signal.shape is not None and len(named) > signal.ndim and not stated:
        text = f"names {len(named)} axes, where {signal_name[:100]} has {signal.ndim}"
        findings.add("warning", "plot", f"{path}@axes", text)
    for place, name in enumerate(named):
        axis = reach(group, name) if name not in ("", ".") else None
        if name in ("", "."):
            continue
        if not isinstance(axis, h5py.Dataset):
            text = f"names {name[:100]}, which is no dataset in this group"
            findings.add("error", "plot", f"{path}@axes", text)
            continue
        counted = name not in stated and axis.ndim == 1 and place < signal.ndim
        if counted and axis.shape[0] - signal.shape[place] not in (0, 1):
            text = f"has {axis.shape[0]} values along an axis of {signal.shape[place]}"
            findings.add("warning", "plot", f"{path}/{name}", text)
