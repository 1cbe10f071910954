"""The measured figures of README and of pages in docs/, from benchmarks/results/*.json.

    python -m benchmarks.tables

They stand between two marks. Nobody types a figure there: tests/test_docs.py holds the pages to the
JSON. Recipes come in the JSON's order; a measurement that has not been made yet leaves no sentence.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    exports_table,
    inference_table,
    markdown,
    reader_table,
    results,
    scale_table,
    serve_table,
    terminal,
    tutorial_v1,
)
from deepmnist import atomic, machine, recipes

README = Path(__file__).parents[1] / "README.md"
READING = README.parent / "docs" / "reading.md"
DEPLOY = README.parent / "docs" / "deploy.md"
SERVE = README.parent / "docs" / "serve.md"
SCALE = README.parent / "docs" / "scale.md"
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->\n)", re.DOTALL)
WIDTH = 100  # characters of a line of text
GIB = 2**30
TRAINING = (
    "Training time holds building, tracing and compiling. Of recipes it is the mean, of the "
    "tutorial the median, and a share divides one by the other, of the same machine and day."
)
PUBLISHED = (
    f"the tutorial as published, its last layer put right: {tutorial_v1.STEPS:,} steps of "
    f"{tutorial_v1.BATCH} on TensorFlow 1's interface"
)
MARKS = "¹²³⁴⁵⁶⁷⁸⁹"  # of notes under the table, of which there are never more than recipes

Figures = dict[str, Any]


def main() -> None:
    """Write each page's measured block anew."""
    for path, block in PAGES.items():
        atomic.write(path, rewritten(path.read_text(), block()).encode())
        print(path)


def rewritten(page: str, block: str) -> str:
    """`page` with another measured block. ValueError where it has no such block, or several."""
    block = f"\n{block}\n"
    page, count = BLOCK.subn(lambda marks: marks[1] + block + marks[2], page)
    if count != 1:
        raise ValueError(
            f"the page has {count} <!-- measured --> ... <!-- /measured --> blocks, not 1"
        )
    return page


def measured(folder: Path = results.FOLDER) -> str:
    """The table of recipes and a paragraph of whatever else `folder` holds, as Markdown."""
    found = _read(folder / "recipes.json")
    if found is None:
        raise ValueError(f"{folder} holds no recipes.json; run python -m benchmarks.recipes first")
    parts = [f"{'; '.join(_ground(found))}.", _table(found), *_paragraphs(found, folder)]
    return "\n\n".join(parts) + "\n"


def _paragraphs(found: Figures, folder: Path) -> list[str]:
    """The table's notes, then a sentence of each measurement, those of another machine apart."""
    here = machine.named(found["machine"])
    told = {here: [TRAINING]}
    for name, sentence in SENTENCES.items():
        if figures := _read(folder / f"{name}.json"):
            where = here if name in OF_ANY_MACHINE else machine.named(figures["machine"])
            told.setdefault(where, []).append(_dated(sentence(figures), figures, found))
    marks = _marks(found).items()
    notes = " ".join(f"{mark} {ground[0].upper()}{ground[1:]}." for ground, mark in marks)
    paragraphs = (
        " ".join(sentences if where == here else [f"On {where}:", *sentences])
        for where, sentences in told.items()
    )
    texts = filter(None, [notes, *paragraphs])
    return [textwrap.fill(each, WIDTH, break_on_hyphens=False) for each in texts]


def _dated(sentence: str, figures: Figures, newest: Figures) -> str:
    """The sentence with its day, where that is not the newest recipe's."""
    day = figures["date"]
    return sentence if day == newest["date"] else f"{sentence.removesuffix('.')} ({day})."


def reading(folder: Path = results.FOLDER) -> str:
    """What reader.json holds of ours and its peers, as Markdown."""
    figures = _read(folder / "reader.json")
    return reader_table.written(figures) if figures else "Not measured yet.\n"


