"""ledger.py: what trials tell is on disk before they go on, and another ledger takes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepmnist.sweeping import ledger, records, search, space
from deepmnist.sweeping.ledger import Broken, Ended, Ledger, Validated
from deepmnist.sweeping.progress import Progress
from tests.sweeping.trials import SPACE, point, trial

pytest.importorskip("optuna", reason="pip install 'deepmnist[cluster]'")
ENDED = Ended(loss=0.25, accuracy=0.9, seconds=3.0)


def opened(folder: Path, wanted: int = 3, there: space.Space = SPACE) -> Ledger:
    """A ledger on what `folder` has."""
    return Ledger(folder, there, records.read_trials(folder, there), wanted, Progress(wanted))


def test_a_trial_is_on_disk_before_anyone_trains_it(tmp_path: Path) -> None:
    begun = opened(tmp_path).begin()
    assert begun is not None
    assert records.read_trials(tmp_path, SPACE) == {1: begun}


def test_what_a_trial_tells_is_on_disk_at_once_and_its_checkpoints_go_at_its_end(
    tmp_path: Path,
) -> None:
    book = opened(tmp_path)
    book.begin()
    checkpoint = records.trial_folder(tmp_path, 1) / "checkpoints" / "step.npz"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert not book.hear(1, Validated(point(4)))
    assert records.read_trials(tmp_path, SPACE)[1].curve == [point(4)]
    assert book.hear(1, ENDED)
    (found,) = records.read_trials(tmp_path, SPACE).values()
    assert (found.state, found.loss, found.accuracy, found.seconds) == ("finished", 0.25, 0.9, 3.0)
    assert not records.trial_folder(tmp_path, 1).exists()


def test_another_ledger_keeps_what_is_over_and_begins_the_rest_again(tmp_path: Path) -> None:
    book = opened(tmp_path)
    first, second = book.begin(), book.begin()
    assert first is not None
    assert second is not None
    book.hear(1, ENDED)
    book.hear(2, Validated(point(2)))
    after = opened(tmp_path)
    again = after.begin()
    assert again is not None
    assert (again.number, again.values, again.curve) == (2, second.values, [point(2)])
    third = after.begin()
    assert third is not None
    assert third.number == 3
    assert after.begin() is None


def test_checkpoints_that_outlived_their_trial_go(tmp_path: Path) -> None:
    records.write_trial(tmp_path, trial(1))
    records.write_trial(tmp_path, trial(2, state="running"))
    for number in (1, 2):
        records.trial_folder(tmp_path, number).mkdir()
    opened(tmp_path)
    assert not records.trial_folder(tmp_path, 1).exists()
    assert records.trial_folder(tmp_path, 2).exists()


def test_a_record_that_was_removed_is_a_trial_to_do(tmp_path: Path) -> None:
    for number in (1, 3):
        records.write_trial(tmp_path, trial(number))
    book = opened(tmp_path)
    found = book.begin()
    assert found is not None
    assert found.number == 2
    assert book.begin() is None


def test_a_trial_done_again_has_no_checkpoints_of_the_values_it_had(tmp_path: Path) -> None:
    book = opened(tmp_path)
    book.begin()
    (records.trial_folder(tmp_path, 1) / "checkpoints").mkdir(parents=True)
    records.trial_file(tmp_path, 1).unlink()
    opened(tmp_path).begin()
    assert not records.trial_folder(tmp_path, 1).exists()


def test_a_trial_that_fails_or_is_lost_is_a_result(tmp_path: Path) -> None:
    book = opened(tmp_path)
    book.begin(), book.begin()
    book.hear(1, Ended(reason="the loss is no finite number at step 3"))
    book.lost(2, "it lost its worker")
    states = [(each.state, each.reason) for each in book.trials.values()]
    assert states == [
        ("failed", "the loss is no finite number at step 3"),
        ("failed", "it lost its worker"),
    ]
    assert ledger.ranked(book.trials) == []


def test_a_hopeless_trial_is_stopped_and_what_comes_after_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "hopeless", lambda there, trials, one: True)
    book = opened(tmp_path)
    book.begin()
    assert book.hear(1, Validated(point(4)))
    assert book.hear(1, ENDED)
    book.lost(1, "it lost its worker")
    assert records.read_trials(tmp_path, SPACE)[1].state == "stopped"


def test_a_machine_that_cannot_train_is_no_fault_of_the_trial(tmp_path: Path) -> None:
    book = opened(tmp_path)
    book.begin()
    assert book.hear(1, Broken("no space left"))
    assert book.broken == "no space left"
    assert not records.read_trials(tmp_path, SPACE)[1].over


def test_the_best_is_of_the_lowest_loss_among_the_finished() -> None:
    trials = {
        1: trial(1, loss=0.3),
        2: trial(2, loss=0.2),
        3: trial(3, loss=0.2),
        4: trial(4, state="stopped"),
    }
    assert [each.number for each in ledger.ranked(trials)] == [2, 3, 1]
