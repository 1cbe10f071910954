"""How every benchmark is called: by typer, with what goes wrong on purpose told in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from deepmnist.errors import DeepMNISTError


def run(main: Callable[..., Any]) -> None:
    """`main` with the options of the command line; ends the process with a status of its own."""
    try:
        typer.run(main)
    except DeepMNISTError as error:
        raise SystemExit(f"error: {error}") from error
