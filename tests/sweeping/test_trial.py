"""trial.py: a trial is the run that `train` would make of its configuration, told as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deepmnist import calibration, devices, recipes, training
from deepmnist.errors import StorageError
from deepmnist.recipes import TrainingConfig
from deepmnist.sweeping import trial
from deepmnist.sweeping.ledger import Broken, Ended, Message, Validated
from tests.squares import squares

TRAINING, VALIDATION = squares(80), squares(40, seed=1)
SMALL: dict[str, Any] = {"epochs": 2, "batch_size": 16, "precision": "float32"}


@pytest.fixture(autouse=True)
def any_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow runs in this process already."""
    monkeypatch.setattr(devices, "limit_threads", lambda cores: None)


def told(folder: Path, config: TrainingConfig) -> list[Message]:
    messages: list[Message] = []
    trial.run(folder, config, TRAINING, VALIDATION, 1, messages.append)
    return messages


def test_a_trial_tells_each_epoch_and_ends_with_the_figures_of_training_alone(
    tmp_path: Path,
) -> None:
    config = recipes.configure("fast", **SMALL)
    *epochs, ended = told(tmp_path, config)
    alone = training.train(TRAINING, VALIDATION, config)
    labels = VALIDATION.required_labels()
    accuracy, loss = training.score(alone.validation_logits, labels)
    temperature = calibration.fit_temperature(alone.validation_logits, labels)
    calibrated = training.score(alone.validation_logits / temperature, labels)[1]
    assert isinstance(ended, Ended)
    assert ended.loss == pytest.approx(calibrated)
    assert (ended.accuracy, ended.reason) == (accuracy, None)
    points = [each.point for each in epochs if isinstance(each, Validated)]
    assert [(point.step, point.steps, point.epoch) for point in points] == [
        (5, 10, 1.0),
        (10, 10, 2.0),
    ]
    assert points[-1].loss == loss


def test_an_ensemble_s_trial_tells_which_net_and_ends_with_the_average_s_loss(
    tmp_path: Path,
) -> None:
    *epochs, ended = told(tmp_path, recipes.configure("fast", **SMALL, members=2))
    points = [each.point for each in epochs if isinstance(each, Validated)]
    assert [point.member for point in points] == [1, 1, 2, 2]
    assert isinstance(ended, Ended)
    assert ended.loss not in {point.loss for point in points}


def test_a_trial_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    config = recipes.configure("fast", **SMALL)
    first = told(tmp_path, config)
    (again,) = told(tmp_path, config)
    assert isinstance(again, Ended)
    assert isinstance(first[-1], Ended)
    assert (again.loss, again.seconds) == (first[-1].loss, pytest.approx(first[-1].seconds, rel=1))


def test_a_run_that_diverges_is_told_as_a_failed_trial(tmp_path: Path) -> None:
    changed = {**SMALL, "learning_rate": 1e9, "kernel_rate": 1e9, "epochs": 10}
    ended = told(tmp_path, recipes.configure("fast", **changed))[-1]
    assert isinstance(ended, Ended)
    assert ended.loss is None
    assert str(ended.reason).startswith(("the loss is no finite", "a weight is no finite"))
    assert ";" not in str(ended.reason)


def test_a_full_disk_is_no_fault_of_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise StorageError("cannot write it: no space left on device")

    monkeypatch.setattr(training, "train", full)
    assert told(tmp_path, recipes.configure("fast", **SMALL)) == [
        Broken("cannot write it: no space left on device")
    ]
