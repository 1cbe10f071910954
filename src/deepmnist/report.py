"""The page that shows a run: one self-contained report.html, made from a Report.

The page asks for nothing: no script, no font, no file beside it; its policy header forbids more.
Curves are SVG drawn by matplotlib and coloured by the page's own style, so one figure serves
light, dark and paper; tables and tiles are HTML, so any class name in any script shows.
It takes what evaluation.py measured and measures nothing itself.
"""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepmnist import atomic
from deepmnist.data.dataset import Dataset
from deepmnist.errors import DataError, MissingExtraError
from deepmnist.evaluation import Answer, Report, wilson_interval
from deepmnist.rounding import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPLATE = "report.html.j2"
TILE_LIMIT = 500  # tiles of hardest images in all: holds the page's size for many classes
CONFUSIONS = 8  # pairs of classes listed beside the matrix
UNDEFINED = "–"  # stands for 0/0

# Drawn in these colours, which the page's own then replace.
INK, GRID, BLUE, ORANGE = "#111111", "#cccccc", "#0000ff", "#ff8000"
PAGE_COLOURS = {
    INK: "currentColor",
    GRID: "var(--line)",
    BLUE: "var(--accent)",
    ORANGE: "var(--mistake)",
}
FIGURE_STYLE: dict[Any, Any] = {  # keys that newer matplotlib types one by one
    "svg.fonttype": "none",  # text stays text, in the page's font
    "text.usetex": False,
    "font.size": 9.0,
    "lines.linewidth": 1.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "legend.frameon": False,
}

History = Sequence[Mapping[str, float]]
Points = list[tuple[float, float]]  # (step, value)
Strands = list[Points]  # one for each member of an ensemble, or the one of a single net; none empty


def write(
    path: Path,
    *,
    report: Report,
    dataset: Dataset,
    history: History,
    facts: Mapping[str, str],
    title: str,
) -> None:
    """Write the page to `path`, whole or not at all.

    dataset: the one `report` was made on; its images are shown.
    history: lines of training in their order, with step and any of loss, validation_accuracy
        (0..1), validation_loss, and of an ensemble the member; what is no finite number is left
        out. May be empty.
    facts: shown as given, in their order.
    Raises DataError where `dataset` is another one, StorageError where `path` cannot be written,
    and MissingExtraError where matplotlib or Jinja2 is not installed.
    """
    if report.dataset_identity != dataset.identity:
        raise DataError(
            f"the report was made on {report.dataset_name}, and {dataset.name} holds other images; "
            "give the data set that was evaluated"
        )
    page = _page(report, dataset, history, facts, title)
    # A class may be named by bytes that are no text: those show as question marks.
    atomic.write(path, page.encode("utf-8", "replace"))


def _page(
    report: Report, dataset: Dataset, history: History, facts: Mapping[str, str], title: str
) -> str:
    try:
        import jinja2
        import matplotlib
    except ImportError as missing:
        raise MissingExtraError("the report", "train") from missing
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number="{:,}".format, percent=partial(_percent, n=report.n))
    template = environment.from_string(files("deepmnist").joinpath(TEMPLATE).read_text("utf-8"))
    with matplotlib.rc_context(FIGURE_STYLE):  # the user's own style would break the page's
        curves = _curves(history)
        reliability = _svg(_reliability_figure(report), "reliability")
    return template.render(
        title=title,
        facts=facts,
        report=report,
        names=report.class_names,
        confusions=report.confusions(),
        taken_for=_taken_for(report),
        listed=CONFUSIONS,
        heat=_heat(report.confusion),
        curves=curves,
        reliability=reliability,
        mistakes=_tiles(report.mistakes, dataset),
        hardest=[_tiles(answers[: _per_class(report)], dataset) for answers in report.hardest],
    )


# --- figures ------------------------------------------------------------------------------------


def _curves(history: History) -> list[dict[str, str]]:
    """A caption and an SVG for each thing that the history tells: the loss, the accuracy."""
    losses = {
        "training": _series(history, "loss"),
        "validation": _series(history, "validation_loss"),
    }
    accuracy = {"validation": _series(history, "validation_accuracy", 100.0)}
    drawn = []
    if any(losses.values()):
        drawn.append(_curve("Loss", "nats", "{:.4f}", losses))
    if any(accuracy.values()):
        drawn.append(_curve("Accuracy", "%", "{:.2f}%", accuracy))
    return drawn


def _series(history: History, key: str, scale: float = 1.0) -> Strands:
    strands: dict[float, Points] = {}
    for line in history:
        if key in line and math.isfinite(line[key]):
            points = strands.setdefault(line.get("member", 1), [])
            points.append((line["step"], line[key] * scale))
    return list(strands.values())


def _curve(caption: str, unit: str, form: str, series: Mapping[str, Strands]) -> dict[str, str]:
    figure = _figure(5.2, 3.0)
    axes = figure.subplots()
    shown = {name: strands for name, strands in series.items() if strands}
    for (name, strands), colour in zip(shown.items(), (BLUE, ORANGE), strict=False):
        _plot(axes, strands, colour, name)
    every = [point for strands in shown.values() for points in strands for point in points]
    if caption == "Loss" and min(value for _, value in every) > 0:
        _logarithmic(axes)
    if unit == "%":
        _within_all(axes)
    if len(shown) > 1:
        axes.legend(loc="upper right")
    axes.set(xlabel="step", ylabel=unit)
    last = ", ".join(f"{name} {_last(form, strands)}" for name, strands in shown.items())
    alt = f"{caption} over {max(step for step, _ in every):,.0f} steps; last: {last}."
    return {"caption": caption, "last": last, "alt": alt, "svg": _svg(figure, caption)}


