"""kills.py: a run that only ever began anew, or had ended, is not counted as resumed."""

from benchmarks import kills


def test_only_what_went_on_between_the_first_step_and_the_last_is_midway() -> None:
    outcome = {"resumed_after_step": [0, 1, kills.STEPS - 1, kills.STEPS]}
    assert kills.midway(outcome) == 2
