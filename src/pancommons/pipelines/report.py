"""What a run says of itself: ``report.json`` for machines, one self-contained page for people."""

from __future__ import annotations

import base64
import math
import mimetypes
import re
import shlex
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancommons.base.machine import format_size
from pancommons.pipelines import environment, validity
from pancommons.pipelines.declaration import Findings, Pipeline
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.parameters import group_of, unit_of
from pancommons.pipelines.record import Record

if TYPE_CHECKING:
    import jinja2

    from pancommons.nexus.validation import Verdict

FORMAT = 1
"""The version of ``report.json``."""

_LICENCES = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}


def facts(
    record: Record,
    pipeline: Pipeline,
    findings: Findings,
    *,
    failed: list[str],
    state: str,
    began: float,
    verdict: Verdict | None = None,
) -> dict[str, Any]:
    """Gather what ``report.json`` holds.

    Parameters
    ----------
    record
        The finished run's ``run.json``.
    pipeline
        Its declaration.
    findings
        What the technique's ``report`` returned.
    failed
        A sentence for each unit that failed.
    state
        ``done`` or ``partial``.
    began
        When the runner took the folder, in seconds since 1970.
    verdict
        What validating ``result.nxs`` gave; None without such a file.

    Returns
    -------
    dict
        JSON values; numbers that are not finite are null.
    """
    ended = time.time()
    unfit = validity.warnings(verdict) if verdict else ()
    gathered = {
        "format": FORMAT,
        "id": record.id,
        "state": state,
        "preview": record.preview,
        "pipeline": {
            "name": pipeline.name,
            "version": record.pipeline_version,
            "title": pipeline.title,
            "description": pipeline.description,
            "software_version": record.software_version,
        },
        "technique": {
            "identifier": pipeline.technique.identifier,
            "label": pipeline.technique.label,
            "iri": pipeline.technique.iri,
        },
        "created": record.created,
        "began": timestamp(began),
        "ended": timestamp(ended),
        "seconds": round(ended - began, 3),
        "preset": record.preset,
        "reproduces": record.reproduces,
        "inputs": _inputs(record),
        "parameters": _parameters(record, pipeline),
        "found": [
            {"name": name, **found.model_dump(include={"value", "unit", "method", "confidence"})}
            for name, found in (record.found or {}).items()
        ],
        "merits": _merits(pipeline, findings),
        "figures": [figure.__dict__ for figure in findings.figures],
        "warnings": list(dict.fromkeys([*record.warnings, *findings.warnings, *unfit])),
        "validation": validity.facts(verdict) if verdict else None,
        "failed": failed,
        "citations": [{"text": citation.text, "doi": citation.doi} for citation in pipeline.citations],
        "licence": pipeline.licence,
        "environment": environment.facts(),
    }
    plain: dict[str, Any] = _plain(gathered)
    return plain


def page(folder: RunFolder, pipeline: Pipeline) -> str:
    """Write the report as one HTML page that needs no network and no script.

    Parameters
    ----------
    folder
        A run folder with ``report.json`` and ``figures/`` in place.
    pipeline
        The run's declaration.
    """
    told = folder.report_facts()
    subject = _subject(told)
    return _template().render(
        told=told,
        subject=subject,
        pieces=re.split(r"(?<=[_.-])", subject),
        figures=[{**figure, "source": _embedded(folder.figures / figure["file"])} for figure in told["figures"]],
        found={found["name"]: found for found in told["found"]},
        groups=_groups(told["parameters"]),
        licence_url=licence_url(told["licence"]),
        lines=_lines(folder.path.absolute()),
        default_plot=folder.result.name if folder.result.exists() else None,
        stages=[stage.title for stage in pipeline.stages],
    )


def timestamp(seconds: float) -> str:
    """Write seconds since 1970 as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def licence_url(licence: str) -> str | None:
    """Return where a licence's text lies, by its SPDX identifier; None where we do not know it."""
    if licence.startswith(("http://", "https://")):
        return licence
    return _LICENCES.get(licence) or (f"https://spdx.org/licenses/{licence}" if " " not in licence else None)


def _inputs(record: Record) -> list[dict[str, Any]]:
    files = [(role, file) for role, files in record.inputs.items() for file in files]
    files += [("linked", file) for file in record.files]
    return [
        {"role": role, "path": file.path, "size": file.size, "folder": file.folder, "sha256": file.sha256}
        for role, file in files
    ]


def _parameters(record: Record, pipeline: Pipeline) -> list[dict[str, Any]]:
    preset = pipeline.presets.get(record.preset or "", {})
    told = []
    for name, field in pipeline.parameters.model_fields.items():
        value = record.parameters.get(name, field.default)
        if name in record.given:
            source = "given"
        elif name in preset and preset[name] == value:
            source = "preset"
        elif value == field.default:
            source = "default"
        else:
            source = "preview" if record.preview else "file"
        told.append(
            {
                "name": name,
                "value": value,
                "unit": unit_of(field),
                "description": field.description,
                "group": group_of(field),
                "source": source,
            }
        )
    return told


def _merits(pipeline: Pipeline, findings: Findings) -> list[dict[str, Any]]:
    """List the declared figures of merit in their order, then any that the declaration does not know."""
    declared = {merit.name: merit for merit in pipeline.merits}
    names = [name for name in declared if name in findings.merits]
    names += [name for name in findings.merits if name not in declared]
    return [
        {
            "name": name,
            "label": declared[name].label if name in declared else name.replace("_", " "),
            "value": findings.merits[name],
            "unit": declared[name].unit if name in declared else "",
            "description": declared[name].description if name in declared else "",
        }
        for name in names
    ]


def _plain(value: Any) -> Any:
    """Make JSON of what techniques hand over: NumPy scalars and arrays too, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _subject(told: dict[str, Any]) -> str:
    return Path(told["inputs"][0]["path"]).name if told["inputs"] else told["id"]


def _groups(parameters: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for told in parameters:
        groups.setdefault(told["group"], []).append(told)
    return groups


def _lines(folder: Path) -> list[dict[str, str]]:
    """Give the lines that open, resume, compare, reproduce and pack this run."""
    place = shlex.quote(str(folder))
    return [
        {"does": "See where it stands", "line": f"pan status {place}"},
        {"does": "Go on with it, or try failed units again", "line": f"pan resume {place}"},
        {"does": "Run it again from its inputs and compare", "line": f"pan reproduce {place}"},
        {"does": "Compare it with another run", "line": f"pan compare {place} OTHER"},
        {"does": "Pack it into one file to publish", "line": f"pan result pack {place}"},
    ]


def _embedded(file: Path) -> str | None:
    """Return a picture as a data URI, or None where it is not there."""
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    try:
        return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
    except OSError:
        return None


@cache
def _template() -> jinja2.Template:
    import jinja2

    surroundings = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    surroundings.filters.update(
        value=_shown, size=format_size, duration=_duration, moment=_moment, confidence=_confidence
    )
    return surroundings.get_template("report.html.jinja")


def _shown(value: Any) -> str:
    """Write a value for people: six significant digits at most."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    return str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def _moment(iso: str) -> str:
    return datetime.fromisoformat(iso).strftime("%-d %B %Y, %H:%M UTC")


def _confidence(value: float | None) -> str:
    if value is None:
        return "not stated"
    return next(word for least, word in ((0.8, "high"), (0.5, "fair"), (-math.inf, "low")) if value >= least)
