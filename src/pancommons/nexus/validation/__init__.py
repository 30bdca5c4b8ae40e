"""Whether a NeXus file is what its definitions say: `validate` walks through it and returns a `Verdict`.

The definitions, NXDL files, are taken from where `definitions.find_definitions` finds them. Work and memory are
bounded whatever the file holds: each place is looked at once for each thing it is said to be, values are read only
where they are small, and what was left out is said.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import h5py

from pancommons.base.errors import BadInput
from pancommons.nexus.read import attribute, nx_class, open_file
from pancommons.nexus.text import as_text, decode
from pancommons.nexus.validation.definitions import HOW_TO_GET_THEM, Definitions
from pancommons.nexus.validation.findings import EntryVerdict, Finding, Findings, Judgement, Verdict
from pancommons.nexus.validation.layers import class_layers
from pancommons.nexus.validation.links import reach
from pancommons.nexus.validation.walk import MOST_IN_GROUP, Walk

__all__ = ["EntryVerdict", "Finding", "Verdict", "validate"]

_MEMBERS = ("definition", "instrument", "data")


def validate(path: str | Path, definitions: Definitions | None) -> Verdict:
    """Compare a file with the definitions its entries name, and with the base classes.

    Parameters
    ----------
    path
        The file.
    definitions
        From `find_definitions`; None gives the judgement "not validated", with what to do.

    Raises
    ------
    BadInput
        If the file cannot be opened, or a file of the definitions cannot be used.

    Examples
    --------
    >>> validate("scan.nxs", find_definitions()).judgement  # doctest: +SKIP
    'valid'
    """
    path = Path(path)
    with open_file(path) as file:
        if definitions is None:
            return Verdict(path, "not validated", f"there are no NeXus definitions here; {HOW_TO_GET_THEM}")
        findings = Findings()
        walk = _walk(file, definitions, findings)
    unknown = [name for entry in walk.entries for name in entry.unknown]
    judgement: Judgement = "valid"
    reason = ""
    if findings.counts["error"]:
        judgement = "invalid"
    elif unknown:
        judgement, reason = "not validated", f"there is no definition {', '.join(dict.fromkeys(unknown))}"
    elif findings.limits:
        judgement, reason = "not validated", "; ".join(findings.limits)
    for text in findings.limits:
        findings.add("warning", "limit", "/", text)
    said = f"{definitions.version} from {definitions.source}"
    found = tuple(sorted(walk.entries, key=lambda entry: entry.path))
    return Verdict(path, judgement, reason, said, found, findings.all(), dict(findings.counts))


def _entries(file: h5py.File) -> set[str]:
    """List the paths of what is an entry, or is taken for one, by the rules of `read.entries`."""
    reached = ((name, reach(file, name)) for name in islice(file, MOST_IN_GROUP))
    at_root = [(f"/{decode(name)}", thing) for name, thing in reached if isinstance(thing, h5py.Group)]
    claimed = {path for path, group in at_root if nx_class(group) == "NXentry"}
    sas = {path for path, group in at_root if as_text(attribute(group, "canSAS_class")) == "SASentry"}
    likely = {path for path, group in at_root if not nx_class(group) and any(name in group for name in _MEMBERS)}
    return claimed or sas or likely


def _walk(file: h5py.File, definitions: Definitions, findings: Findings) -> Walk:
    try:
        found = _entries(file)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise BadInput(f"cannot be read ({str(error)[:100]})", file=file.filename) from None
    walk = Walk(definitions, findings, found)
    try:
        walk.group(file, "/", class_layers(definitions, "NXroot"))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        findings.add("error", "unreadable", "/", f"the file is damaged: not all of it can be read ({str(error)[:100]})")
    if not found:
        findings.add("error", "entry", "/", "has no NXentry, so it is no NeXus file")
    return walk