def _plot(axes: Axes, strands: Strands, colour: str, name: str) -> None:
    """A line for each member, lighter where there are several, and one entry in the legend."""
    alpha = 1.0 if len(strands) == 1 else 0.5
    for number, points in enumerate(strands):
        marker = "o" if len(points) <= 30 else None
        label = "_" if number else name  # what begins with a dash below is left out of the legend
        axes.plot(
            *zip(*points, strict=True), color=colour, marker=marker, ms=3, alpha=alpha, label=label
        )


def _last(form: str, strands: Strands) -> str:
    """The last value, or the mean of the members' last values."""
    mean = form.format(sum(points[-1][1] for points in strands) / len(strands))
    return mean if len(strands) == 1 else f"{mean} (mean of {len(strands)} members)"


def _reliability_figure(report: Report) -> Figure:
    """Accuracy over confidence with its interval in each bin, above how many images are in it."""
    figure = _figure(5.2, 4.6)
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    filled = [b for b in report.reliability if b.n]
    middles = [(b.low + b.high) / 2 for b in filled]
    shares = np.array([b.correct / b.n for b in filled])
    ends = np.array([wilson_interval(b.correct, b.n) for b in filled])
    width = 0.86 / len(report.reliability)
    above.bar(middles, shares, width, color=BLUE, alpha=0.35)
    above.errorbar(middles, shares, np.abs(ends.T - shares), fmt="none", color=BLUE, linewidth=1.2)
    above.plot([0, 1], [0, 1], color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
    below.bar(middles, [b.n for b in filled], width, color=BLUE, alpha=0.6)
    below.set(yscale="log", ylim=(0.7, None), ylabel="images", xlabel="probability of the answer")
    _logarithmic(below)
    figure.align_ylabels()
    return figure


def _logarithmic(axes: Axes) -> None:
    """Labels as plain numbers: at 1, 2 and 5 of each decade where there are few, else at 1."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 300 else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:,g}")


def _within_all(axes: Axes) -> None:
    """Room for no less than 0 % and no more than 100 %, but for the markers at the ends."""
    low, high = axes.get_ylim()
    least, most = max(low, 0.0), min(high, 100.0)
    spare = 0.02 * (most - least)
    axes.set_ylim(max(low, least - spare), min(high, most + spare))


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element of the page: its colours, its font, ids of its own."""
    drawn = io.StringIO()
    figure.savefig(
        drawn, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
    )
    text = drawn.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"| version="[^"]*"', "", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    for drawn_in, shown_in in PAGE_COLOURS.items():
        text = text.replace(drawn_in, shown_in)
    return _with_own_ids(text, re.sub(r"\W", "-", name.lower()))


def _with_own_ids(svg: str, prefix: str) -> str:
    """Ids numbered in order: none is found twice in the page, and equal reports are equal files."""
    ids = re.findall(r' id="([^"]*)"', svg)
    numbers = {old: f"{prefix}-{number}" for number, old in enumerate(ids)}
    return re.sub(
        r'( id="|href="#|url\(#)([^")]*)', lambda match: match[1] + numbers[match[2]], svg
    )


# --- tables and tiles ---------------------------------------------------------------------------


def _heat(confusion: NDArray[np.int64]) -> list[list[float]]:
    """How strongly each cell is coloured, 0..0.85: the diagonal not at all, so mistakes show."""
    wrong = confusion - np.diag(confusion.diagonal())
    strength = np.sqrt(wrong / max(1, wrong.max()))
    heat: list[list[float]] = np.where(wrong > 0, 0.1 + 0.75 * strength, 0.0).round(2).tolist()
    return heat


def _taken_for(report: Report) -> list[tuple[int, int] | None]:
    """For each class the one it was most often taken for, and how often; None where never."""
    first: dict[int, tuple[int, int]] = {}
    for true, predicted, count in report.confusions():
        first.setdefault(true, (predicted, count))
    return [first.get(label) for label in range(len(report.class_names))]


def _per_class(report: Report) -> int:
    return max(1, TILE_LIMIT // len(report.class_names))


def _tiles(answers: Sequence[Answer], dataset: Dataset) -> list[dict[str, Any]]:
    """What the page says of each image, and its picture; dark on light, as ink on paper."""
    names = dataset.class_names
    return [
        {
            "index": answer.index,
            "true": names[answer.true],
            "predicted": names[answer.predicted],
            "wrong": answer.true != answer.predicted,
            "probability": _probability(answer.probability),
            "true_probability": _probability(answer.true_probability),
            "source": _picture(dataset.images[answer.index]),
        }
        for answer in answers
    ]


def _picture(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _percent(share: float | None, n: int) -> str:
    return UNDEFINED if share is None else percent(share, n)


def _probability(probability: float) -> str:
    """No certainty by rounding: what is not 0 or 1 is not shown as 0 or 1."""
    if 0.999 < probability < 1.0:
        return ">99.9%"
    if 0.0 < probability < 0.001:
        return "<0.1%"
    return f"{probability:.1%}"
