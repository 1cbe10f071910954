"""The nets of a run: one, or an ensemble's members one after another, each from its checkpoint.

A member is a run of its own but for the folder. One that was trained to its last step is only
restored, so that a run killed in the fourth member goes on there; and one training at a time is in
memory. What becomes of the finished nets is delivery.py's business.
"""

from __future__ import annotations

import gc
from pathlib import Path

from deepmnist import checkpoints, display, history, joint, recipes, runfolder, training
from deepmnist.data import Dataset
from deepmnist.runfolder import RunRecord
from deepmnist.teaching import Teacher
from deepmnist.workers import ALONE, Workers


def train(
    folder: Path,
    record: RunRecord,
    training_set: Dataset,
    validation: Dataset,
    screen: display.Display,
    teacher: Teacher | None = None,
    workers: Workers = ALONE,
) -> training.Trained:
    """Train every member that is not finished; the average of all, the net itself if it is one.

    Of several workers the chief alone reads, writes and shows; the others get its checkpoints.
    """
    config = record.config
    trained = []
    for number in range(1, config.members + 1):
        if config.members > 1:
            screen.message(f"member {number} of {config.members}")
            gc.collect()  # the last one's graphs lie in cycles, for which nothing else looks soon
        net = _Member(folder, record, number, screen, workers)
        trained.append(net.train(training_set, validation, teacher))
    return training.average(trained, config, validation)


class _Member:
    """One net and what it leaves in the run's folder. `number` counts from 1."""

    def __init__(
        self,
        folder: Path,
        record: RunRecord,
        number: int,
        screen: display.Display,
        workers: Workers,
    ) -> None:
        members = record.config.members
        self.config = recipes.member(record.config, number - 1)
        self.folder, self.screen, self.workers = folder, screen, workers
        self.number = number if members > 1 else None
        self.checkpoints = runfolder.of_member(folder / runfolder.CHECKPOINTS, number, members)
        board = runfolder.of_member(folder / runfolder.TENSORBOARD, number, members)
        writes = workers.index == joint.CHIEF
        self.board = history.TensorBoard(board) if record.tensorboard and writes else None
        self.observe = self._observe if writes else _unseen

    def train(
        self, training_set: Dataset, validation: Dataset, teacher: Teacher | None
    ) -> training.Trained:
        """From the newest checkpoint, if there is one, to the last step."""
        start = joint.from_chief(self.workers, self._latest, checkpoints.pack, checkpoints.unpack)
        try:
            return training.train(
                training_set,
                validation,
                self.config,
                self.observe,
                self._save,
                start,
                self.screen.begin,
                teacher,
                workers=self.workers,
            )
        finally:
            self.screen.end()

    def _latest(self) -> checkpoints.Checkpoint | None:
        """The newest checkpoint, with the history cut back to it."""
        start = checkpoints.latest(self.checkpoints)
        history.rewind(self.folder, start.step if start else 0, self.number)
        return start

    def _observe(self, progress: training.Progress) -> None:
        self.screen.update(progress)
        history.append(self.folder, progress, self.number)
        if self.board:
            self.board.write(progress)

    def _save(self, checkpoint: checkpoints.Checkpoint) -> None:
        joint.check_alike(self.workers, lambda: checkpoint)
        joint.by_chief(self.workers, lambda: checkpoints.save(self.checkpoints, checkpoint))


def _unseen(progress: training.Progress) -> None:
    """What a worker other than the chief does with it."""
