"""Serving the application on a socket until it is asked to end, and the unit by which systemd does so."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from types import FrameType

import uvicorn
from fastapi import FastAPI

from pancommons.base.home import config_file, home
from pancommons.base.settings import Settings
from pancommons.runs.roots import runs_folder

END_SECONDS = 20
"""What downloads and questions that are being answered have at the end; streams of events end at once."""


class Server(uvicorn.Server):
    """Lets streams know when the end has come, so that nobody waits for them."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                date_header=True,
                timeout_graceful_shutdown=END_SECONDS,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._app.state.ending.set()
        super().handle_exit(sig, frame)


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer until SIGINT or SIGTERM.

    What there is at the start stays until the end, and is not looked through for garbage again and again: that takes
    some 0.1 s each time, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()
    Server(app).run(sockets=[listener])


def unit(settings: Settings) -> str:
    """Write the unit by which systemd serves this installation."""
    own, runs = home().absolute(), runs_folder(settings)
    writable = [own] if runs.is_relative_to(own) else [own, runs]
    told = {"PANCOMMONS_HOME": own}
    if config_file().absolute() != own / "pancommons.toml":
        told["PANCOMMONS_CONFIG"] = config_file().absolute()
    text = (files("pancommons.server") / "pancommons.service").read_text(encoding="utf-8")
    return Template(text).substitute(
        command=_quoted(_command()),
        environment="\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in told.items()),
        writable=" ".join(_quoted(str(folder)) for folder in writable),
        seconds=END_SECONDS + 25,
    )


def _command() -> str:
    """Return where the command of this installation is."""
    beside = Path(sys.executable).with_name("pan")
    return str(beside) if os.access(beside, os.X_OK) else (shutil.which("pan") or str(beside))


def _quoted(text: str) -> str:
    """Write a text as one word of a unit (systemd.syntax)."""
    safe = text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"' if safe != text or any(sign in text for sign in " \t'$;") else text
