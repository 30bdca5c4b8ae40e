"""What anybody may have of a record, told from what somebody has of it, where that leaves no doubt.

Whoever asks without a token may have at least what anybody may, so that leaving out is enough; what a record refers to
is known to be public where it was fetched with it. In all other cases the catalogue is asked again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from pancommons.catalogue.access import ANONYMOUS, Principal
from pancommons.catalogue.read import Found
from pancommons.catalogue.records import Dataset, Document, Record
from pancommons.store.schema import floor


def for_anybody(found: Collection[Found], principal: Principal, at: datetime) -> list[Found]:
    """Return those of some records that anybody may discover, as anybody has them, as far as that is certain.

    Pictures are left out.

    Parameters
    ----------
    found
        As the principal has them at this moment; what one refers to is looked for among the others.
    """
    if principal == ANONYMOUS:
        return list(found)
    if principal.scopes is not None:  # a token may give less than anybody has
        return []
    by_pid = {one.record.pid: one for one in found}
    return [one for each in found if (one := _public(each, by_pid, at)) is not None]


def _public(found: Found, around: dict[str, Found], at: datetime) -> Found | None:
    """Leave out what is not public; None where a record is not, or where that cannot be told."""
    record: Any = found.record
    named = [record.terms.proposal]
    if isinstance(record, Dataset):
        named += [record.instrument, *record.documents, *record.samples]
    wanted = {pid for pid in named if pid}
    if not _since(found.findable_from, at) or not wanted <= around.keys() or _refers(record):
        return None
    public = {pid for pid in wanted if _since(around[pid].findable_from, at)}
    if record.terms.proposal and record.terms.proposal not in public:
        return None
    told: dict[str, Any] = {"terms": replace(record.terms, owner=None)}
    if isinstance(record, Dataset | Document):
        told["members"] = tuple(member for member in record.members if member.public)
    if isinstance(record, Dataset):
        told |= {
            "instrument": record.instrument if record.instrument in public else None,
            "documents": tuple(pid for pid in record.documents if pid in public),
            "samples": tuple(pid for pid in record.samples if pid in public),
            "files": record.files if _since(found.public_from, at) else (),
            "thumbnail": None,
        }
    return replace(found, record=replace(record, **told))


def _refers(record: Record) -> bool:
    return isinstance(record, Dataset) and bool(record.relations)


def _since(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment <= floor(at)
