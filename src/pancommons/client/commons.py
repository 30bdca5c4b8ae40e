"""A commons elsewhere: what is there, and what can be run on it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from pancommons.base.errors import BadInput
from pancommons.client import address, credentials
from pancommons.client.connection import PATIENCE, Connection, Sleep
from pancommons.client.downloads import Progress, download
from pancommons.client.runs import Run

SEARCH = "/search-api"

Record = dict[str, Any]


class Client:
    """A server of PaN Commons.

    Parameters
    ----------
    server
        Its address; the one that was last signed in to if none is given.
    token
        A personal token; what ``pan login`` kept for this server if none is given. It is shown to no other origin.
    patience
        Seconds for which a server that cannot be reached, or is busy, is asked again.

    Examples
    --------
    ::

        commons = Client("https://data.facility.example")
        for dataset in commons.search("x-ray tomography lung"):
            print(dataset["pid"], dataset["title"])
        run = commons.run("tomography", "10.5072/lung", parameters={"centre": 296.0})
        run.wait().download("lung")
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        patience: float = PATIENCE,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.server = named(server)
        kept = None if token else credentials.find(self.server)
        self.connection = Connection(
            self.server, token or (kept.token if kept else None), patience=patience, sleep=sleep
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self.connection.close()

    def account(self) -> Record:
        """Say who asks, as the server sees it: ``person``, ``name``, ``roles_everywhere``, ``scopes`` of the token."""
        found: Record = self.connection.ask("GET", "/me/account")
        return found

    def search(self, words: str = "", filter: Mapping[str, Any] | None = None) -> list[Record]:  # noqa: A002
        """Find datasets: by words the best first, else the newest.

        Parameters
        ----------
        filter
            As the search API has it: ``where``, ``include``, ``order``, ``limit`` and so on; 20 records at most if it
            says nothing else.
        """
        asked: dict[str, Any] = {"limit": 20, **(filter or {})}
        if words.strip():
            asked["query"] = words.strip()
        elif "order" not in asked and "query" not in asked:
            asked["order"] = "creationDate DESC"
        found: list[Record] = self.connection.ask("GET", f"{SEARCH}/Datasets", params={"filter": json.dumps(asked)})
        return found

    def dataset(self, pid: str, include: Sequence[str] = ("techniques", "instrument", "parameters")) -> Record:
        """Return a dataset, by its PID or identifier, with what is to be included."""
        told = json.dumps({"include": list(include)})
        found: Record = self.connection.ask("GET", f"{SEARCH}/Datasets/{_segment(pid)}", params={"filter": told})
        return found

    def files(self, pid: str) -> list[Record]:
        """List the files of a dataset: ``id``, ``name``, ``path`` and ``size``."""
        found: list[Record] = self.connection.ask("GET", f"{SEARCH}/Datasets/{_segment(pid)}/files")
        return found

    def download(self, file: str | Mapping[str, Any], to: str | Path, progress: Progress | None = None) -> Path:
        """Fetch a file; one that broke off before is gone on with.

        Parameters
        ----------
        file
            One of `files`, or its identifier.
        to
            The file to make, or a folder that is there, in which it keeps its name.
        progress
            Told how many bytes are there, and how many there will be.
        """
        place = Path(to)
        if place.is_dir():
            if isinstance(file, str):
                raise BadInput("is a folder", file=place, remedy="name the file to make")
            place = place / Path(str(file["name"]).replace("\\", "/")).name
        identifier = file if isinstance(file, str) else str(file["id"])
        return download(self.connection, f"/files/{_segment(identifier)}", place, progress)

    def pipelines(self) -> list[Record]:
        """List the pipelines that can be run there."""
        found: list[Record] = self.connection.ask("GET", "/pipelines")["pipelines"]
        return found

    def pipeline(self, name: str) -> Record:
        """Describe a pipeline: inputs by role, parameters as JSON Schema, presets, figures of merit."""
        found: Record = self.connection.ask("GET", f"/pipelines/{_segment(name)}")
        return found

    def estimate(self, pipeline: str, *data: str, **more: Any) -> Record:
        """Say what a run would find in the data and take, and keep nothing; arguments as those of `run`."""
        found: Record = self.connection.ask("POST", "/runs/estimate", json=self._asked(pipeline, data, **more))
        return found

    def run(
        self,
        pipeline: str,
        *data: str,
        inputs: Mapping[str, Sequence[str]] | None = None,
        parameters: Mapping[str, Any] | None = None,
        preset: str | None = None,
        preview: bool = False,
        title: str | None = None,
        tell: str | None = None,
    ) -> Run:
        """Ask for a run; it waits for its turn there.

        Parameters
        ----------
        data
            Datasets, by PID or identifier, or files by identifier, for the pipeline's first role.
        inputs
            The same for other roles.
        parameters
            Those that are to be other than their default or what the preset says; text may have a unit: ``"0.65 um"``.
        preview
            Do one slice, or what is like it.
        title
            What the run is called.
        tell
            Mail address or webhook to tell when it has ended.
        """
        asked = self._asked(
            pipeline, data, inputs=inputs, parameters=parameters, preset=preset, preview=preview, title=title, tell=tell
        )
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return Run(self.connection, self.connection.ask("POST", "/runs", json=asked, headers=headers))

    def runs(self, state: str | None = None, limit: int = 50) -> list[Run]:
        """List your runs, the newest first."""
        params = {"limit": limit} if state is None else {"limit": limit, "state": state}
        return [Run(self.connection, one) for one in self.connection.ask("GET", "/runs", params=params)["runs"]]

    def find(self, run: str) -> Run:
        """Return a run, by its identifier or address."""
        named = address.run(run)
        if named is not None and named[0] != self.server:
            raise BadInput("is a run at another server", file=run)
        identifier = named[1] if named else run
        return Run(self.connection, self.connection.ask("GET", f"/runs/{_segment(identifier)}"))

    def _asked(
        self,
        pipeline: str,
        data: Sequence[str],
        *,
        inputs: Mapping[str, Sequence[str]] | None = None,
        **more: Any,
    ) -> Record:
        named = {role: list(one) for role, one in (inputs or {}).items()}
        if data:
            [first, *_] = [role["name"] for role in self.pipeline(pipeline)["roles"]]
            named[first] = [*named.get(first, []), *data]
        told = {name: value for name, value in more.items() if value is not None and value is not False}
        if "parameters" in told:
            told["parameters"] = dict(told["parameters"])
        return {"pipeline": pipeline, "inputs": named, **told}


def named(server: str | None) -> str:
    """Return the address of a server in its one spelling; that of the last sign-in if none is given.

    Raises
    ------
    BadInput
        If it is none, or nobody signed in.
    """
    given = server or credentials.default()
    if given is None:
        raise BadInput("no server is named, and nobody signed in to one", field="--server", remedy="write https://HOST")
    return address.server(given)


def _segment(text: str) -> str:
    """Write a text as one segment of a path."""
    if text in ("", ".", ".."):
        raise BadInput(f"{text!r} names nothing")
    return quote(text, safe="")
