"""Where each thing comes from: its role, the user file's neighbour of that name, or the simulated measurement itself.

A simulated measurement is one file: beside ``raw_data_1``, the sample's run, it holds the other runs under the names of
their roles, and the calibration as the text of its files in the group ``calibration``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import h5py

from pancommons.base.errors import BadInput
from pancommons.nexus.read import member, open_file, text
from pancommons.pipelines.job import Job
from pancommons.techniques.sans.read import open_run
from pancommons.techniques.sans.rkh import Curve, parse_rkh, read_rkh
from pancommons.techniques.sans.run import Run
from pancommons.techniques.sans.user_file import UserFile, parse_user_file, read_user_file
from pancommons.techniques.sans.user_toml import read_user_toml

_Read = TypeVar("_Read")


def run_of(job: Job, role: str) -> Run | None:
    """Open the run of a role, or None where there is none."""
    path = job.path(role)
    if path is not None:
        return open_run(path)
    if role == "sample":
        return open_run(job.input)
    return open_run(job.input, role) if _holds(job.input, role) else None


def user_file_of(job: Job) -> UserFile:
    """Read the user file.

    Raises
    ------
    BadInput
        If there is none.
    """
    path = job.path("user_file")
    if path is not None:
        return read_user_toml(path) if path.suffix.lower() == ".toml" else read_user_file(path)
    found = _inside(job, "user_file", parse_user_file)
    if found is None:
        raise BadInput(
            "the input 'user_file' is missing, which says how to reduce the run",
            file=job.input,
            remedy="give user_file=PATH",
        )
    return found


def calibration(job: Job, role: str, named: str | None, what: str) -> tuple[Curve | None, Path | None]:
    """Read a calibration file: given in a role, inside the measurement, or beside the user file under its name there.

    Returns
    -------
    curve, file
        None and None where nothing asks for one; the file is given where it is none of the run's inputs.
    """
    path = job.path(role)
    if path is not None:
        return read_rkh(path), None
    if found := _inside(job, role, parse_rkh):
        return found, None
    user = job.path("user_file")
    if named is None or user is None:
        return None, None
    beside = next((file for file in sorted(user.parent.iterdir()) if file.name.lower() == named.lower()), None)
    if beside is None:
        raise BadInput(
            f"names the {what} {named}, which is not beside it", file=user, remedy=f"put it there, or give {role}=PATH"
        )
    return read_rkh(beside), beside


def _holds(path: Path, name: str) -> bool:
    if not h5py.is_hdf5(path):
        return False
    with open_file(path) as file:
        return isinstance(member(file, name), h5py.Group)


def _inside(job: Job, name: str, parse: Callable[[str, Path], _Read]) -> _Read | None:
    if not h5py.is_hdf5(job.input):
        return None
    with open_file(job.input) as file:
        group = member(file, "calibration")
        content = text(group, f"{name}/data") if isinstance(group, h5py.Group) else None
    return None if content is None else parse(content, job.input)
