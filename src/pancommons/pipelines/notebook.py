"""A run as a notebook that runs it again: inputs, the same call, figures of merit, the plot of the result."""

from __future__ import annotations

import pprint
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat

from pancommons.base.durable import write_text
from pancommons.base.errors import BadInput
from pancommons.pipelines import registry
from pancommons.pipelines.declaration import Pipeline
from pancommons.pipelines.folder import RunFolder
from pancommons.pipelines.parameters import unit_of
from pancommons.pipelines.record import Record

_WIDTH = 96

_PLOT = """
    import matplotlib.pyplot as plt
    import numpy as np
    from pancommons.nexus.plot import default_plot

    with run.open() as result:
        plot = default_plot(result)
        signal = result[plot.signal]
        values = signal[(signal.shape[0] // 2,) * (signal.ndim - 2)] if signal.ndim > 2 else signal[()]
        values = np.asarray(values, float)
        errors = result[plot.errors][()] if plot.errors and values.ndim == 1 else None
        axes = [result[axis] if axis else None for axis in plot.axes[-values.ndim :]]
        where = [np.arange(n) if axis is None else axis[:n] for axis, n in zip(axes, values.shape)]

        def label(data, path):
            return f"{path.rsplit('/', 1)[-1]} ({data.attrs.get('units', '')})".replace(" ()", "")

        labels = ["" if axis is None else label(axis, axis.name) for axis in axes]
        title = label(signal, plot.signal)

    figure, drawn = plt.subplots(layout="constrained")
    if values.ndim == 1:
        drawn.errorbar(where[0], values, errors, fmt=".-", linewidth=1, markersize=3)
        drawn.set(xlabel=labels[0], ylabel=title)
        drawn.set_yscale("log" if plot.log else "linear")
        drawn.set_xscale("log" if plot.log_axes else "linear")
    else:
        extent = [where[1][0], where[1][-1], where[0][-1], where[0][0]]
        image = drawn.imshow(values, cmap="gray", extent=extent, aspect="auto" if values.shape[0] == 1 else "equal")
        drawn.set(xlabel=labels[1], ylabel=labels[0])
        figure.colorbar(image, label=title)
    plt.show()
"""


@dataclass(frozen=True)
class Source:
    """Where one input is to be had: at a path, or as a file of a server.

    Attributes
    ----------
    server, file
        Address of the server, identifier of the file there.
    name
        What a file that is fetched is called here.
    """

    path: str | None = None
    server: str | None = None
    file: str | None = None
    name: str = ""


def notebook(record: Record, report: Mapping[str, Any], sources: Mapping[str, Sequence[Source]] | None = None) -> str:
    """Write a run as a notebook, in the JSON of nbformat 4.

    Parameters
    ----------
    record
        Of the run, ended or not.
    report
        What ``report.json`` says; empty where the run has not come so far.
    sources
        Where its inputs are to be had, by role; their paths where nothing is told.

    Raises
    ------
    BadInput
        If its pipeline is not installed.
    """
    pipeline = registry.load(record.pipeline)
    where = sources or {
        role: [Source(path=file.path) for file in files] for role, files in record.inputs.items() if files
    }
    texts = [
        ("markdown", _title(record, pipeline)),
        ("code", _inputs(where)),
        ("markdown", _parameters(record, pipeline)),
        ("code", _call(record, pipeline, where)),
        (
            "markdown",
            "## Figures of merit\n\nThose of this run, beside them those of the run that this was made of.",
        ),
        ("code", _merits(report.get("merits", []))),
        ("markdown", "## The result\n\nWhat a NeXus viewer shows first; of a volume its middle."),
        ("code", dedent(_PLOT).strip()),
        ("markdown", _citations(pipeline)),
    ]
    cells = [
        nbformat.v4.new_code_cell(text, id=f"cell-{place}")
        if kind == "code"
        else nbformat.v4.new_markdown_cell(text, id=f"cell-{place}")
        for place, (kind, text) in enumerate(texts)
    ]
    made = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
            "title": f"{pipeline.title}, run {record.id}",
        },
    )
    nbformat.validate(made)
    return str(nbformat.writes(made)) + "\n"


