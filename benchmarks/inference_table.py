"""The table of benchmarks/results/inference.json, as Markdown: the product beside other runtimes.

tables.py puts it into docs/deploy.md. Nothing is computed here that the JSON does not hold.
"""

from __future__ import annotations

import textwrap
from typing import Any

from benchmarks import markdown

Figures = dict[str, Any]

WIDTH = 100  # characters of a line of text
HEAD = (
    *("net", "cores", "runtime", "one image", "one by one in a row"),
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
    machine, versions = figures["machine"], figures["versions"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = (
        f"{machine['processor']}, {machine['cores']} cores, {figures['date']}; float32; medians of "
        f"{figures['rounds']} turns, {figures['images']:,} images in bulk. {told}."
    )
    return f"{markdown.table(HEAD, rows)}\n\n{textwrap.fill(text, WIDTH, break_on_hyphens=False)}\n"


def sentence(figures: Figures) -> str:
    """What the product came to on all cores, beside the fastest of the others."""
    nets = {name: counts[max(counts, key=int)] for name, counts in figures["nets"].items()}
    told = "; ".join(
        f"`{name}` {_own(found, 'one_image_us'):,.0f} µs "
        f"({found['one_image_time_to_fastest']:.2f} of the fastest other runtime's time; "
        f"in a row {_own(found, 'in_a_row_us'):,.0f} µs, {found['in_a_row_time_to_fastest']:.2f}), "
        f"{_own(found, 'images_per_second'):,.0f} images/s in bulk "
        f"({found['bulk_rate_to_fastest']:.2f} of the fastest's rate)"
        for name, found in nets.items()
    )
    return f"One image takes in float32 on all cores: {told}."


def _own(found: Figures, figure: str) -> float:
    return found["runtimes"]["deepmnist"][figure]["median"]


def _cells(values: Figures) -> tuple[str, ...]:
    return (
        f"{values['one_image_us']['median']:,.0f} µs",
        f"{values['in_a_row_us']['median']:,.0f} µs",
        f"{values['images_per_second']['median']:,.0f}",
        values["bulk_way"],
    )
