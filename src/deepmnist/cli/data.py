"""deepmnist data list, get, check, shard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from deepmnist.cli import heavy

app = typer.Typer(help="Data sets: list, get, check, shard.", no_args_is_help=True)

DataDir = Annotated[Path | None, Option(help="Folder with one sub-folder a data set.")]
Name = Annotated[str, Argument(help="A name that `deepmnist data list` shows.")]


@app.command("list")
def list_(data_dir: DataDir = None) -> None:
    """Show every named data set, its licence, and where it lies."""
    from rich.console import Console
    from rich.table import Table

    from deepmnist.data import list_sources

    table = Table("name", "title", "megabytes", "licence", "found in")
    for source in list_sources(data_dir):
        where = source.where or "(not here; `deepmnist data get`)"
        size = f"{source.size / 1e6:.1f}" if source.size else "-"
        table.add_row(source.name, source.title, size, source.licence, where)
    Console(highlight=False).print(table)


@app.command()
def get(name: Name, data_dir: DataDir = None) -> None:
    """Download a data set unless it is here already; what comes is checked against its SHA-256."""
    from deepmnist import data

    print(f"{name} is in {data.get(name, data_dir) or 'scikit-learn; it needs no file'}")


@app.command()
def check(
    name: Annotated[
        str, Argument(help="A name that `deepmnist data list` shows, or a folder of shards.")
    ],
    data_dir: DataDir = None,
) -> None:
    """Hold each file of a data set against its SHA-256."""
    from deepmnist import data

    for path in data.check(name, data_dir):
        print(f"good: {path}")


@app.command()
def shard(
    source: Annotated[str, Argument(help="Known name or path, as for `deepmnist train`.")],
    out: Annotated[Path, Option(help="Folder of the shards; new, or of a call that was stopped.")],
    rows: Annotated[int, Option(help="Images of a shard.")] = 65_536,
    copies: Annotated[
        int, Option(help="Changed copies of each training image; 0: the images as they are.")
    ] = 0,
    seed: Annotated[int, Option(help="Of the changes.")] = 0,
    data_dir: DataDir = None,
    resize: Annotated[bool, Option("--resize", help="Resize images that are not 28x28.")] = False,
) -> None:
    """Write a data set as shards, which train in the same memory at any size."""
    from rich.console import Console
    from rich.progress import Progress

    from deepmnist import data

    if copies > 0:
        heavy.import_module("deepmnist.augmentation", "changing copies of images")
    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("shards", total=None)
        index = data.shard(
            source,
            out,
            rows=rows,
            copies=copies,
            seed=seed,
            data_dir=data_dir,
            resize=resize,
            observe=lambda done, count: progress.update(bar, completed=done, total=count),
        )
    for part, records in (("training", index.train), ("test", index.test)):
        images = sum(record.rows for record in records)
        print(f"{images:,} {part} images in {len(records):,} shards in {out}")
