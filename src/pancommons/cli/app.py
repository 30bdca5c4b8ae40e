"""The whole command line, put together; commands import what they need when they are called."""

from __future__ import annotations

from typing import Annotated

import typer

from pancommons.cli import (
    audit,
    catalogue,
    demo,
    ingest,
    login,
    nexus,
    ontology,
    people,
    pipelines,
    remote,
    results,
    running,
    search,
    serve,
    simulate,
)

HELP = """Analyse photon and neutron data with standard pipelines, and check what others published.

A run is a folder: result, figures, report and provenance. It can be stopped, killed, resumed and reproduced.
"""
EPILOG = "Start with: pan simulate tomography scan.nxs, then: pan run tomography scan.nxs"


def build(arguments: list[str]) -> typer.Typer:
    """Make the application.

    Parameters
    ----------
    arguments
        The command line: the options of ``pan run PIPELINE`` are made from that pipeline's declaration,
        so only the one asked for is loaded.
    """
    app = typer.Typer(
        name="pan",
        help=HELP,
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="markdown" if arguments[:1] in (["run"], ["simulate"]) else None,
    )
    app.callback()(_root)
    app.add_typer(running.app(arguments), name="run")
    results.add(app)
    app.add_typer(pipelines.app(), name="pipelines")
    app.add_typer(simulate.app(arguments), name="simulate")
    app.add_typer(nexus.app(), name="nexus")
    ingest.add(app)
    app.add_typer(catalogue.app(), name="catalogue")
    app.add_typer(ontology.app(), name="ontology")
    app.add_typer(people.app(), name="people")
    audit.add(app)
    demo.add(app)
    search.add(app)
    login.add(app)
    remote.add(app)
    serve.add(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"pancommons {version('pancommons')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


_root.__doc__ = HELP