def deploying(folder: Path = results.FOLDER) -> str:
    """What exports.json holds of every format and inference.json of runtimes, as Markdown."""
    parts = {"exports": exports_table.written, "inference": inference_table.written}
    found = {name: _read(folder / f"{name}.json") for name in parts}
    told = [parts[name](figures) for name, figures in found.items() if figures]
    return "\n".join(told) or "Not measured yet.\n"


def serving(folder: Path = results.FOLDER) -> str:
    """What serve.json and soak.json hold of the service under load, as Markdown."""
    figures = _read(folder / "serve.json")
    soak = _read(folder / "soak.json")
    return serve_table.written(figures, soak) if figures else "Not measured yet.\n"


def scaling(folder: Path = results.FOLDER) -> str:
    """What 10 billion pictures take, of what has been measured, as Markdown."""
    names = ("cluster", "plan", "pace", "scale")
    return scale_table.written(*(_read(folder / f"{name}.json") for name in names))


def _read(path: Path) -> Figures | None:
    return json.loads(path.read_text()) if path.exists() else None


def _ground(figures: Figures) -> tuple[str, str, str]:
    """On what machine, with which TensorFlow, on which day."""
    versions = figures["versions"]
    tensorflow = versions.get("tensorflow-cpu") or versions["tensorflow"]
    return machine.named(figures["machine"]), f"TensorFlow {tensorflow}", figures["date"]


def _marks(figures: Figures) -> dict[str, str]:
    """What marks each ground but the newest on which recipes were measured."""
    grounds = (_elsewhere(values, figures) for values in figures["recipes"].values())
    return dict(zip(dict.fromkeys(filter(None, grounds)), MARKS, strict=False))


def _table(figures: Figures) -> str:
    head = ("recipe", "test accuracy, mean (sd)", "seeds", "training", "of the tutorial's time",
            "memory")  # fmt: skip
    marks = _marks(figures)
    rows = [
        _row(
            _recipe(name, values) + marks.get(_elsewhere(values, figures), ""),
            values,
            teacher=figures["recipes"].get(values.get("configuration", {}).get("teacher"), {}),
        )
        for name, values in figures["recipes"].items()
    ]
    baseline = figures.get("baseline")
    if baseline:
        rows.append(_row(PUBLISHED, baseline))
    return markdown.table(head, rows)


def _recipe(name: str, values: Figures) -> str:
    default = ", the default" if name == recipes.DEFAULT_RECIPE else ""
    size = f"{values['steps']:,} steps of {_batches(values)}, {values['parameters']:,} parameters"
    return f"`{name}`{default}: {size}"


def _batches(values: Figures) -> str:
    """Images a step: while the rate rises, and then."""
    whole = values["batch_size"]
    small = round(whole * values.get("configuration", {}).get("warmup_batch", 1.0))
    return str(whole) if small == whole else f"{small}, then {whole}"


def _elsewhere(values: Figures, figures: Figures) -> str:
    """On what ground a recipe was measured, where that is not the newest ones'; and its remark."""
    merged = {**figures, **values}
    own = (*_ground(merged), *_beside(merged), values.get("remark", ""))
    newest = (*_ground(figures), *_beside(figures), "")
    return "; ".join(one for one, other in zip(own, newest, strict=True) if one != other)


def _beside(figures: Figures) -> tuple[str, ...]:
    """The tutorial's time beside it, and its day where that is another; nothing if not known."""
    if baseline := figures.get("baseline"):
        day = baseline.get("date", figures["date"])
        later = "" if day == figures["date"] else f" on {day}"
        return (f"the tutorial took {baseline['train_seconds']['median']:,.1f} s{later}",)
    return ("",)


def _row(label: str, values: Figures, teacher: Figures | None = None) -> tuple[str, ...]:
    """teacher: its record, of a recipe that has one."""
    accuracy = values["test_accuracy"]
    peaks = filter(None, [_peak(values), _peak(teacher or {})])
    sd = "" if accuracy["sd"] is None else f" ({accuracy['sd'] * 100:.2f})"
    return (
        label,
        f"{accuracy['mean'] * 100:.2f} %{sd}",
        str(accuracy["n"]),
        _seconds(values),
        _share(values),
        ", its teacher ".join(peaks),
    )


