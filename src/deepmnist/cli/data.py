"""deepmnist data list, get, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

app = typer.Typer(help="Named data sets: list, get, check.", no_args_is_help=True)

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
    """Download a data set unless it is here already, each file checked against its SHA-256."""
    from deepmnist import data

    print(f"{name} is in {data.get(name, data_dir) or 'scikit-learn; it needs no file'}")


@app.command()
def check(name: Name, data_dir: DataDir = None) -> None:
    """Hold each file of a data set against its SHA-256."""
    from deepmnist import data

    for path in data.check(name, data_dir):
        print(f"good: {path}")
