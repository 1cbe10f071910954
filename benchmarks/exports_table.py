"""Tables of benchmarks/results/exports.json, as Markdown: what each export weighs and how it runs.

tables.py puts them into docs/deploy.md. Nothing is computed here that the JSON does not hold.
"""

from __future__ import annotations

import textwrap
from typing import Any

from benchmarks import markdown
from deepmnist import machine

Figures = dict[str, Any]

WIDTH = 100  # characters of a line of text
NAMES = {"saved_model": "SavedModel", "litert": "LiteRT", "onnx": "ONNX"}


def written(figures: Figures) -> str:
    """The classifiers' table, the readers', and where they were measured."""
    head = ("classifier", "size", "MNIST test", "same answers", "largest difference",
            "one in a row", "images/s")  # fmt: skip
    rows = [_classifier(*each) for each in figures["classifiers"].items()]
    reader_head = ("reader", "size", "largest difference", "one picture")
    reader_rows = [_reader(*each) for each in figures["readers"].items()]
    versions = {**figures["versions"], **figures["runtimes"]}
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "python")
    text = (
        f"{machine.named(figures['machine'])}, {figures['date']}; medians of "
        f"{figures['rounds']} turns; accuracy and answers on {figures['test_n']:,} test images, "
        "differences on validation and golden images. The bundle and .tflite files are answered by "
        "the product, which had chosen how, and by LiteRT or ONNX Runtime, before it was timed. "
        f"{told}."
    )
    paragraph = textwrap.fill(text, WIDTH, break_on_hyphens=False)
    tables = markdown.table(head, rows), markdown.table(reader_head, reader_rows)
    return "\n\n".join([*tables, f"{paragraph}\n"])


def _classifier(name: str, values: Figures) -> tuple[str, ...]:
    apart = values.get("largest_difference")
    return (
        _named(name, values),
        _size(values),
        f"{values['accuracy'] * 100:.2f} %",
        f"{values['same'] * 100:.2f} %",
        "" if apart is None else f"{apart:.1g}",
        f"{values['one_image_us']['median']:,.0f} µs",
        f"{values['images_per_second']['median']:,.0f}",
    )


def _reader(name: str, values: Figures) -> tuple[str, ...]:
    milliseconds = values["one_image_us"]["median"] / 1000
    apart = f"{values['largest_difference']:.1g}"
    return _named(name, values), _size(values), apart, f"{milliseconds:.1f} ms"


def _named(name: str, values: Figures) -> str:
    if "format" not in values:
        return "the bundle itself"
    return f"{NAMES.get(values['format'], values['format'])}, {values['precision']}"


def _size(values: Figures) -> str:
    return f"{values['bytes'] / 2**20:.2f} MiB"
