"""The table of benchmarks/results/inference.json, as Markdown: the product beside other runtimes.

tables.py puts it into docs/deploy.md. Nothing is computed here that the JSON does not hold.
"""

from __future__ import annotations

import textwrap
from typing import Any

from benchmarks import inference, markdown
from deepmnist import machine

Figures = dict[str, Any]

WIDTH = 100  # characters of a line of text
HEAD = (
    *("net", "cores", "runtime", "one image", "one in a row"),
    *("images/s in bulk", "how it took them"),
)


def written(figures: Figures) -> str:
    """Every runtime's row, and where they were measured."""
    rows = [
        (name, cores, runtime, *_cells(values))
        for name, counts in figures["nets"].items()
        for cores, found in counts.items()
        for runtime, values in found["runtimes"].items()
    ]
    told = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    text = (
        f"{machine.named(figures['machine'])}, {figures['date']}; float32, untrained nets, random "
        f"images; medians of {figures['rounds']} turns, and of each peer the best of all its ways. "
        f"One image comes {inference.APART_S * 1000:g} ms after another, or in a row; in bulk, "
        f"{figures['images']:,} are given at once. {told}."
    )
    return f"{markdown.table(HEAD, rows)}\n\n{textwrap.fill(text, WIDTH, break_on_hyphens=False)}\n"


def _cells(values: Figures) -> tuple[str, ...]:
    return (
        f"{values['one_image_us']['median']:,.0f} µs",
        f"{values['in_a_row_us']['median']:,.0f} µs",
        f"{values['images_per_second']['median']:,.0f}",
        values["images_per_second"]["way"],
    )
