"""deepmnist sweep."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from deepmnist import recipes, stopping

if TYPE_CHECKING:
    from deepmnist.sweeping.job import Swept

OUT = Path("sweeps")  # of those that name no folder of their own


def sweep(
    set_: Annotated[
        list[str],
        Option(
            "--set",
            metavar="NAME=SPEC",
            help="Option of `train`, tried as a..b, log:a..b or a,b,c; one value fixes it. Again.",
        ),
    ],
    recipe: Annotated[
        str, Option(help=f"Recipe to change: {', '.join(recipes.RECIPES)}.")
    ] = recipes.DEFAULT_RECIPE,
    trials: Annotated[int, Option(min=1, help="Configurations to try.")] = 32,
    out: Annotated[Path | None, Option(help="Folder of the sweep. [default: sweeps/...]")] = None,
    dataset: Annotated[str, Option(help="Known name or path.")] = "mnist",
    data_dir: Annotated[Path | None, Option(help="Folder with one sub-folder a data set.")] = None,
    resize: Annotated[bool, Option("--resize", help="Resize images that are not 28x28.")] = False,
    seed: Annotated[int, Option(min=0, help="Of what is tried, and of each training.")] = 0,
    parallel: Annotated[
        int | None, Option(min=1, help="Trials at once. [default: one for every two cores]")
    ] = None,
    cluster: Annotated[
        str | None,
        Option(help="Ray cluster: auto or host:port. [default: $RAY_ADDRESS, or this machine]"),
    ] = None,
    quiet: Annotated[bool, Option("--quiet", help="Say nothing but the result.")] = False,
) -> None:
    """Try many configurations on validation images; the same command goes on where it stopped."""
    from deepmnist.sweeping import job

    signal.signal(signal.SIGTERM, stopping.interrupt)
    folder = out or OUT / f"{Path(dataset).name}-{recipe}-{seed}"
    try:
        swept = job.sweep(
            recipe,
            set_,
            trials=trials,
            out=folder,
            dataset=dataset,
            data_dir=data_dir,
            resize=resize,
            seed=seed,
            parallel=parallel,
            cluster=cluster,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        print(f"Stopped. The same command goes on with {folder}", file=sys.stderr)
        raise
    _print(swept)


def _print(swept: Swept) -> None:
    from deepmnist.cli import tables
    from deepmnist.sweeping import results

    tables.print_trials(swept)
    print(f"Trials: {swept.folder / results.TABLE}, {swept.folder / results.PICTURE}")
    best = swept.folder / results.BEST
    print(f"Train the best one:   deepmnist train --config {best}")
    print(f"With another seed:    deepmnist train --config {best} --seed {swept.space.seed + 1}")
