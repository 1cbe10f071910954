"""tuning.py: what goes wrong with the books ends the sweep, and is raised when Tune has ended."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deepmnist import machine
from deepmnist.errors import RunError, StorageError
from deepmnist.sweeping import records, trial, tuning
from deepmnist.sweeping.ledger import Broken, Ended, Ledger, Message
from deepmnist.sweeping.progress import Progress
from tests.sweeping.trials import SPACE
from tests.sweeping.trials import trial as one

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def adapters(tmp_path: Path) -> tuple[Any, Any]:
    """Who gives Tune its trials, and who hears of them."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'deepmnist[cluster]'")
    pytest.importorskip("optuna")
    ledger = Ledger(tmp_path, SPACE, {}, 2, Progress(2))
    return tuning._adapters(tuning._tune(), ledger)


def told(message: Message) -> dict[str, Any]:
    return {tuning.TOLD: msgspec.json.encode(message).decode()}


def test_tune_s_trials_are_the_ledger_s_and_end_with_it(
    adapters: tuple[Any, Any], tmp_path: Path
) -> None:
    searcher, watcher = adapters
    assert searcher.suggest("a")["number"] == 1
    assert searcher.suggest("b")["number"] == 2
    assert searcher.suggest("c") == "FINISHED"
    assert watcher("b", told(Ended(loss=0.5, accuracy=0.9, seconds=1.0)))
    searcher.on_trial_complete("a", error=True)
    states = [each.state for each in records.read_trials(tmp_path, SPACE).values()]
    assert states == ["failed", "finished"]
    assert not watcher.stop_all()
    watcher.raise_what_went_wrong()


def test_a_disk_that_is_full_ends_the_sweep_in_its_own_line(
    adapters: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher, watcher = adapters
    searcher.suggest("a")

    def full(*given: object) -> None:
        raise StorageError("cannot write it: no space left")

    monkeypatch.setattr(records, "write_trial", full)
    assert watcher("a", told(Ended(loss=0.5, accuracy=0.9, seconds=1.0)))
    assert watcher.stop_all()
    assert searcher.suggest("b") == "FINISHED"
    with pytest.raises(StorageError, match="no space left"):
        watcher.raise_what_went_wrong()


def test_a_machine_that_cannot_train_ends_the_sweep_in_its_own_line(
    adapters: tuple[Any, Any],
) -> None:
    searcher, watcher = adapters
    searcher.suggest("a")
    assert watcher("a", told(Broken("node7 has keras 3.0, this machine 3.15")))
    assert watcher.stop_all()
    with pytest.raises(RunError, match=r"node7 has keras 3\.0"):
        watcher.raise_what_went_wrong()


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (StorageError("no space left"), Broken, r"^no space left$"),
        (
            PermissionError(13, "Permission denied", "/x"),
            Broken,
            r"trial 1 .*Permission denied: '/x",
        ),
        (
            ImportError("no libcuda"),
            Broken,
            "trial 1 failed on .*ImportError: no libcuda; the same",
        ),
        (MemoryError("no room for\nit"), Ended, "^MemoryError: no room for it$"),
        (ValueError(), Ended, "^ValueError"),
    ],
)
def test_what_goes_wrong_on_a_worker_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type, reason: str
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'deepmnist[cluster]'")

    def fail(*given: object) -> None:
        raise error

    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tuning._tune(), "report", said.append)
    monkeypatch.setattr(trial, "run", fail)
    records.write_trial(tmp_path, begun := one(state="running"))
    errand = tuning.Errand(str(tmp_path), SPACE, 1, machine.versions())
    config = {"number": 1, "values": begun.values}
    tuning._trial(config, errand, None, None)  # type: ignore[arg-type]  not looked at
    message = msgspec.json.decode(said.pop()[tuning.TOLD], type=Message)
    assert isinstance(message, kind)
    assert re.search(reason, message.reason or "")
    assert said == []
