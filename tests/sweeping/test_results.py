"""results.py, plot.py: every trial is in the table once; `train` takes the best one."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from deepmnist import recipes
from deepmnist.sweeping import plot, results, space
from deepmnist.sweeping.records import Trial
from tests.sweeping.trials import SPACE, curve, trial

TRIALS = {
    1: trial(1, loss=0.2),
    2: trial(2, loss=0.1, rate=0.003),
    3: trial(3, state="failed", reason='a loss, "no" number'),
    4: trial(4, state="stopped", curve=curve(0.9, 0.8)),
    5: trial(5, state="running"),
}
PNG = b"\x89PNG\r\n\x1a\n"


def test_the_table_has_every_trial_once_by_number() -> None:
    lines = list(csv.DictReader(io.StringIO(results.table(SPACE, TRIALS))))
    assert [int(line["trial"]) for line in lines] == [1, 2, 3, 4, 5]
    assert lines[1]["learning_rate"] == "0.003"
    assert float(lines[1]["validation_loss"]) == 0.1
    assert lines[2]["reason"] == 'a loss, "no" number'
    assert lines[3]["validation_loss"] == ""


def test_the_best_configuration_is_what_train_makes_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / 'a "model"\\ü'
    folder.mkdir()
    settings = [
        "learning_rate=log:1e-7..1e-2",
        "batch_size=32..64",
        "optimizer=adam,muon",
        f"teacher={folder}",
        "teaching=0.5",
        "epochs=2",
    ]
    there = space.parse("balanced", settings, seed=4)
    values: space.Values = {"learning_rate": 3e-7, "batch_size": 48, "optimizer": "adam"}
    best = Trial(number=1, values=values, state="finished", loss=0.1, accuracy=0.9, seconds=1.0)
    path = tmp_path / "best.toml"
    path.write_text(results.toml(there, {1: best}), encoding="utf-8")
    assert recipes.configure(**recipes.read_toml(path)) == there.config(values)
    assert path.read_text().startswith("# The best of 1 trials of a sweep, trial 1")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_picture_has_a_panel_an_option_and_takes_every_kind_of_trial(count: int) -> None:
    settings = ["learning_rate=1e-4..1e-2", "optimizer=adam,muon", "members=1..4", "scale=0..0.2"]
    there = space.parse("fast", settings[:count])
    every: space.Values = {"learning_rate": 0.001, "optimizer": "adam", "members": 2, "scale": 0.1}
    values = {name: every[name] for name in there.swept}
    trials = {
        number: Trial(
            **{**{f: getattr(each, f) for f in Trial.__struct_fields__}, "values": values}
        )
        for number, each in TRIALS.items()
    }
    data = plot.picture(there, trials)
    assert data.startswith(PNG)
    assert plot.picture(there, trials) == data
