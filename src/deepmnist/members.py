"""The nets of a run: one, or an ensemble's members one after another, each from its checkpoint.

A member is a run of its own but for the folder. One that was trained to its last step is only
restored, so that a run killed in the fourth member goes on there; and one training at a time is in
memory. What becomes of the finished nets is delivery.py's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepmnist import checkpoints, display, history, recipes, runfolder, training
from deepmnist.data import Dataset
from deepmnist.runfolder import RunRecord

if TYPE_CHECKING:
    import keras


def train(
    folder: Path,
    record: RunRecord,
    training_set: Dataset,
    validation: Dataset,
    screen: display.Display,
    teacher: keras.Model | None = None,
) -> training.Trained:
    """Train every member that is not finished; the only net, or the average of all."""
    config = record.config
    trained = []
    for number in range(1, config.members + 1):
        if config.members > 1:
            screen.message(f"member {number} of {config.members}")
        net = _Member(folder, record, number, screen)
        trained.append(net.train(training_set, validation, teacher))
    return trained[0] if len(trained) == 1 else training.average(trained, config, validation)


class _Member:
    """One net and what it leaves in the run's folder. `number` counts from 1."""

    def __init__(
        self, folder: Path, record: RunRecord, number: int, screen: display.Display
    ) -> None:
        members = record.config.members
        self.config = recipes.member(record.config, number - 1)
        self.folder, self.screen = folder, screen
        self.number = number if members > 1 else None
        self.checkpoints = runfolder.of_member(folder / runfolder.CHECKPOINTS, number, members)
        board = runfolder.of_member(folder / runfolder.TENSORBOARD, number, members)
        self.board = history.TensorBoard(board) if record.tensorboard else None

    def train(
        self, training_set: Dataset, validation: Dataset, teacher: keras.Model | None
    ) -> training.Trained:
        """From the newest checkpoint, if there is one, to the last step."""
        start = checkpoints.latest(self.checkpoints)
        history.rewind(self.folder, start.step if start else 0, self.number)
        try:
            return training.train(
                training_set,
                validation,
                self.config,
                self._observe,
                self._save,
                start,
                self.screen.begin,
                teacher,
            )
        finally:
            self.screen.end()

    def _observe(self, progress: training.Progress) -> None:
        self.screen.update(progress)
        history.append(self.folder, progress, self.number)
        if self.board:
            self.board.write(progress)

    def _save(self, checkpoint: checkpoints.Checkpoint) -> None:
        checkpoints.save(self.checkpoints, checkpoint)
