"""members.py: an ensemble's nets, one after another; a run cut off ends with the same weights."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from deepmnist import checkpoints, display, history, members, recipes, runfolder, training
from deepmnist.runfolder import RunRecord
from tests import records
from tests.squares import squares

TRAINING, VALIDATION = squares(80), squares(40, seed=1)
MEMBERS = 3


class Heard(display.Silent):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def record(tensorboard: bool = False, **overrides: Any) -> RunRecord:
    return records.small(tensorboard, **{"members": MEMBERS, **overrides})


def train(folder: Path, **overrides: Any) -> training.Trained:
    return members.train(folder, record(**overrides), TRAINING, VALIDATION, display.Silent())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, training.Trained]:
    """The folder and the model of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(folder)


def same(first: keras.Model, second: keras.Model) -> bool:
    return all(map(np.array_equal, first.get_weights(), second.get_weights()))


def lines(folder: Path) -> list[tuple[float, float]]:
    """(member, step) of each line; how often there is one is a matter of speed."""
    return [(line["member"], line["step"]) for line in history.read(folder)]


def test_each_member_is_the_run_of_its_own_seed(whole: tuple[Path, training.Trained]) -> None:
    config = record().config
    alone = [
        training.train(TRAINING, VALIDATION, recipes.member(config, index)).model
        for index in range(MEMBERS)
    ]
    weights = [array for net in alone for array in net.get_weights()]
    assert all(map(np.array_equal, whole[1].model.get_weights(), weights))
    assert not same(alone[0], alone[1])


def test_members_have_checkpoints_and_lines_of_their_own(
    whole: tuple[Path, training.Trained],
) -> None:
    folder, _ = whole
    found = sorted(path.name for path in (folder / runfolder.CHECKPOINTS).iterdir())
    assert found == ["member-01", "member-02", "member-03"]
    for name in found:
        last = checkpoints.latest(folder / runfolder.CHECKPOINTS / name)
        assert last is not None
        assert last.step == records.SMALL["steps"]
    assert lines(folder) == sorted(lines(folder))
    assert {member for member, _ in lines(folder)} == {1, 2, 3}


def test_seconds_are_all_members_and_the_logits_are_the_average_s(
    whole: tuple[Path, training.Trained],
) -> None:
    folder, trained = whole
    places = sorted((folder / runfolder.CHECKPOINTS).iterdir())
    each = [checkpoints.latest(place).train_seconds for place in places]  # type: ignore[union-attr]
    assert trained.train_seconds == pytest.approx(sum(each))
    images = VALIDATION.images[:].astype(np.float32) / 255
    np.testing.assert_allclose(trained.validation_logits, trained.model(images), atol=1e-4)
    assert trained.config.members == MEMBERS


def test_a_single_net_keeps_the_layout_it_always_had(tmp_path: Path) -> None:
    screen = Heard()
    members.train(tmp_path, record(members=1), TRAINING, VALIDATION, screen)
    found = {path.suffix for path in (tmp_path / runfolder.CHECKPOINTS).iterdir()}
    assert found == {".npz", ".json"}
    assert all("member" not in line for line in history.read(tmp_path))
    assert screen.messages == []


@pytest.mark.parametrize(
    ("stop", "place"),
    [
        (KeyboardInterrupt, (2, 3)),
        (SystemExit, (1, 3)),
        (SystemExit, (1, 8)),
        (SystemExit, (2, 1)),
        (SystemExit, (3, 3)),
        (SystemExit, (3, 8)),
    ],
    ids=str,
)
def test_a_run_stopped_in_any_member_resumes_to_the_same_weights(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: tuple[Path, training.Trained],
    stop: type[BaseException],
    place: tuple[int, int],
) -> None:
    """SystemExit stands for kill -9: nothing is saved on the way out."""
    append = history.append

    def interrupt(folder: Path, progress: Any, member: int | None = None) -> None:
        append(folder, progress, member)
        if (member, progress.step) >= place:
            raise stop

    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(history, "append", interrupt)
    with pytest.raises(stop):
        train(tmp_path)
    monkeypatch.undo()
    trained = train(tmp_path)
    assert same(trained.model, whole[1].model)
    assert lines(tmp_path) == sorted(set(lines(tmp_path)))  # none twice, none out of order
    last = {member: step for member, step in lines(tmp_path)}
    assert last == dict.fromkeys((1, 2, 3), records.SMALL["steps"])


def test_a_finished_member_is_restored_and_never_trained_or_saved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Path, training.Trained]
) -> None:
    train(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("step-*")}

    def never(*arguments: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training.Training, "advance", never)
    assert same(train(tmp_path).model, whole[1].model)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("step-*")} == written


def test_a_member_whose_checkpoints_are_torn_is_trained_again_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Path, training.Trained]
) -> None:
    train(tmp_path)
    for file in (tmp_path / runfolder.CHECKPOINTS / "member-02").glob("*.npz"):
        file.write_bytes(b"torn")
    seen = []
    append = history.append

    def note(folder: Path, progress: Any, member: int | None = None) -> None:
        seen.append(member)
        append(folder, progress, member)

    monkeypatch.setattr(history, "append", note)
    with pytest.warns(UserWarning, match="is torn: its hash differs"):
        trained = train(tmp_path)
    assert set(seen) == {2}
    assert same(trained.model, whole[1].model)


def test_one_training_at_a_time_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizers: list[weakref.ref[Any]] = []
    alive = []
    make = training._optimizer

    def noted(*arguments: Any) -> Any:
        alive.append(sum(optimizer() is not None for optimizer in optimizers))
        optimizer = make(*arguments)
        optimizers.append(weakref.ref(optimizer))
        return optimizer

    monkeypatch.setattr(training, "_optimizer", noted)
    train(tmp_path)
    assert alive == [0] * MEMBERS


def test_the_person_is_told_which_member_it_is(tmp_path: Path) -> None:
    screen = Heard()
    members.train(tmp_path, record(members=2, steps=1), TRAINING, VALIDATION, screen)
    assert screen.messages == ["member 1 of 2", "member 2 of 2"]


def test_many_members_draw_no_warning_of_retracing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(tmp_path, members=6, steps=1)
    assert "retracing" not in caplog.text


def test_tensorboard_shows_each_member_as_a_run(tmp_path: Path) -> None:
    train(tmp_path, tensorboard=True, members=2, steps=1)
    found = {path.parent.name for path in tmp_path.rglob("events.out.tfevents.*")}
    assert found == {"member-01", "member-02"}
