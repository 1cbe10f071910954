"""What 10 billion pictures take, worked out from benchmarks/results/*.json, as Markdown.

tables.py puts it into docs/scale.md. A rate of one core is taken times as many as there are: that
it holds for two is measured (cluster.json), for thousands it is not.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from benchmarks import markdown
from deepmnist import machine
from deepmnist.cluster.records import IMAGE, PART_WEIGHT, PICTURE, READ

Figures = dict[str, Any]

WIDTH = 100  # characters of a line of text
PICTURES = 10**10
DAY_S = 86_400
FORM_LINES = 20
NETWORK_S = 1.25e9  # bytes, of ten gigabits
GIB, GB, MB = 2**30, 10**9, 10**6


@dataclass(frozen=True)
class Load:
    """A kind of picture: its bytes, what one core does of it in a second, and its weight."""

    name: str
    size: int  # bytes
    rate: float  # pictures a second and core
    weight: int  # cluster/records.py


def written(
    cluster: Figures | None,
    plan: Figures | None,
    pace: Figures | None,
    scale: Figures | None,
) -> str:
    """Tables and sentences of whatever has been measured."""
    parts = [
        _table([*_images(cluster), *_photos(pace)]),
        _text(_workers(cluster)) if cluster else "",
        _text(_plan(plan)) if plan else "",
        _text(_training(scale)) if scale else "",
        _text(_grounds([cluster, plan, pace, scale])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n" if any(parts) else "Not measured.\n"


def _images(cluster: Figures | None) -> list[Load]:
    if not cluster:
        return []
    runs = cluster["runs"]
    one = runs.get("ray_one_worker") or runs["local_one_core"]
    return [Load("images of 28x28", 784, one["rows_per_second"], IMAGE)]


def _photos(pace: Figures | None) -> list[Load]:
    if not pace:
        return []
    photo = pace["photo"]
    lines = photo["milliseconds"] - photo["milliseconds_decoding"]
    form = photo["milliseconds_decoding"] + FORM_LINES * lines
    return [
        Load("photos of a digit, 20 kB", 20_000, pace["crops_per_second"], PICTURE),
        Load("`--read`, photos of a line, 3 MB", 3 * MB, 1e3 / photo["milliseconds"], READ),
        Load(f"the same, forms of {FORM_LINES} lines, 500 kB: at most", 500_000, 1e3 / form, READ),
    ]


def _table(loads: list[Load]) -> str:
    if not loads:
        return ""
    head = ("10 billion", "a core, a second", "core-hours", "cores for a day", "bytes")
    head += ("network for a day", "a core reads", "cores on 10 Gbit/s", "parts")
    return markdown.table(head, map(_row, loads))


def _row(load: Load) -> tuple[str, ...]:
    seconds, size = PICTURES / load.rate, PICTURES * load.size
    return (
        load.name,
        f"{load.rate:,.0f}" if load.rate >= 10 else f"{load.rate:.1f}",
        _about(seconds / 3600),
        _about(seconds / DAY_S),
        _bytes(size),
        f"{_bytes(size / DAY_S)}/s",
        f"{load.rate * load.size / MB:,.1f} MB/s",
        f"{NETWORK_S / load.rate / load.size:,.0f}",
        f"{PICTURES * load.weight / PART_WEIGHT:,.0f}",
    )


def _about(value: float) -> str:
    """Three digits of what is worked out: a rate was measured to no more."""
    return f"{float(f'{value:.3g}'):,.0f}"


def _bytes(count: float) -> str:
    return f"{count / 1e12:,.1f} TB" if count >= 1e12 else f"{count / GB:,.2f} GB"


def _workers(cluster: Figures) -> str:
    ratio = cluster.get("two_workers_over_one")
    memory = max(
        (each.get("worker_peak_bytes", each["local_peak_bytes"]) for each in cluster["memory"]),
        default=0,
    )
    speed = f"Two one-core workers score {ratio:.2f} times what one does. " if ratio else ""
    return f"{speed}A worker holds at most {memory / GIB:.2f} GiB."


def _plan(plan: Figures) -> str:
    size = PICTURES * plan["bytes_per_piece"]
    planned, read = (
        PICTURES / plan[name] / 3600
        for name in ("pieces_planned_per_second", "pieces_read_per_second")
    )
    listed = PICTURES / plan["files_per_second"] / 3600
    return (
        f"A plan takes {plan['bytes_per_piece']:.1f} bytes a piece: 10 billion single files make "
        f"one of {_bytes(size)}, listed from local folders in {listed:,.0f} hours, written in "
        f"{planned:,.0f}, and read in {read:,.0f} each time the command is given. In Parquet of "
        f"1,024 pictures a row group it has {_bytes(size / 1024)}, and is written in "
        f"{planned * 3600 / 1024:,.0f} seconds; of images of 28x28, "
        f"{size / PART_WEIGHT / MB:.1f} MB."
    )


def _training(scale: Figures) -> str:
    told = []
    for layout in dict.fromkeys(run.get("layout", "npy") for run in scale["runs"]):
        runs = [run for run in scale["runs"] if run.get("layout", "npy") == layout]
        last = max(runs, key=lambda run: run["images"])
        rate = 1e6 / last["microseconds_per_image"]
        told.append(
            f"from {'shards' if layout == 'shards' else 'one mapped file'} of "
            f"{last['images']:,} images at {last['microseconds_per_image']:.0f} µs an image, "
            f"{rate * 784 / MB:.0f} MB/s, with at most "
            f"{max(run['peak_resident_bytes'] for run in runs) / GIB:.2f} GiB resident"
        )
    return f"`{scale['recipe']}` trains {'; '.join(told)}."


def _grounds(measured: list[Figures | None]) -> str:
    """Where and when: each benchmark's machine and day."""
    told = [
        f"{each['benchmark']}: {machine.named(each['machine'])}, {each['date']}"
        for each in measured
        if each
    ]
    return f"Measured by {'; '.join(told)}." if told else ""


def _text(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)
