"""A run at a server: followed, stopped, gone on with, fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pancommons.base.errors import BadInput
from pancommons.client.connection import Connection
from pancommons.client.downloads import Progress, download
from pancommons.client.events import follow

_GOING = ("waiting", "running", "stopping")


class Run:
    """A run at a server.

    Attributes
    ----------
    facts
        What the server said of it last: ``state``, ``title``, ``pipeline``, ``parameters``, ``inputs``, ``place`` in
        the queue, ``dataset`` it was registered as, and so on.
    """

    def __init__(self, connection: Connection, facts: dict[str, Any]) -> None:
        self._connection, self.facts = connection, facts

    def __repr__(self) -> str:
        """Say which run it is, and how it is."""
        return f"<Run {self.url} {self.state}>"

    @property
    def id(self) -> str:
        """Return its identifier."""
        return str(self.facts["id"])

    @property
    def url(self) -> str:
        """Return its address, for browsers and programs."""
        return f"{self._connection.server}{self._path}"

    @property
    def state(self) -> str:
        """Return its state as it was last heard of: waiting, running, stopping, done, partial, stopped or failed."""
        return str(self.facts["state"])

    @property
    def going(self) -> bool:
        """Say whether it waits or goes, as was last heard."""
        return self.state in _GOING

    def refresh(self) -> Run:
        """Ask how it is now."""
        self.facts = self._connection.ask("GET", self._path)
        return self

    def follow(self) -> Iterator[dict[str, Any]]:
        """Give its events, from the first on, until it has ended; each once, whatever happens to the connection."""
        yield from follow(self._connection, f"{self._path}/events", lambda: not self.refresh().going)
        self.refresh()

    def wait(self, listener: Callable[[dict[str, Any]], Any] | None = None) -> Run:
        """Wait until it has ended.

        Parameters
        ----------
        listener
            Told each event.
        """
        for event in self.follow():
            if listener is not None:
                listener(event)
        return self

    def stop(self) -> Run:
        """Ask it to stop after the units in hand."""
        self.facts = self._connection.ask("POST", f"{self._path}/stop")
        return self

    def resume(self) -> Run:
        """Let it go on; finished work is kept."""
        self.facts = self._connection.ask("POST", f"{self._path}/resume")
        return self

    def delete(self) -> None:
        """Throw it away, and its result with it."""
        self._connection.ask("DELETE", self._path)

    @property
    def report(self) -> dict[str, Any]:
        """Return what ``report.json`` says: parameters, figures of merit, figures, warnings."""
        found: dict[str, Any] = self._connection.ask("GET", f"{self._path}/report")
        return found

    def download(self, folder: str | Path, progress: Progress | None = None) -> Path:
        """Fetch what it made into a folder: ``result.nxs``, report, figures, provenance; return the folder.

        What is there already from an earlier try is kept.

        Raises
        ------
        BadInput
            If it has not come to a result.
        """
        if self.state not in ("done", "partial"):
            raise BadInput(f"is {self.state}: there is no result", file=self.url)
        folder = Path(folder)
        figures = [str(one["file"]) for one in self.report.get("figures", ()) if _plain(str(one.get("file")))]
        wanted = [
            ("ro-crate-metadata.json", "/crate"),
            ("report.json", "/report"),
            ("report.html", "/report.html"),
            *((f"figures/{name}", f"/figures/{quote(name)}") for name in figures),
            ("result.nxs", "/result"),
        ]
        for name, path in wanted:
            if not (folder / name).exists():
                told = progress if name == "result.nxs" else None
                download(self._connection, self._path + path, folder / name, told)
        return folder

    @property
    def _path(self) -> str:
        return f"/runs/{quote(self.id, safe='')}"


def _plain(name: str) -> bool:
    """Say whether a name is that of a file in a folder, and nothing that leads elsewhere."""
    return bool(name) and name not in (".", "..") and name.isprintable() and not set(name) & set("/\\")
