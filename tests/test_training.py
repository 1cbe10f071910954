"""Training: it learns, it repeats itself, it resumes exactly, it stops when it must."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from deepmnist import recipes, training
from deepmnist.checkpoints import Checkpoint
from deepmnist.data import Dataset
from deepmnist.errors import ConfigError, RunError, TrainingError
from deepmnist.teaching import Teacher
from tests.squares import squares

SMALL = {"steps": 24, "batch_size": 16, "precision": "float32"}
TRAINING, VALIDATION = squares(80), squares(40, seed=1)


def train(start: Checkpoint | None = None, **overrides: object):
    """A small run; (trained, checkpoints saved, progress seen)."""
    saved, seen = [], []
    config = recipes.configure(**{"recipe": "fast", **SMALL, **overrides})
    trained = training.train(TRAINING, VALIDATION, config, seen.append, saved.append, start)
    return trained, saved, seen


def test_it_learns() -> None:
    trained, _, seen = train(steps=60)
    predicted = trained.validation_logits.argmax(axis=1)
    assert (predicted == VALIDATION.labels).mean() > 0.9
    assert seen[-1].step == 60
    assert seen[-1].loss < seen[0].loss


def test_the_same_configuration_gives_the_same_weights() -> None:
    first, again, other = train()[0], train()[0], train(seed=1)[0]
    for a, b in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(a, b)
    starts = [run.model.get_layer("conv2").kernel.numpy() for run in (first, other)]
    assert not np.array_equal(*starts)


RESUMED = [
    {"recipe": "fast"},
    {"recipe": "fast", "precision": "mixed_bfloat16"},
    {"recipe": "fast", "optimizer": "adam"},
    {"recipe": "fast", "dropout": 0.4, "label_smoothing": 0.1},
    {"recipe": "fast", "rotation_deg": 10.0, "shift_px": 2.0, "scale": 0.1, "shear": 0.1},
    {"recipe": "balanced"},
    {"recipe": "tutorial", "steps": 8},
]


@pytest.mark.parametrize("overrides", RESUMED, ids=str)
def test_resuming_gives_the_uninterrupted_weights_bit_for_bit(overrides: dict) -> None:
    whole, _, _ = train(**overrides)
    config = recipes.configure(**{**SMALL, **overrides})
    part = training.Training(TRAINING, VALIDATION, config)
    for count in (3, 2, 2):  # crosses an epoch of five batches
        part.advance(min(count, part.plan.alike(part.step)))
    resumed, _, _ = train(start=part.checkpoint(), **overrides)
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def taught(**overrides: object):
    """A net taught by one that has learned the squares, on labels that are all wrong."""
    teacher = Teacher(train(steps=60)[0].model)
    wrong = Dataset(TRAINING.images, ((TRAINING.labels + 1) % 10).astype(np.uint8))
    config = recipes.configure("fast", **{**SMALL, "steps": 60, "teacher": "fast", **overrides})
    return training.train(wrong, VALIDATION, config, teacher=teacher)


@pytest.mark.parametrize(("teaching", "right"), [(1.0, True), (0.9, True), (0.05, False)])
def test_a_student_follows_its_teacher_or_its_labels_as_their_shares_say(
    teaching: float, right: bool
) -> None:
    predicted = taught(teaching=teaching).validation_logits.argmax(axis=1)
    expected = VALIDATION.labels if right else (VALIDATION.labels + 1) % 10
    assert (predicted == expected).mean() > 0.9


def test_a_student_without_its_teacher_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"teaching = 0\.5: no teacher was given; give one"):
        train(teacher="fast", teaching=0.5)


def test_a_teacher_is_no_part_of_its_student_s_checkpoint() -> None:
    teacher = Teacher(train(steps=1)[0].model)
    config = recipes.configure("fast", **SMALL, teacher="fast", teaching=0.5)
    student = training.Training(TRAINING, VALIDATION, config, teacher)
    alone = training.Training(TRAINING, VALIDATION, recipes.configure("fast", **SMALL))
    shapes = [array.shape for array in alone.checkpoint().arrays]
    assert [array.shape for array in student.checkpoint().arrays] == shapes


def test_what_is_finished_is_restored_and_not_saved_again() -> None:
    whole, saved, _ = train()
    again, resaved, seen = train(start=saved[-1])
    assert (resaved, seen) == ([], [])
    for a, b in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_the_state_is_saved_at_the_end() -> None:
    _, saved, _ = train()
    assert [checkpoint.step for checkpoint in saved] == [24]
    assert saved[0].train_seconds > 0


def test_validation_is_measured_at_every_epoch_and_at_the_end() -> None:
    _, _, seen = train(steps=12)  # epochs of five batches
    validated = [progress.step for progress in seen if progress.validation_accuracy is not None]
    assert validated == [5, 10, 12]


def test_ctrl_c_saves_the_state_before_it_goes_on_its_way() -> None:
    saved = []

    def interrupt(progress: training.Progress) -> None:
        if progress.step >= 3:
            raise KeyboardInterrupt

    config = recipes.configure("fast", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        training.train(TRAINING, VALIDATION, config, interrupt, saved.append)
    whole, _, _ = train()
    resumed, _, _ = train(start=saved[-1])
    assert 3 <= saved[-1].step < 24
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.fixture
def at_hand() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.usefixtures("at_hand")
def test_ctrl_c_in_code_that_swallows_everything_stops_after_the_chunk(monkeypatch) -> None:
    score = training.score
    saved, seen = [], []

    def swallow(*arguments: object):
        with suppress(BaseException):  # as a bare except of Keras does
            signal.raise_signal(signal.SIGINT)
        return score(*arguments)

    monkeypatch.setattr(training, "score", swallow)
    config = recipes.configure("fast", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        training.train(TRAINING, VALIDATION, config, seen.append, saved.append)
    assert [checkpoint.step for checkpoint in saved] == [5]  # the first epoch's end
    assert seen[-1].step == 5


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.usefixtures("at_hand")
def test_ctrl_c_while_the_net_is_built_stops_before_its_first_step(monkeypatch) -> None:
    build = training.model.build

    def stop(*arguments: object):
        signal.raise_signal(signal.SIGINT)
        return build(*arguments)

    saved = []
    monkeypatch.setattr(training.model, "build", stop)
    config = recipes.configure("fast", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        training.train(TRAINING, VALIDATION, config, save=saved.append)
    assert [checkpoint.step for checkpoint in saved] == [0]


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step() -> None:
    saved = []
    wild = {"learning_rate": 1e9, "epsilon": 1e-30, "warmup_batch": 1.0}
    config = recipes.configure("fast", **{**SMALL, **wild})
    with pytest.raises(TrainingError, match=r"no finite number at step \d+; try a lower --learn"):
        training.train(TRAINING, VALIDATION, config, save=saved.append)
    assert saved == []  # nothing written over the last good checkpoint


def test_a_weight_that_is_no_number_is_never_saved() -> None:
    run = training.Training(TRAINING, VALIDATION, recipes.configure("fast", **SMALL))
    run.net.variables[0].assign(np.full(run.net.variables[0].shape, np.nan))
    with pytest.raises(TrainingError, match="a weight is no finite number at step 0"):
        run.checkpoint()


def test_a_checkpoint_of_another_net_is_refused() -> None:
    _, saved, _ = train()
    arrays = list(saved[0].arrays)
    wider = [np.zeros((*arrays[0].shape, 2), np.float32), *arrays[1:]]
    for others in (arrays[:-1], wider):
        with pytest.raises(RunError, match="step 1 is of another net than fast is now; start a"):
            train(start=Checkpoint(1, 1.0, others))


def test_validation_images_are_looked_at_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    look = training._all_logits
    monkeypatch.setattr(training, "_all_logits", lambda *given: seen.append(0) or look(*given))
    trained, _, told = train()
    assert len(seen) == sum(progress.validation_loss is not None for progress in told)
    accuracy, loss = training.score(trained.validation_logits, VALIDATION.required_labels())
    assert (told[-1].validation_accuracy, told[-1].validation_loss) == (accuracy, loss)


def test_epochs_shorter_than_a_chunk_do_not_let_it_grow_without_bound() -> None:
    """A thousand of them would make a number that no float holds."""
    count = 1
    for _ in range(1_000):
        count = training._next_count(count, 1e-3)
    assert count == training.LONGEST
    assert training._next_count(1, 10.0) == 1
