"""Whether the NeXus files that a run or a simulator wrote are what their definitions say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pancommons.base.errors import BadInput
from pancommons.nexus.validation import Verdict, validate
from pancommons.nexus.validation.definitions import find_definitions

_MOST_FINDINGS = 50


def judge(file: Path) -> Verdict:
    """Validate a file of our own; trouble with the definitions is a verdict too, and never ends a run."""
    try:
        return validate(file, find_definitions())
    except BadInput as error:
        return Verdict(file, "not validated", str(error).removesuffix("."))


def facts(verdict: Verdict) -> dict[str, Any]:
    """Return what ``report.json`` keeps of a verdict: all but the remarks that only inform, and at most fifty."""
    told = verdict.as_json()
    worth = [finding for finding in told["findings"] if finding["severity"] != "info"]
    return {**told, "file": verdict.file.name, "findings": worth[:_MOST_FINDINGS]}


def warnings(verdict: Verdict) -> tuple[str, ...]:
    """Return what the user of a run must hear of: a result that its own definition calls invalid."""
    if verdict.judgement != "invalid":
        return ()
    first = next(str(finding.path) + " " + finding.text for finding in verdict.findings if finding.severity == "error")
    return (f"{verdict.file.name} is not valid NeXus: {first}. See: pan nexus validate {verdict.file.name}",)
