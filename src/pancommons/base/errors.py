"""What can go wrong, as one sentence and an exit code."""

from __future__ import annotations

from pathlib import Path


class PanError(Exception):
    """An error that a user can act upon: its text is one sentence, shown without a traceback."""

    exit_code = 1


class BadInput(PanError):
    """The input, not the program, is at fault.

    Parameters
    ----------
    problem
        What is wrong, without a full stop at the end.
    file
        The file or folder it was found in.
    field
        The parameter, or the path inside the file.
    remedy
        What to do about it.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        where = ": ".join(str(part) for part in (file, field) if part)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}; {remedy}." if remedy else f"{text}.")
        self.problem, self.file, self.field, self.remedy = problem, file, field, remedy

    def __reduce__(self) -> tuple[object, ...]:
        return (_bad_input, (self.problem, self.file, self.field, self.remedy))


def _bad_input(problem: str, file: str | Path | None, field: str | None, remedy: str | None) -> BadInput:
    return BadInput(problem, file=file, field=field, remedy=remedy)


class RunPartial(PanError):
    """The run ended, but units of it failed."""

    exit_code = 3


class RunStopped(PanError):
    """The run was stopped on request and can be resumed."""

    exit_code = 130
