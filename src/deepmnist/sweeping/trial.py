"""One trial: a configuration trained on the training part, measured on the validation part.

What a worker does, on its own cores, from the checkpoint that an earlier one may have left. It is
given those two parts and nothing else: there is no test set where it runs. A run that diverges is
what the trial came to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepmnist import calibration, devices, display, machine, members, teaching, training
from deepmnist.data import Dataset
from deepmnist.errors import DeepMNISTError, TrainingError
from deepmnist.recipes import TrainingConfig
from deepmnist.runfolder import RunRecord
from deepmnist.sweeping.ledger import Broken, Ended, Message, Validated
from deepmnist.sweeping.records import Point

if TYPE_CHECKING:
    from deepmnist.batches import Plan
    from deepmnist.teaching import Teacher

Tell = Callable[[Message], None]


def run(
    folder: Path,
    config: TrainingConfig,
    training_set: Dataset,
    validation: Dataset,
    cores: int,
    tell: Tell,
) -> None:
    """Train `config`, telling each validation and the end; its checkpoints are in `folder`.

    Never raises what deepmnist raises on purpose: a trial that cannot be trained is told as a
    failed one, a machine that cannot train any as broken.
    """
    devices.limit_threads(cores)
    devices.prepare_gpus()
    try:
        tell(_trained(folder, config, training_set, validation, tell))
    except TrainingError as error:
        tell(Ended(reason=str(error).partition(";")[0]))  # what to do is the search's to find
    except DeepMNISTError as error:
        tell(Broken(str(error)))


def _trained(
    folder: Path, config: TrainingConfig, training_set: Dataset, validation: Dataset, tell: Tell
) -> Ended:
    record = RunRecord(
        dataset=None,
        data_dir=None,
        resize=False,
        fallback=False,
        identity="",
        config=config,
        tensorboard=False,
        versions=machine.versions(),
    )
    teacher = _teacher(config, training_set)
    trained = members.train(folder, record, training_set, validation, _Told(tell), teacher)
    accuracy, loss = _judged(trained, validation)
    _check_number(loss)
    return Ended(loss=loss, accuracy=accuracy, seconds=trained.train_seconds)


def _judged(trained: training.Trained, validation: Dataset) -> tuple[float, float]:
    """Accuracy and loss (nats) of the model as a run delivers it, at its best temperature.

    Without that, whatever smooths the targets would look worse than it is.
    """
    labels = validation.required_labels()
    if not np.isfinite(trained.validation_logits).all():
        raise TrainingError("a logit is no finite number")
    temperature = calibration.fit_temperature(trained.validation_logits, labels)
    return training.score(trained.validation_logits / np.float32(temperature), labels)


def _teacher(config: TrainingConfig, training_set: Dataset) -> Teacher | None:
    if config.teacher is None:
        return None
    opened = teaching.find(config.teacher, training_set.class_names)
    return teaching.load(opened, devices.resolve_precision(config.precision))


def _check_number(loss: float) -> None:
    if not math.isfinite(loss):
        raise TrainingError("the validation loss is no finite number")


class _Told(display.Silent):
    """Tells of validations and of nothing else."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._member = 0

    def begin(self, plan: Plan, step: int) -> None:
        self._plan = plan
        self._member += 1

    def update(self, progress: training.Progress) -> None:
        loss, accuracy = progress.validation_loss, progress.validation_accuracy
        if loss is None or accuracy is None:
            return
        _check_number(loss)
        point = Point(
            member=self._member,
            step=progress.step,
            steps=self._plan.steps,
            epoch=progress.epoch,
            loss=loss,
            accuracy=accuracy,
        )
        self._tell(Validated(point))
