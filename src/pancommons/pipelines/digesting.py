"""sha256 of the inputs, computed beside the work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from pancommons.base.digests import sha256
from pancommons.pipelines.events import EventLog
from pancommons.pipelines.folder import RunFolder


class InputDigests:
    """Compute the digests that ``run.json`` still lacks in a thread; `finish` waits and writes them."""

    def __init__(self, folder: RunFolder, log: EventLog) -> None:
        self._folder, self._log = folder, log
        self._found: dict[str, str] = {}
        self._error: Exception | None = None
        self._abandon = threading.Event()
        record = folder.record()
        files = [*(file for files in record.inputs.values() for file in files), *record.files]
        self._todo = [file.path for file in files if file.sha256 is None]
        self._thread = threading.Thread(target=self._work, name="digests", daemon=True)

    def __enter__(self) -> InputDigests:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon.set()
        self._thread.join()

    @property
    def pending(self) -> bool:
        """Tell whether the thread still works."""
        return self._thread.is_alive()

    def finish(self, check: Callable[[], None]) -> None:
        """Wait for the digests and write them into ``run.json``; meanwhile call ``check``, which may raise to stop."""
        while self._thread.is_alive():
            check()
            self._thread.join(timeout=0.3)
        if self._error:
            raise self._error
        record = self._folder.record()
        for file in [*(file for files in record.inputs.values() for file in files), *record.files]:
            file.sha256 = self._found.get(file.path, file.sha256)
        self._folder.write(record)

    def _work(self) -> None:
        try:
            for path in self._todo:
                self._found[path] = sha256(Path(path), self._go_on)
        except _Abandoned:
            pass
        except Exception as error:
            self._error = error

    def _go_on(self, read: int) -> None:
        if self._abandon.is_set():
            raise _Abandoned


class _Abandoned(Exception):
    """The run ended before its digests."""
