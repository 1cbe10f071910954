"""cli/tables.py: what an evaluation looks like on a terminal."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deepmnist.cli import tables
from deepmnist.data import Dataset
from deepmnist.evaluation import Report, evaluate


class NextClass:
    """Takes the images of a set of one a class, in order, each for the class after its own."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names

    def predict_proba(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.roll(np.eye(len(images), dtype=np.float32), 1, axis=1)


def report(classes: int) -> Report:
    """Of one image a class, each taken for another."""
    labels = np.arange(classes, dtype=np.uint8)
    names = tuple(f"c{number}" for number in range(classes))
    dataset = Dataset(np.zeros((classes, 28, 28), np.uint8), labels, names, "many")
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
