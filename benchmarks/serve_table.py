"""Table of benchmarks/results/serve.json and soak.json, as Markdown: the service under load.

tables.py puts it into docs/serve.md. Nothing is computed here that the JSON does not hold.
"""

from __future__ import annotations

import textwrap
from typing import Any

from benchmarks import markdown
from deepmnist import machine

Figures = dict[str, Any]

WIDTH = 100  # characters of a line of text
ROWS = (
    ("json_rate", "rate", "one image a request, JSON: requests/s"),
    ("json_p99", "p99", "the same, 99th percentile at half load"),
    ("binary_rate", "rate", "one image a request, bytes: requests/s"),
    ("binary_p99", "p99", "the same, 99th percentile at half load"),
    ("batch", "batch", "256 images a request, bytes: images/s, of a bulk call in Python"),
)


def written(figures: Figures, soak: Figures | None) -> str:
    """The ratios beside their aims, where they were measured, and what the soak showed."""
    rows = [
        (name, f"{figures['summary'][key]:.2f}", _aim(floor, figures["floors"][floor]))
        for key, floor, name in ROWS
    ]
    text = (
        f"{machine.named(figures['machine'])}, {figures['date']}; "
        f"{figures['connections']} connections, {figures['http']}, {figures['loop']}; medians of "
        f"{figures['rounds']} turns."
    )
    sentences = [text, _soak(soak)] if soak else [text]
    table = markdown.table(("", "of the empty endpoint's", "aim"), rows)
    return f"{table}\n\n{textwrap.fill(' '.join(sentences), WIDTH, break_on_hyphens=False)}\n"


def _aim(floor: str, value: float) -> str:
    return f"{'at most' if floor == 'p99' else 'at least'} {value:g}"


def _soak(figures: Figures) -> str:
    memory = figures["memory_mib"]
    return (
        f"In {figures['minutes']:g} minutes of good and hostile requests at once, "
        f"{sum(figures['requests'].values()):,} in all, {figures['wrong_count']} answers were "
        "wrong; "
        f"memory went from {memory['settled']:.0f} to {memory['end']:.0f} MiB."
    )
