"""Requests that fit the OpenAPI description, and many that do not, made by Schemathesis.

    python -m benchmarks.fuzz [--examples 500] [--seed 0]

No answer may be a 500, none may differ from what the description says, and whatever does not fit it
must be refused. That all which fits is accepted is not asked: no schema says that an array has as
many numbers as a shape beside it says, or which bytes are a picture. tests/service/test_openapi.py
runs a short form of this.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import results, terminal
from deepmnist.service import registry, server
from deepmnist.service.app import create_app
from deepmnist.service.limits import Limits

COMMAND = Path(sys.executable).with_name("st")
LONG = "examples,coverage,fuzzing"
UNSAYABLE = "positive_data_acceptance"
CASES = re.compile(r"(\d+) generated")


def main(
    examples: Annotated[int, typer.Option(min=1, help="Of each operation.")] = 500,
    seed: Annotated[int, typer.Option(help="Of what is made up.")] = 0,
) -> None:
    """Run, print, write benchmarks/results/fuzz.json; status 1 where something failed."""
    with served() as address:
        done = run(address, examples, LONG, seed)
    print(done.stdout)
    figures = {
        "seed": seed,
        "examples": examples,
        "requests": requests(done.stdout),
        "failed": done.returncode != 0,
    }
    print(results.write("fuzz", figures))
    raise typer.Exit(done.returncode)


@contextmanager
def served() -> Iterator[str]:
    """The address of a service of the model that comes along, in a thread."""
    models = registry.Registry(registry.sources([]))
    listener = server.listening("127.0.0.1", 0)
    running = server.server(create_app(models), models, Limits())
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        yield server.address(listener)
    finally:
        running.should_exit = True
        thread.join()


def run(
    address: str, examples: int, phases: str = LONG, seed: int = 0
) -> subprocess.CompletedProcess[str]:
    """Schemathesis against the service at an address: its status and what it printed."""
    options = ["--max-examples", str(examples), "--phases", phases, "--seed", str(seed)]
    options += ["--exclude-checks", UNSAYABLE, "--generation-database", "none", "--no-color"]
    options += ["--continue-on-failure", "--request-timeout", "60"]
    with tempfile.TemporaryDirectory() as folder:  # where it would leave files of its own
        return subprocess.run(
            [str(COMMAND), "run", f"{address}/openapi.json", *options],
            capture_output=True,
            text=True,
            cwd=folder,
        )


def requests(printed: str) -> int:
    """How many requests a run made."""
    found = CASES.search(printed)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    terminal.run(main)
