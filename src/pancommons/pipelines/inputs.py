"""The inputs of a run: paths given by role, checked, and known again later."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from pancommons.base.errors import BadInput
from pancommons.pipelines.declaration import Pipeline
from pancommons.pipelines.record import InputFile, Record


def assign(pipeline: Pipeline, arguments: Iterable[str]) -> tuple[list[Path], dict[str, list[Path]]]:
    """Sort command-line arguments into the primary role and the named ones.

    ``flats=PATH`` is a role only where the pipeline declares it; anything else is a path, which a word that
    looks like a role must lead to.

    Returns
    -------
    primary, others
        The bare paths, and the paths of every other role given.
    """
    primary: list[Path] = []
    others: dict[str, list[Path]] = {}
    for argument in arguments:
        name, equals, rest = argument.partition("=")
        if equals and name.isidentifier() and not pipeline.role(name) and not os.path.lexists(argument):
            raise BadInput(
                "there is no such input, and no file of that name",
                file=argument,
                remedy=f"the inputs of {pipeline.name} are: {', '.join(role.name for role in pipeline.roles)}",
            )
        if equals and pipeline.role(name):
            if name == pipeline.primary.name:
                primary.append(Path(rest))
            else:
                others.setdefault(name, []).append(Path(rest))
        else:
            primary.append(Path(argument))
    return primary, others


def check(pipeline: Pipeline, inputs: Mapping[str, Iterable[Path]]) -> dict[str, list[InputFile]]:
    """Make sure that every role is filled as declared and every path can be read.

    Raises
    ------
    BadInput
        Naming the role or the path.
    """
    known = ", ".join(role.name for role in pipeline.roles)
    checked: dict[str, list[InputFile]] = {}
    for name in inputs:
        if pipeline.role(name) is None:
            raise BadInput(f"{pipeline.name} has no input {name!r}", remedy=f"its inputs are: {known}")
    for role in pipeline.roles:
        paths = list(inputs.get(role.name, ()))
        if not paths and role.required:
            raise BadInput(
                f"the input {role.name!r} is missing ({role.description})",
                remedy=f"give it as a path, or as {role.name}=PATH",
            )
        if len(paths) > 1 and not role.many:
            raise BadInput(f"takes one path, {len(paths)} were given", field=role.name)
        if paths:
            checked[role.name] = [describe(path) for path in paths]
    return checked


def describe(path: Path) -> InputFile:
    """Note what a path is now, so that a change is noticed later."""
    path = path.absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        raise BadInput("its name is not UTF-8", file=shown, remedy="rename it, or link to it") from None
    try:
        state = path.stat()
        if path.is_dir():
            files = [file.stat() for file in path.rglob("*") if file.is_file()]
            newest = max((file.st_mtime_ns for file in files), default=state.st_mtime_ns)
            return InputFile(path=str(path), size=sum(file.st_size for file in files), mtime_ns=newest, folder=True)
        if not stat.S_ISREG(state.st_mode):
            raise BadInput("is neither a file nor a folder", file=path, remedy="write it to a file first")
        with path.open("rb"):
            return InputFile(path=str(path), size=state.st_size, mtime_ns=state.st_mtime_ns)
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", file=path, remedy="check the path") from None


def changed(record: Record) -> str | None:
    """Return the first input that is gone or not as it was when the run was created."""
    for file in [*(file for files in record.inputs.values() for file in files), *record.files]:
        try:
            now = describe(Path(file.path))
        except BadInput:
            return file.path
        if (now.size, now.mtime_ns) != (file.size, file.mtime_ns):
            return file.path
    return None
