"""What a sweep leaves for people and programs: trials.csv, best.toml, trials.png."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from deepmnist import atomic
from deepmnist.sweeping import ledger, plot
from deepmnist.sweeping.records import Trial
from deepmnist.sweeping.space import Space, Value

TABLE = "trials.csv"
PICTURE = "trials.png"
BEST = "best.toml"
COLUMNS = ("trial", "state", "validation_loss", "validation_accuracy", "train_seconds")


def write(folder: Path, space: Space, trials: dict[int, Trial]) -> None:
    """All three. StorageError where one cannot be written; there must be a finished trial."""
    atomic.write(folder / TABLE, table(space, trials).encode())
    atomic.write(folder / BEST, toml(space, trials).encode())
    atomic.write(folder / PICTURE, plot.picture(space, trials))


def table(space: Space, trials: dict[int, Trial]) -> str:
    """Every trial as a line of CSV, by number; loss in nats, accuracy a share. Stopped and failed
    trials have no figures but the reason."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *space.swept, "reason"])
    for _, trial in sorted(trials.items()):
        figures = [trial.loss, trial.accuracy, trial.seconds]
        values = [trial.values[name] for name in space.swept]
        writer.writerow([trial.number, trial.state, *figures, *values, trial.reason])
    return text.getvalue()


def toml(space: Space, trials: dict[int, Trial]) -> str:
    """The best configuration as `deepmnist train --config` reads it, with how it was found."""
    best = ledger.ranked(trials)[0]
    specs = "".join(f"#   {name} = {spec}\n" for name, spec in space.specs().items())
    lines = (f"{name} = {_toml(value)}\n" for name, value in space.settings(best.values).items())
    return (
        f"# The best of {len(trials)} trials of a sweep, trial {best.number}, by its loss on the\n"
        f"# validation images: {best.loss:.4f} nats ({best.accuracy:.2%}). It was chosen by that\n"
        "# figure, so expect a little less of it: train it, and the test set tells.\n"
        f"# What was tried, on top of the recipe:\n{specs}" + "".join(lines)
    )


def _toml(value: Value) -> str:
    """A TOML value: text, numbers are JSON's too."""
    return json.dumps(value, ensure_ascii=False)
