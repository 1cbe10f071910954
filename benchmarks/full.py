"""Every measurement that needs no more than MNIST: hours. Killed at any moment, it goes on.

    python -m benchmarks.full [--folder runs/bench]

Recipes go on run by run; the other benchmarks are minutes each and are made whole or not at all.
What is finished, of the code as it is now, is taken as it is (ledger.py).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import inference, ledger, recipes, terminal
from deepmnist import recipes as named

BASELINE = 3  # seeds of the published tutorial
# The sooner a fault shows the better.
OTHERS = (
    "startup",
    "exports",
    "serve",
    "soak",
    "limits",
    "scale",
    "plan",
    "pace",
    "inference",
    "kills",
)
# These are run by themselves: they need other people's pictures, Ray, or as long as one likes.
BY_THEMSELVES = ("reader", "cluster", "workers", "fuzz")


def main(
    folder: Annotated[Path, typer.Option(help="Where runs lie, finished or not.")] = ledger.FOLDER,
) -> None:
    """Measure what is not measured yet; write benchmarks/results/*.json. Exit 1 if one is left out.

    Left out is what needs more than is installed.
    """
    missing = [peer for peer in inference.PEERS if find_spec(peer) is None]
    if missing:
        print(f"inference will be left out, for want of {', '.join(missing)}", flush=True)
    with ledger.alone(folder):
        for name in OTHERS:
            if name != "inference" or not missing:
                print(ledger.measured(name, [], folder), flush=True)
        print(recipes.measure(recipes.counts(list(named.RECIPES)), BASELINE, folder))
    if missing:
        raise SystemExit(
            f"error: inference was left out, for want of {', '.join(missing)}; "
            "run pip install 'deepmnist[train,bench]', then this again"
        )


if __name__ == "__main__":
    terminal.run(main)
