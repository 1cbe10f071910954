"""search.py: what comes next is a function of what is known; hopeless is worse than the median."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from deepmnist.errors import MissingExtraError
from deepmnist.sweeping import search, space
from deepmnist.sweeping.records import Trial
from tests.sweeping.trials import SPACE, curve, point, trial

optuna = pytest.importorskip("optuna", reason="pip install 'deepmnist[cluster]'")


def swept(count: int, seed: int = 0, known: list[Trial] | None = None) -> list[Trial]:
    """A sweep whose loss is the distance of the rate from 0.001, continued from `known`."""
    there = space.parse("fast", ["learning_rate=log:1e-5..1e-1"], seed)
    trials = list(known or [])
    for number in range(len(trials) + 1, count + 1):
        values = search.suggest(there, trials, number)
        loss = abs(float(values["learning_rate"]) - 0.001)
        trials.append(trial(number, values=values, loss=loss))
    return trials


def test_the_recipe_s_own_values_are_tried_first() -> None:
    assert search.suggest(SPACE, [], 1) == {"learning_rate": 0.01, "optimizer": "muon"}


def test_a_sweep_that_goes_on_elsewhere_is_the_one_it_would_have_been() -> None:
    whole = swept(12)
    assert swept(12, known=whole[:7]) == whole
    assert swept(12, seed=1) != whole


def test_what_was_good_is_tried_near() -> None:
    trials = swept(30)
    early, late = trials[:6], trials[-12:]
    near = [sorted(each.loss or 0 for each in some)[len(some) // 2] for some in (early, late)]
    assert near[1] < near[0]


def test_trials_under_way_count_so_that_none_is_tried_twice() -> None:
    trials: list[Trial] = []
    for number in range(2, 6):
        values = search.suggest(SPACE, trials, number)
        assert SPACE.config(values)
        trials.append(trial(number, values=values, state="running"))
    assert len({str(each.values) for each in trials}) == 4


def test_all_there_is_to_try_is_tried_once() -> None:
    there = space.parse("fast", ["optimizer=adam,muon", "members=1..3"])
    trials: list[Trial] = []
    for number in range(1, 7):
        trials.append(trial(number, values=search.suggest(there, trials, number)))
    assert there.size == 6
    assert len({str(each.values) for each in trials}) == 6


OTHERS = [trial(n, curve=curve(0.9, 0.5 + 0.01 * n, 0.4, 0.3)) for n in range(1, 8)]  # median 0.54


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [
        ([0.9, 0.55], True),
        ([0.9, 0.53], False),
        ([5.0], False),  # too early to judge
        ([0.39, 0.9, 0.9], False),  # its best is what counts
        ([0.9, 0.9, 0.39], False),
        ([0.9, 0.9, 0.9, 0.9], False),  # it is at its end
    ],
)
def test_a_trial_is_hopeless_when_it_is_worse_than_the_median_was_there(
    losses: list[float], wanted: bool
) -> None:
    points = [point(each, loss, steps=4) for each, loss in enumerate(losses, start=1)]
    running = trial(9, state="running", curve=points)
    assert search.hopeless(SPACE, OTHERS, running) == wanted


def test_quarters_of_a_trial_s_own_run_are_compared_not_epochs() -> None:
    longer = [point(each, 0.9 - 0.06 * each, steps=16) for each in range(1, 8)]  # 0.48 at 7 of 16
    assert not search.hopeless(SPACE, OTHERS, trial(9, state="running", curve=longer))
    longer.append(point(8, 0.6, steps=16))
    assert search.reached(trial(9, curve=longer)) == {
        0: pytest.approx(0.84),
        1: pytest.approx(0.66),
        2: 0.6,
    }


def test_no_trial_is_stopped_before_some_have_finished_or_after_its_first_net() -> None:
    bad = trial(9, state="running", curve=[point(1, 5.0, steps=4), point(2, 5.0, steps=4)])
    assert not search.hopeless(SPACE, OTHERS[:4], bad)
    assert search.hopeless(SPACE, OTHERS[:5], bad)
    second = [*curve(0.9, 0.5, 0.4, 0.3), point(2, 5.0, member=2, steps=4)]
    assert not search.hopeless(SPACE, OTHERS, trial(9, state="running", curve=second))


def test_no_trial_is_stopped_where_targets_are_tried() -> None:
    there = space.parse("fast", ["learning_rate=log:1e-4..1e-2", "label_smoothing=0..0.5"])
    values = {"learning_rate": 0.001, "label_smoothing": 0.1}
    others = [trial(each.number, values=values, curve=each.curve) for each in OTHERS]
    bad = [point(1, 5.0, steps=4), point(2, 5.0, steps=4)]
    assert not search.hopeless(there, others, trial(9, values=values, state="running", curve=bad))


def test_failed_and_stopped_trials_are_no_hindrance() -> None:
    trials = [*swept(8), trial(9, values={"learning_rate": 0.05}, state="failed", reason="x")]
    trials.append(trial(10, values={"learning_rate": 0.06}, state="stopped", curve=curve(9, 9)))
    there = space.parse("fast", ["learning_rate=log:1e-5..1e-1"])
    assert search.suggest(there, trials, 11)


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: dict[str, Any] = sys.modules
    monkeypatch.setitem(modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deepmnist\[cluster\]'"):
        search.check_installed()
