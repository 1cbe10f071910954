"""The command line: each command parses, calls one function, prints.

Nothing heavy is imported before a command runs, so that --help answers at once. A user's mistake is
one line on stderr and exit status 2, never a traceback.
"""

from __future__ import annotations

import io
import signal
import sys
import warnings
from typing import Annotated

import typer

from deepmnist import __version__, stopping
from deepmnist.cli import (
    data,
    evaluate,
    export,
    improve,
    predict,
    read,
    score,
    serve,
    sweep,
    train,
)
from deepmnist.cli.answers import tell
from deepmnist.errors import DeepMNISTError

INTERRUPTED = 130  # the shell's own status for a command stopped by Ctrl-C

app = typer.Typer(
    name="deepmnist",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the boxed help takes three times as long to appear
)


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"deepmnist {__version__}")
        raise typer.Exit


@app.callback()
def _before_a_command(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Digits: train, sweep, evaluate, predict, read, score, improve, export, serve."""


app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("read")(read.read)
app.command("score")(score.score)
app.command("sweep")(sweep.sweep)
app.command("improve")(improve.improve)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.add_typer(data.app, name="data")


def _takes_any_name(stream: io.TextIOWrapper) -> bool:
    """Whether what a file may be called comes out as it is, byte for byte."""
    return (stream.encoding, stream.errors) == ("utf-8", "surrogateescape")


def main() -> None:
    """Run the command line; deliberate errors become one line on stderr."""
    warnings.formatwarning = lambda message, *details: f"warning: {message}\n"
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not so in the background
        signal.signal(signal.SIGINT, stopping.interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper) and not _takes_any_name(sys.stdout):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except DeepMNISTError as error:
        tell(f"error: {' '.join(str(error).split())}", sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:
        if not stopping.interrupted():
            raise
        print("Stopped.", file=sys.stderr)  # the error is what a library made of Ctrl-C
        sys.exit(INTERRUPTED)
