"""Where units run: threads, processes or Dask, made anew by a factory after a worker died."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

from pancommons.base.errors import BadInput, PanError
from pancommons.base.machine import end_with_parent


class Executor(Protocol):
    """What the runner needs of an executor."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Start a call."""
        ...

    def shutdown(self) -> None:
        """End the workers."""
        ...


def factory(on: str, workers: int) -> Callable[[], Executor]:
    """Return what makes an executor with that many workers of one thread each.

    Parameters
    ----------
    on
        ``threads``, ``processes``, ``dask`` (a cluster on this machine) or ``dask:ADDRESS``.

    Raises
    ------
    BadInput
        If ``on`` is none of these or needs a package that is not installed.
    """
    kind, _, address = on.partition(":")
    if kind == "threads" and not address:
        return lambda: _Pool(ThreadPoolExecutor(workers, thread_name_prefix="unit"))
    if kind == "processes" and not address:
        return lambda: _Pool(_processes(workers))
    if kind == "dask":
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise BadInput("Dask is not installed", field="--on", remedy="pip install 'pancommons[dask]'") from None
        return lambda: _Dask(workers, address or None)
    raise BadInput(f"{on!r} is no executor", field="--on", remedy="choose threads, processes, dask or dask:ADDRESS")


def worker_died(error: BaseException) -> bool:
    """Tell whether a unit's error means that its worker died, not that its function raised."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ in {"KilledWorker", "CancelledError"}


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the libraries under numpy to one thread meanwhile: units are what runs in parallel."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@cache
def only_one_thread() -> None:
    """Keep them to one thread for the rest of this process, which is a worker."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def set_up_worker(parent: int) -> None:
    """Tie a worker to its parent and to one thread."""
    bind_to(parent)
    only_one_thread()


def bind_to(parent: int) -> None:
    """Let a worker end with its parent, and leave Ctrl-C to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)


class _Pool:
    """A pool of the standard library."""

    def __init__(self, pool: ThreadPoolExecutor | ProcessPoolExecutor) -> None:
        self._pool = pool

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return self._pool.submit(function, *arguments)

    def shutdown(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _on_one_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a Dask worker, which may be one that we did not set up."""
    only_one_thread()
    return function(*arguments)


def _processes(workers: int) -> ProcessPoolExecutor:
    import multiprocessing

    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=set_up_worker, initargs=(os.getpid(),)
    )


class _Dask:
    """A Dask cluster, ours or one that runs already."""

    def __init__(self, workers: int, address: str | None) -> None:
        import dask
        from distributed import Client, LocalCluster, WorkerPlugin

        parent = os.getpid()

        class EndWithParent(WorkerPlugin):  # type: ignore[misc]
            """Set up every worker, also those made anew, to die with us."""

            def setup(self, worker: Any) -> None:
                bind_to(parent)

        self._cluster = None
        if address is None:
            with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                self._cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    memory_limit=0,
                    silence_logs=50,
                )
        try:
            self._client = Client(self._cluster or address, timeout="20s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise PanError(f"No Dask scheduler answers at {address} ({error}).") from None
        if self._cluster is not None:
            self._client.register_plugin(EndWithParent())
        self._executor = self._client.get_executor(pure=False, retries=0)

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        future: Future[Any] = self._executor.submit(_on_one_thread, function, *arguments)
        return future

    def shutdown(self) -> None:
        self._executor.shutdown()
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
