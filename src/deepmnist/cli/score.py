"""deepmnist score."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from deepmnist.cli import models
from deepmnist.cli.models import Bundle, Coverage

if TYPE_CHECKING:
    from deepmnist.cluster.job import Begun
    from deepmnist.cluster.progress import Progress
    from deepmnist.cluster.tables import Tally

SMALL_PARTS = 8  # up to here Ray takes longer to start than the parts take


def score(
    source: Annotated[
        str,
        Argument(
            metavar="SOURCE",
            help="File or folder of Parquet, CSV, IDX, tar shards, pictures; or its address.",
        ),
    ],
    out: Annotated[str, Option(help="Folder of the answers, or its address.")],
    model: Bundle = None,
    read: Annotated[
        bool, Option("--read", help="Read all digits of each picture, not one.")
    ] = False,
    coverage: Coverage = None,
    local: Annotated[bool, Option("--local", help="In this process, without Ray.")] = False,
    cluster: Annotated[
        str | None, Option(help="Ray cluster: auto, host:port or ray://host:port.")
    ] = None,
    workers: Annotated[
        int | None, Option(min=1, help="Parts at once; --local: cores. [default: as there are]")
    ] = None,
    quiet: Annotated[bool, Option("--quiet", help="Say nothing but the result.")] = False,
) -> None:
    """Score any number of pictures into Parquet; the same command goes on where it was stopped."""
    from deepmnist import bundle
    from deepmnist.cluster import connection, job, on_ray, progress
    from deepmnist.cluster.scoring import model_of
    from deepmnist.errors import ConfigError

    if local and cluster is not None:
        raise ConfigError("--local and --cluster do not go together; give one of them")
    if cluster is not None:
        connection.check(cluster, on_ray.NEEDED_FOR)
    opened = bundle.load(models.path(model))
    with job.begun(source, out, model_of(opened), coverage, read) as begun:
        if begun.passed_over and not quiet:
            other = f"{begun.passed_over:,} files of other kinds, such as {begun.example}"
            print(f"note: passed over {other}", file=sys.stderr)
        shown = progress.choose(begun.weight, begun.manifest.parts, len(begun.done), quiet)
        try:
            total = _scored(begun, shown, local, cluster, workers)
        finally:
            shown.end()
        _print(begun, shown, total)


def _scored(
    begun: Begun, shown: Progress, local: bool, cluster: str | None, workers: int | None
) -> Tally:
    from deepmnist.cluster import connection, on_ray
    from deepmnist.cluster import local as here

    left = begun.manifest.parts - len(begun.done)
    small = left <= SMALL_PARTS or not connection.installed()
    if local or not left or (cluster is None and small):
        return here.run(begun, shown, workers or 0)
    return on_ray.run(begun, shown, cluster, workers)


def _print(begun: Begun, shown: Progress, total: Tally) -> None:
    parts = begun.manifest.parts
    print(
        f"{total.rows:,} rows scored, {total.accepted:,} accepted, "
        f"{total.unreadable:,} unreadable; {parts - len(begun.done):,} of {parts:,} parts, "
        f"{shown.seconds:.1f} s, {shown.rows_per_second:,.0f} rows/s"
    )
    print(f"answers: {begun.job.out}/part-*.parquet")
    if total.unreadable:
        print(f"unreadable: {begun.job.out}/_errors/errors-*.parquet")