def _title(record: Record, pipeline: Pipeline) -> str:
    return (
        f"# {pipeline.title}\n\n{pipeline.description}\n\n"
        f"Made of run `{record.id}`, created {record.created[:10]}: pipeline {record.pipeline} "
        f"{record.pipeline_version}, pancommons {record.software_version}, technique "
        f"[{pipeline.technique.label}]({pipeline.technique.iri})."
        + ("\n\nThat run was a preview." if record.preview else "")
        + f"\n\n## Inputs\n\n{_roles(record, pipeline)}"
    )


def _roles(record: Record, pipeline: Pipeline) -> str:
    return "\n".join(f"- `{role.name}`: {role.description}" for role in pipeline.roles if record.inputs.get(role.name))


def _inputs(where: Mapping[str, Sequence[Source]]) -> str:
    servers = {source.server for files in where.values() for source in files if source.server}
    lines = ["import pancommons"]
    if servers:
        lines = ["from pathlib import Path", "", *lines, "from pancommons.client import Client", ""]
        lines += [f"portal = Client({server!r})" for server in sorted(servers)]
        lines += ['Path("inputs").mkdir(exist_ok=True)', ""]
    taken: set[str] = set()
    for role, files in where.items():
        given = []
        for source in files:
            if source.file is None:
                given.append(repr(source.path))
                continue
            name = next(one for one in _names(role, source.name) if one not in taken)
            taken.add(name)
            given.append(f"portal.download({source.file!r}, {'inputs/' + name!r})")
        lines.append(f"{role} = {given[0]}" if len(given) == 1 else f"{role} = [{', '.join(given)}]")
    return "\n".join(lines)


def _names(role: str, name: str) -> Iterator[str]:
    """Give names for a file that is fetched, the plainest first."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].lstrip(".") or role
    yield last
    yield f"{role}-{last}"
    yield from (f"{role}-{number}-{last}" for number in count(2))


def _parameters(record: Record, pipeline: Pipeline) -> str:
    lines = ["## The run", "", "Parameters that were given stand in the call; all others are as the pipeline has them."]
    if record.found:
        lines += ["", "The run found by itself:", "", "| name | value | how | confidence |", "|---|---|---|---|"]
        for name, found in record.found.items():
            unit = found.unit or (unit_of(fields[name]) if name in (fields := pipeline.parameters.model_fields) else "")
            sure = "" if found.confidence is None else f"{found.confidence:.2f}"
            value = f"{found.value:.6g}" if isinstance(found.value, float) else str(found.value)
            lines.append(f"| {name} | {value} {unit or ''} | {found.method} | {sure} |".replace("  |", " |"))
    return "\n".join(lines)


def _call(record: Record, pipeline: Pipeline, where: Mapping[str, Sequence[Source]]) -> str:
    primary = pipeline.primary.name
    many = len(where.get(primary, ())) > 1
    words = [repr(record.pipeline), *([f"*{primary}" if many else primary] if primary in where else [])]
    words += [f"{role}={role}" for role in where if role != primary]
    if record.preset:
        words.append(f"preset={record.preset!r}")
    if record.preview:
        words.append("preview=True")
    words += [f"{name}={record.parameters[name]!r}" for name in record.given if name in record.parameters]
    inside = "".join(f"    {word},\n" for word in words)
    return f"run = pancommons.run(\n{inside})\nrun"


def _merits(merits: Sequence[Mapping[str, Any]]) -> str:
    then = pprint.pformat({merit["name"]: merit["value"] for merit in merits}, width=_WIDTH, sort_dicts=False)
    return (
        f"then = {then}\n\n"
        "def shown(value):\n"
        '    return f"{value:.6g}" if isinstance(value, float) else str(value)\n\n'
        'for merit in run.report["merits"]:\n'
        '    now, before = shown(merit["value"]), shown(then.get(merit["name"], ""))\n'
        "    print(f\"{merit['label']:32} {now:>12} {merit['unit']:18} {before:>12}\")"
    )


def _citations(pipeline: Pipeline) -> str:
    lines = ["## To cite"]
    lines += [
        f"- {one.text}" + (f" [doi:{one.doi}](https://doi.org/{one.doi})" if one.doi else "")
        for one in pipeline.citations
    ]
    return "\n".join(lines) + f"\n\nLicence of the result: {pipeline.licence}."


def write(folder: Path, target: Path) -> Path:
    """Write the notebook of a run folder into a file that must not exist yet."""
    run = RunFolder.open(folder)
    text = notebook(run.record(), run.report_facts())
    if target.exists():
        raise BadInput("this file exists", file=target, field="--to", remedy="name another")
    write_text(target, text)
    return target
