"""Tables of benchmarks/results/reader.json, as Markdown: how well and how fast who reads.

tables.py puts them into docs/reading.md. Nothing is computed here that the JSON does not hold.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from benchmarks import markdown
from deepmnist import machine

Figures = dict[str, Any]

WIDTH = 100  # characters of a line of text
NAMES = {"deepmnist": "deepmnist", "tesseract": "Tesseract", "rapidocr": "RapidOCR"}


def written(figures: Figures) -> str:
    """The table of all readers, a column each, and a paragraph about ours alone."""
    readers = figures["readers"]
    head = ("read rightly", "n", *map(NAMES.__getitem__, readers))
    table = markdown.table(head, _rows([*readers.values()]))
    text = textwrap.fill(_versions(figures) + " " + _pace(figures["pace"]), WIDTH,
                         break_on_hyphens=False)  # fmt: skip
    return f"{table}\n\n{text}\n"


def _rows(readers: list[Figures]) -> list[tuple[str, ...]]:
    rows = []
    for kind in readers[0]["singles"]:
        rows += _with_sources(f"{kind}, one digit", [each["singles"][kind] for each in readers])
    rows += _with_sources("lines, the whole picture", [each["line"] for each in readers])
    rows.append(_row("sudoku cells, empty ones too", [each["sudoku"] for each in readers]))
    marks = [each["line"] for each in readers]
    rows.append(_other("wrong marks in lines", marks, "characters", "character_error_rate", _share))
    negative = [each["negative"] for each in readers]
    rows.append(_other("AUROC, digits against others", negative, "n", "auroc", "{:.3f}".format))
    rows.append(_other("others taken where 95 % of digits are", negative, "n", "accepted", _share))
    times = [each["singles"]["paper"] for each in readers]
    rows.append(_other("milliseconds, `paper`", times, "n", "milliseconds_median", "{:.1f}".format))
    times = [each["line"] for each in readers]
    rows.append(_other("milliseconds, lines", times, "n", "milliseconds_median", "{:,.0f}".format))
    return rows


def _with_sources(label: str, found: list[Figures]) -> list[tuple[str, ...]]:
    """A row of all, and one of each source where there are several."""
    sources = [*found[0]["by_source"]]
    own = [
        _row(f"– {source}", [each["by_source"].get(source) for each in found])
        for source in sources
        if len(sources) > 1
    ]
    return [_row(label, found), *own]


def _row(label: str, found: list[Figures | None]) -> tuple[str, ...]:
    count = next((each["n"] for each in found if each), 0)
    return label, f"{count:,}", *map(_proportion, found)


def _proportion(values: Figures | None) -> str:
    if not values or not values["n"]:
        return ""
    low, high = values["interval"]
    return f"{_share(values['accuracy'])} ({low * 100:.1f}–{high * 100:.1f})"


def _other(
    label: str,
    found: list[Figures | None],
    counted: str,
    name: str,
    form: Callable[[float], str],
) -> tuple[str, ...]:
    count = next((each[counted] for each in found if each), 0)
    values = [each[name] if each else None for each in found]
    return label, f"{count:,}", *("" if value is None else form(value) for value in values)


def _share(value: float) -> str:
    return f"{value * 100:.1f} %"


def _versions(figures: Figures) -> str:
    told = [
        f"{NAMES[name]}: {', '.join(f'{part} {version}' for part, version in each.items())}"
        for name, each in ((key, values["versions"]) for key, values in figures["readers"].items())
    ]
    missing = [f"{NAMES[name]} was not at hand." for name in figures["missing"]]
    where = f"{machine.named(figures['machine'])}, {figures['date']}."
    return " ".join([where, "; ".join(told) + ".", *missing])


def _pace(pace: Figures) -> str:
    images, photo = pace["images_per_second"], pace["photo"]
    megapixels = photo["pixels"][0] * photo["pixels"][1] // 10**6
    text = (
        f"Ours, from files, on all cores: {pace['crops_per_second']:,.0f} crops of "
        f"{pace['crop_pixels']} pixels a second, and a line in a JPEG of {megapixels} megapixels "
        f"in {photo['milliseconds']:.0f} ms, of which decoding takes "
        f"{photo['milliseconds_decoding']:.0f} ms; of images of 28x28 pixels, "
        f"{images['prepared']:,.0f} images/s."
    )
    memory = pace.get("memory")
    if memory:
        grown = (memory["held"] - memory["held_after_first"]) / 2**20
        text += f" Over {memory['pictures']:,} pictures memory grows by {grown:.0f} MiB."
    return text
