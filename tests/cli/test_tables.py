"""cli/tables.py: what an evaluation looks like on a terminal."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist.cli import tables
from deepmnist.data import Dataset
from deepmnist.evaluation import Report, evaluate
from deepmnist.sweeping.records import Trial


class NextClass:
    """Takes the images of a set of one a class, in order, each for the class after its own."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names

    def predict_proba(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.roll(np.eye(len(images), dtype=np.float32), 1, axis=1)


def report(classes: int, mark: str = "c") -> Report:
    """Of one image a class, each taken for another; the set is called as its classes begin."""
    labels = np.arange(classes, dtype=np.uint8)
    names = tuple(f"{mark}{number}" for number in range(classes))
    dataset = Dataset(np.zeros((classes, 28, 28), np.uint8), labels, names, mark)
    return evaluate(NextClass(names), dataset)


@pytest.mark.parametrize(("classes", "fits"), [(10, True), (40, False)])
def test_a_matrix_wider_than_the_terminal_becomes_a_list(
    classes: int,
    fits: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tables.print_report(report(classes), "model")
    shown = capsys.readouterr().out
    assert ("Confusion matrix" in shown) == fits
    assert ("Most frequent confusions" in shown) != fits
    assert all(f"c{number}" in shown for number in range(10))


@pytest.mark.parametrize("classes", [3, 40])
def test_what_a_terminal_would_obey_is_shown_and_not_sent(
    classes: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tables.print_report(report(classes, "\x1b]0;x"), "\x1b[2J")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"\x1b[2J on \x1b]0;x: " in shown
    assert shown.count(r"\x1b]0;x2") >= 3


def test_a_trial_s_values_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    trial = Trial(
        number=1,
        values={"teacher": "\x1b]0;x"},
        state="finished",
        loss=0.1,
        accuracy=0.9,
        seconds=1.0,
    )
    swept = SimpleNamespace(trials={1: trial}, space=SimpleNamespace(swept=["teacher"]))
    tables.print_trials(swept)  # type: ignore[arg-type]
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"\x1b]0;x" in shown
