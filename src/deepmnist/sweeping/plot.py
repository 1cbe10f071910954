"""A picture of trials: the loss against each option that was tried, the best one marked.

Blue, orange and vermilion of Okabe and Ito, and a shape each, so that it reads in any eyes and on
paper. matplotlib is an extra, imported late.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from deepmnist.errors import MissingExtraError
from deepmnist.sweeping import ledger
from deepmnist.sweeping.records import Trial
from deepmnist.sweeping.space import Choices, Dimension, Range, Space, Value, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, VERMILION, GREY = "#0072B2", "#E69F00", "#D55E00", "#777777"
COLUMNS = 3
PANEL_INCHES = (3.6, 3.0)
DOTS_PER_INCH = 130
MARGIN = 0.05  # of an axis, at each end
LONG = 50  # an end of an axis, times the other: more numbers would touch
WIDE = 5.0  # largest loss by smallest, from which on the axis counts by factors


def picture(space: Space, trials: dict[int, Trial]) -> bytes:
    """A PNG with a panel an option. MissingExtraError where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the picture of trials", "train") from error
    columns = min(COLUMNS, len(space.swept))
    rows = math.ceil(len(space.swept) / columns)
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for axes, name in zip(panels, space.swept, strict=False):
        _panel(axes, name, space.swept[name], trials)
    for axes in list(panels):
        axes.set_visible(False)
    first = figure.axes[0]
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    packed = io.BytesIO()
    figure.savefig(packed, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return packed.getvalue()


def _panel(axes: Axes, name: str, dimension: Dimension, trials: dict[int, Trial]) -> None:
    ranked = ledger.ranked(trials)
    stopped = [trial for trial in trials.values() if trial.state == "stopped"]
    failed = [trial for trial in trials.values() if trial.state == "failed"]

    def across(some: list[Trial]) -> list[Any]:
        return [_place(dimension, trial.values[name]) for trial in some]

    losses = [trial.loss or 0.0 for trial in ranked]
    axes.plot(across(ranked), losses, "o", color=BLUE, alpha=0.75, label="finished")
    for some, mark, label in ((stopped, "v", "stopped early"), (failed, "x", "failed")):
        if some:  # they have no loss: at the upper edge
            axes.plot(
                across(some),
                [1.0] * len(some),
                mark,
                color=ORANGE if mark == "v" else GREY,
                transform=axes.get_xaxis_transform(),
                clip_on=False,
                label=label,
            )
    style = {"color": VERMILION, "markersize": 15, "markeredgecolor": "black"}
    axes.plot(across(ranked[:1]), losses[:1], "*", label="best", **style)  # type: ignore[arg-type]
    _axes(axes, name, dimension, losses)


def _axes(axes: Axes, name: str, dimension: Dimension, losses: list[float]) -> None:
    axes.set_xlabel(name)
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if isinstance(dimension, Choices):
        axes.set_xticks(range(len(dimension.values)), [str(value) for value in dimension.values])
        axes.set_xlim(-0.5, len(dimension.values) - 0.5)
    else:
        if dimension.log:
            _by_factors(axes, dimension.high / dimension.low)
        axes.set_xlim(*_limits(dimension))
    if min(losses) > 0 and max(losses) / min(losses) > WIDE:
        axes.set_yscale("log")
    if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        axes.set_ylabel("validation loss, nats")


def _by_factors(axes: Axes, span: float) -> None:
    """A logarithmic axis whose numbers can be read: 0.001, 0.002, 0.005; fewer on a long one."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if span < LONG else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: shown(float(value))))
    axes.xaxis.set_minor_locator(NullLocator())


def _limits(dimension: Range) -> tuple[float, float]:
    """All that could have been tried, with a margin."""
    low, high = float(dimension.low), float(dimension.high)
    if dimension.log:
        margin = (high / low) ** MARGIN
        return low / margin, high * margin
    margin = (high - low) * MARGIN
    return low - margin, high + margin


def _place(dimension: Dimension, value: Value) -> float:
    """Where on the axis a value is: choices stand side by side."""
    return dimension.values.index(value) if isinstance(dimension, Choices) else float(value)
