"""``pan demo``: from nothing to a portal with data, results and a run going, on this machine alone."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pancommons.base.errors import PanError

if TYPE_CHECKING:
    from pancommons.cli.demonstration.measurements import Measurement
    from pancommons.client import Client
    from pancommons.client.runs import Run


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pan demo --out demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="The folder to work in; that of an earlier demo is replaced.")] = Path(
        "demo"
    ),
    data: Annotated[Path | None, typer.Option(help="Folder of real data to analyse too, where it is there.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the portal; 0 for any that is free.")] = 0,
    check: Annotated[
        bool, typer.Option("--check", help="End when all is there and checked; so too where nobody watches.")
    ] = False,
) -> None:
    """Fill a commons with data whose answer is known, analyse them through its portal, and leave it open to look at.

    On a terminal it serves until Ctrl-C. Exit 0 if all that it promises is there.
    """
    from pancommons.cli.demonstration.place import Place
    from pancommons.cli.demonstration.portal import failures, portal
    from pancommons.client import Client

    began = time.monotonic()
    place = Place(out.absolute(), data.absolute() if data is not None and data.is_dir() else None)
    place.make()
    with portal(place, port) as served:
        print(f"The portal is at {served.address} ({time.monotonic() - began:.0f} s). Filling it:", flush=True)
        with Client(served.address) as commons:
            measured = list(_measurements(place))
            runs = [(one, _asked(commons, one)) for one in measured]
            for measurement, run in runs:
                _watch(measurement, run)
            going = _long(commons, measured)
            _show(runs)
            problems = list(failures(served, [run.id for _, run in runs], going.id, 2 * len(measured)))
            for problem in problems:
                print(f"Not as it should be: {problem}", file=sys.stderr)
            if check or not sys.stdout.isatty():
                print("Checked: pages, results, search and harvest are there." if not problems else "", flush=True)
            else:
                print(f"One more run is going: {going.url}")
                print(f"Open {served.address} in a browser; Ctrl-C ends it, and `pan demo` begins anew.", flush=True)
                _wait()
        if problems:
            raise PanError(f"{len(problems)} things are not as they should be.")


def _measurements(place: Any) -> Any:
    """Simulate and take into the catalogue what there is of each technique."""
    from pancommons.cli.demonstration.measurements import real, simulated
    from pancommons.pipelines import registry

    for name in registry.names():
        pipeline = registry.load(name)
        if pipeline.simulator:
            print(f"{pipeline.title}: simulating ...", flush=True)
            yield simulated(place, pipeline)
        yield from real(place, pipeline)


def _asked(commons: Client, measurement: Measurement) -> Run:
    return commons.run(
        measurement.pipeline,
        inputs=measurement.inputs,
        parameters=measurement.parameters,
        title=measurement.title,
    )


def _watch(measurement: Measurement, run: Run) -> None:
    """Follow a run to its end, with its progress where somebody watches."""
    from pancommons.pipelines.progress import default_listeners

    print(f"{measurement.title}: analysing ...", flush=True)
    listeners = default_listeners()

    def hear(event: dict[str, Any]) -> None:
        for listener in listeners:
            listener(event)

    run.wait(hear if sys.stdout.isatty() else None)


def _long(commons: Client, measured: list[Measurement]) -> Run:
    """Begin a run that takes some minutes, to be watched and stopped."""
    from pancommons.pipelines import registry

    for measurement in measured:
        pipeline = registry.load(measurement.pipeline)
        slow = pipeline.simulator.slow if pipeline.simulator else None
        if slow is not None:
            title = f"{pipeline.title}, slowly"
            print(f"{title}: begun ...", flush=True)
            return _asked(commons, replace(measurement, title=title, parameters=slow))
    raise PanError("No pipeline has a run that takes its time.")


def _show(runs: list[tuple[Measurement, Run]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("run", "figure of merit", "value", title="What came out")
    for measurement, run in runs:
        title = measurement.title
        for merit in run.report["merits"] if run.state in ("done", "partial") else []:
            if merit["value"] is not None:
                table.add_row(title, merit["label"], f"{merit['value']:.6g} {merit['unit']}".strip())
                title = ""
    Console().print(table)


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print("\nThe portal ends, and with it the run that was going; the folder stays.")
