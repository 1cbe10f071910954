"""An evaluation, or a sweep, as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from deepmnist.cli.answers import visible
from deepmnist.evaluation import Report
from deepmnist.rounding import percent

if TYPE_CHECKING:
    from deepmnist.sweeping.job import Swept

SHOWN_MISTAKES = 10
SHOWN_CONFUSIONS = 10
UNBOUNDED = 100_000  # characters, more than any matrix of 256 classes is wide
SHOWN_TRIALS = 5


def print_report(report: Report, model: str) -> None:
    """Everything but the pictures, to stdout."""
    console = Console(highlight=False, markup=False, emoji=False)  # a class may be called [red]
    console.print(visible(f"{model} on {report.dataset_name}: {report.n:,} images"))
    console.print(_headline(report))
    console.print(_classes(report))
    matrix = _confusion(report)
    console.print(matrix if _fits(matrix, console) else _confusions(report))
    if report.mistakes:
        console.print(_mistakes(report))


def _headline(report: Report) -> Table:
    accuracy, low, high = (percent(it, report.n) for it in (report.accuracy, *report.interval))
    table = Table.grid(padding=(0, 2))
    table.add_row("Accuracy", f"{accuracy} ({report.correct} of {report.n})")
    table.add_row("95 % interval (Wilson)", f"{low} to {high}")
    table.add_row("Negative log-likelihood", f"{report.negative_log_likelihood:.4f} nats")
    table.add_row("Brier score", f"{report.brier:.4f}")
    table.add_row("Expected calibration error", f"{report.expected_calibration_error:.2%}")
    return table


def _classes(report: Report) -> Table:
    table = Table(title="Classes", title_justify="left")
    table.add_column("class")
    for name in ("images", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for score in report.classes:
        shares = (score.precision, score.recall, score.f1)
        cells = ("-" if share is None else percent(share, report.n) for share in shares)
        table.add_row(visible(score.name), str(score.n), *cells)
    return table


def _confusion(report: Report) -> Table:
    table = Table(title="Confusion matrix: rows are true, columns predicted", title_justify="left")
    table.add_column("")
    names = _names(report)
    for name in names:
        table.add_column(name, justify="right")
    for name, row in zip(names, report.confusion, strict=True):
        table.add_row(name, *(str(count) if count else "." for count in row))
    return table


def _fits(table: Table, console: Console) -> bool:
    """Whether all its columns can be read."""
    unbounded = console.options.update(max_width=UNBOUNDED)
    return Measurement.get(console, unbounded, table).maximum <= console.width


def _confusions(report: Report) -> Table:
    """What the matrix holds beside its diagonal, for a terminal too narrow for it."""
    table = Table(title="Most frequent confusions", title_justify="left")
    for name in ("true", "predicted", "images"):
        table.add_column(name, justify="right")
    names = _names(report)
    for true, predicted, count in report.confusions()[:SHOWN_CONFUSIONS]:
        table.add_row(names[true], names[predicted], str(count))
    return table


def _mistakes(report: Report) -> Table:
    table = Table(title="Most confident mistakes", title_justify="left")
    for name in ("image", "true", "predicted", "probability"):
        table.add_column(name, justify="right")
    names = _names(report)
    for mistake in report.mistakes[:SHOWN_MISTAKES]:
        true, predicted = names[mistake.true], names[mistake.predicted]
        table.add_row(str(mistake.index), true, predicted, f"{mistake.probability:.2%}")
    return table


def _names(report: Report) -> list[str]:
    """The classes' names, fit for a terminal."""
    return [visible(name) for name in report.class_names]


def print_trials(swept: Swept) -> None:
    """The best trials, and how many there were, to stdout."""
    from deepmnist.sweeping import ledger, space

    ranked = ledger.ranked(swept.trials)
    states = [trial.state for trial in swept.trials.values()]
    counts = (f"{states.count(state)} {state}" for state in ("finished", "stopped", "failed"))
    table = Table(title=f"The best of {len(states)} trials: {', '.join(counts)}")
    table.title_justify = "left"
    for name in ("trial", "loss, nats", "accuracy", "seconds", *swept.space.swept):
        table.add_column(name, justify="right")
    for trial in ranked[:SHOWN_TRIALS]:
        figures = (f"{trial.loss:.4f}", f"{trial.accuracy:.2%}", f"{trial.seconds:.1f}")
        values = (visible(space.shown(trial.values[name])) for name in swept.space.swept)
        table.add_row(str(trial.number), *figures, *values)
    Console(highlight=False, markup=False, emoji=False).print(table)
