"""What a scoring does before its first row: the listing of many pictures, and the plan of them.

    python -m benchmarks.plan [--pieces 1000000] [--files 100000]

A plan has a row a picture. One is written and read back of pieces that no file stands behind, with
names, sizes and times as of scans that came in day by day; another, of true empty files, is listed.
Bytes are exact; rates are of one process, and only as good as the machine is quiet.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import results, terminal
from deepmnist.cluster import places, plan, sources
from deepmnist.cluster.places import Entry, Local

PICTURE_BYTES = 20_000
DAY_PICTURES = 10_000  # in one folder
NS_BETWEEN = 1_000_000_000


def main(
    pieces: Annotated[int, typer.Option(min=1_000, help="Pictures of the plan.")] = 1_000_000,
    files: Annotated[int, typer.Option(min=1_000, help="Files that are listed.")] = 100_000,
    folder: Annotated[Path | None, typer.Option(help="Where they go for a while.")] = None,
) -> None:
    """Plan, list, print, write benchmarks/results/plan.json."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        planned = plan_of(Path(name) / "out", pieces)
        listed = listing_of(Path(name) / "files", files)
    print(
        f"{planned['bytes_per_piece']:.1f} bytes a piece, {listed['files_per_second']:,.0f} files/s"
    )
    print(results.write("plan", {**planned, **listed}))


def plan_of(out: Path, pieces: int) -> dict[str, Any]:
    """Write and read a plan of so many pictures."""
    out.mkdir()
    place = Local(out)
    asked = plan.Asked(source="s3://scans", model="0" * 64, coverage=None, read=False, versions={})
    started = time.perf_counter()
    manifest = plan.begin(place, asked, sources.parts(place, scans(pieces)), lambda images: False)
    written = time.perf_counter()
    parts = sum(1 for _ in plan.parts(place))
    read = time.perf_counter()
    return {
        "pieces": pieces,
        "parts": manifest.parts,
        "bytes_per_piece": (out / plan.PLAN).stat().st_size / pieces,
        "pieces_planned_per_second": pieces / (written - started),
        "pieces_read_per_second": pieces / (read - written),
        "complete": parts == manifest.parts,
    }


def scans(count: int) -> Iterator[Entry]:
    """What a listing of scans may be."""
    draws = np.random.default_rng(0)
    sizes = draws.gamma(8, PICTURE_BYTES / 8, count).astype(int).tolist()
    waits = draws.exponential(NS_BETWEEN, count).cumsum().astype(int).tolist()
    for number, (size, wait) in enumerate(zip(sizes, waits, strict=True)):
        path = f"day-{number // DAY_PICTURES:06}/scan-{number:011}.jpg"
        yield Entry(path, False, size, 1_700_000_000_000_000_000 + wait)


def listing_of(folder: Path, files: int) -> dict[str, Any]:
    """List so many true files, a day's in each folder."""
    for number in range(files):
        path = folder / f"day-{number // DAY_PICTURES:06}" / f"scan-{number:011}.jpg"
        if number % DAY_PICTURES == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    started = time.perf_counter()
    found = sum(1 for _ in sources.Listing(places.at(str(folder)), None))
    seconds = time.perf_counter() - started
    return {"files": found, "files_per_second": found / seconds}


if __name__ == "__main__":
    terminal.run(main)
