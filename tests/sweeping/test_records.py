"""records.py: what was written is what is read, and nothing else is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deepmnist.errors import RunError
from deepmnist.sweeping import records
from deepmnist.sweeping.records import Asked
from tests.sweeping.trials import SPACE, curve, point, trial

ASKED = Asked(
    recipe="fast",
    settings=SPACE.specs(),
    seed=0,
    dataset="mnist",
    identity="0" * 64,
    versions={"keras": "3.1"},
)


def test_trials_and_what_was_asked_come_back_as_they_were(tmp_path: Path) -> None:
    trials = [
        trial(1, curve=curve(0.5, 0.3)),
        trial(2, state="running"),
        trial(3, state="failed", reason="the loss is no finite number at step 3"),
        trial(12, state="stopped", curve=curve(0.9)),
    ]
    for each in trials:
        records.write_trial(tmp_path, each)
    records.write_asked(tmp_path, ASKED)
    assert records.read_trials(tmp_path, SPACE) == {each.number: each for each in trials}
    assert records.read_asked(tmp_path) == ASKED
    assert records.read_asked(tmp_path / "elsewhere") is None


def test_what_a_killed_writer_left_is_no_trial_and_goes(tmp_path: Path) -> None:
    records.write_trial(tmp_path, trial(1))
    torn = tmp_path / records.TRIALS / ".0002.json.77.part"
    torn.write_text('{"number":')
    assert list(records.read_trials(tmp_path, SPACE)) == [1]
    assert not torn.exists()


def test_a_step_that_is_done_again_replaces_what_came_after_it() -> None:
    first = trial(state="running", curve=[point(2), point(4), point(2, member=2)])
    again = first.with_point(point(4, 0.25))
    assert again.curve == [point(2), point(4, 0.25)]


GOOD: dict[str, Any] = json.loads(msgspec.json.encode(trial(7, curve=curve(0.5, 0.3))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 8}, "tells of trial 8"),
        ({"number": 0}, "is damaged: Expected `int` >= 1"),
        ({"values": {}}, "is no trial of this sweep"),
        ({"values": {"learning_rate": 5.0, "optimizer": "adam"}}, "this sweep tries log:0.0001"),
        ({"values": {"learning_rate": 0.001, "optimizer": "sgd"}}, "this sweep tries adam,muon"),
        ({"values": {"learning_rate": "x\n\x1b", "optimizer": "adam"}}, "is no trial of this"),
        ({"state": "wonderful"}, "Invalid enum value 'wonderful'"),
        ({"loss": None}, "is finished and has no loss"),
        ({"loss": "low"}, "Expected `float"),
        ({"loss": -1.0}, "Expected `float` >= 0"),
        ({"accuracy": 1.5}, "Expected `float` <= 1"),
        ({"curve": [{"step": 1}]}, "missing required field"),
        ({"extra": 1}, "unknown field `extra`"),
        ("{", "is damaged"),
        ("[" * 100_000, "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (" " * (records.MAX_BYTES + 1), "is larger than"),
    ],
)
def test_a_record_that_is_none_is_told_with_what_to_do(
    tmp_path: Path, change: dict[str, Any] | str | bytes, message: str
) -> None:
    path = records.trial_file(tmp_path, 7)
    path.parent.mkdir()
    data = json.dumps({**GOOD, **change}) if isinstance(change, dict) else change
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(RunError, match=message) as caught:
        records.read_trials(tmp_path, SPACE)
    assert str(caught.value).isprintable()
    assert "remove it, and the same command does that trial again" in str(caught.value)


def test_what_differs_between_two_sweeps_is_named() -> None:
    assert records.differences(ASKED, ASKED) == ""
    settings = {"learning_rate": "log:0.001..0.01", "members": "2"}
    other = msgspec.structs.replace(ASKED, settings=settings, seed=1, identity="1" * 64)
    assert records.differences(ASKED, other) == (
        "learning_rate log:0.0001..0.01 -> log:0.001..0.01, members none -> 2, "
        "optimizer adam,muon -> none, seed 0 -> 1, identity 000000000000... -> 111111111111..."
    )