def _peak(values: Figures) -> str:
    memory = values.get("peak_memory_bytes")
    return f"{memory / GIB:.2f} GiB" if memory else ""


def _seconds(values: Figures) -> str:
    times, teacher = values["train_seconds"], values.get("teacher_train_seconds")
    own = times.get("median", times["mean"])  # the tutorial's, which shares are of
    return f"{own:,.1f} s" + (f", its teacher {teacher['mean']:,.1f} s" if teacher else "")


def _share(values: Figures) -> str:
    """Of the tutorial's time; with its teacher's where it has one to make."""
    own, whole = values.get("share_of_tutorial_time"), values.get("share_with_teacher")
    return share(own) + (f", with its teacher {share(whole)}" if whole else "")


def share(value: float | None) -> str:
    """A share of the tutorial's time as people say it: 1/25 below a tenth, never flattering."""
    if value is None:
        return ""
    return f"1/{math.floor(1 / value):,}" if value <= 0.1 else f"{value:.2f}"


def _startup(figures: Figures) -> str:
    train, shortest = figures["train"], figures["help"]
    return (
        f"A whole `deepmnist train` of `{recipes.DEFAULT_RECIPE}` takes "
        f"{train['outside_training_seconds']:.1f} s more: loading "
        "TensorFlow and the data, validating, testing, the model, the report. `deepmnist --help` "
        f"takes {shortest['median_seconds']:.2f} s, and `deepmnist predict one.png`, all of it, "
        f"{figures['predict_one_png']['median_seconds']:.2f} s."
    )


def _kills(figures: Figures) -> str:
    return (
        f"{figures['times']} runs on scikit-learn's digits were killed with `kill -9` at random "
        f"moments, {figures['kills']} times in all, and resumed, {figures['resumed_midway']} times "
        f"in the middle of the steps: {figures['equal']} ended with the same weights, bit for bit."
    )


def _limits(figures: Figures) -> str:
    shares = ", ".join(
        f"`{name}` {values['share_of_peak'] * 100:.0f} %{_alone(name)}"
        for name, values in figures["recipes"].items()
    )
    added = [
        values["augmentation_share"] * 100
        for values in figures["recipes"].values()
        if "augmentation_share" in values
    ]
    told = f" Augmentation takes {min(added):.0f} to {max(added):.0f} % of a step." if added else ""
    reached = "Of the fastest matrix product in its number format, a training step reaches"
    return f"{reached}: {shares}.{told}"


def _alone(name: str) -> str:
    """limits.py leaves a teacher's part of a step out."""
    taught = name in recipes.RECIPES and recipes.RECIPES[name].teacher is not None
    return " (without its teacher)" if taught else ""


def _scale(figures: Figures) -> str:
    mapped = [run for run in figures["runs"] if run.get("layout") != "shards"]
    sharded = [run for run in figures["runs"] if run.get("layout") == "shards"]
    sizes = ", ".join(f"{run['images']:,}" for run in mapped)
    text = (
        f"`{figures['recipe']}`, all its batches whole, on {sizes} memory-mapped images takes "
        f"{_times(mapped)} µs an image and at most {_memory(mapped)}"
    )
    return text + (f"; in shards {_times(sharded)} µs and {_memory(sharded)}." if sharded else ".")


def _times(runs: list[Figures]) -> str:
    return ", ".join(f"{run['microseconds_per_image']:.0f}" for run in runs)


def _memory(runs: list[Figures]) -> str:
    return f"{max(run['peak_resident_bytes'] for run in runs) / GIB:.2f} GiB"


SENTENCES: dict[str, Callable[[Figures], str]] = {
    "startup": _startup,
    "kills": _kills,
    "limits": _limits,
    "scale": _scale,
}

OF_ANY_MACHINE = {"kills"}

PAGES: dict[Path, Callable[[], str]] = {
    README: measured,
    READING: reading,
    DEPLOY: deploying,
    SERVE: serving,
    SCALE: scaling,
}

if __name__ == "__main__":
    terminal.run(main)
