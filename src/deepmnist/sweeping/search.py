"""What comes next, and what is hopeless: Optuna, told anew from the records each time it is asked.

Values come from a tree-structured Parzen estimator whose draws are a function of (seed, number of
the trial, what the other trials came to). So a sweep that goes on in another process, one trial at
a time, is the sweep it would have been, and no state of Optuna's is ever stored.

A trial is hopeless when, half way through its first net or later, it is worse than the median of
the finished trials was there. Successive halving would be stricter than rates that fall over the
whole run deserve: a trial that will be good may look bad for its first third. Quarters of a trial's
own run are compared, not epochs, since trials may have different numbers of those.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable
from typing import Any

from deepmnist.errors import MissingExtraError
from deepmnist.sweeping.records import Point, Trial
from deepmnist.sweeping.space import Choices, Dimension, Space, Value, Values

STRIDE = 1_000_003  # between the seeds of two sweeps, wider than trials count
DRAWN_FIRST = 3  # trials at random before any is inferred: so many, and two more a dimension
FINISHED_FIRST = 5  # before any trial is stopped
QUARTERS = 4
JUDGED_FROM = 2  # quarters of its run after which a trial may be stopped
SMOOTHING = {"label_smoothing", "teaching", "teacher_temperature"}
TRIES = 20  # at values that were not tried
COUNTABLE = 10_000  # combinations, up to which the first untried one is looked for then


def suggest(space: Space, trials: Iterable[Trial], number: int) -> Values:
    """The values of trial `number`, a function of the space and of what `trials` came to.

    The first are the recipe's own where the space has them; none are tried twice, as long as
    there are others.
    """
    known = list(trials)
    if number == 1 and space.first is not None:
        return space.first
    tried = [trial.values for trial in known]
    for again in range(TRIES):
        values = _drawn(space, known, number, again)
        if values not in tried:
            return values
    every = _every(space)
    return next((values for values in every if values not in tried), values)


def hopeless(space: Space, trials: Iterable[Trial], trial: Trial) -> bool:
    """Whether `trial`, at the point it has reached, should be stopped.

    None is where the targets are tried: before its temperature is fitted, a model's loss tells
    little but how smooth those were.
    """
    if SMOOTHING & space.swept.keys():
        return False
    optuna = _optuna()
    quarter = _quarter(trial.curve[-1]) if trial.curve else 0
    if not JUDGED_FROM <= quarter < QUARTERS:
        return False
    others = [each for each in trials if each.number != trial.number]
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FINISHED_FIRST)
    study = _study(optuna, space, others, None)
    return bool(pruner.prune(study, _told(optuna, space, trial)))


def check_installed() -> None:
    """MissingExtraError where Optuna is not."""
    _optuna()


def reached(trial: Trial) -> dict[int, float]:
    """The loss of a trial's first net, nats, at the first validation in each quarter of its run."""
    losses: dict[int, float] = {}
    for point in trial.curve:
        if point.member == 1:
            losses.setdefault(_quarter(point), point.loss)
    return losses


def _quarter(point: Point) -> int:
    """How many quarters of its net's run a point has behind it; past the first net, all."""
    return QUARTERS if point.member > 1 else QUARTERS * point.step // point.steps


def _drawn(space: Space, trials: list[Trial], number: int, again: int) -> Values:
    optuna = _optuna()
    sampler = optuna.samplers.TPESampler(
        seed=(space.seed * STRIDE + number * TRIES + again) % 2**32,
        n_startup_trials=DRAWN_FIRST + 2 * len(space.swept),
        constant_liar=True,  # trials under way count, so that those at once are not the same
    )
    drawn = _study(optuna, space, trials, sampler).ask(_distributions(optuna, space)).params
    return {name: _rounded(space.swept[name], drawn[name]) for name in space.swept}


def _rounded(dimension: Dimension, value: Any) -> Value:
    return value if isinstance(dimension, Choices) else dimension.rounded(value)


def _study(optuna: Any, space: Space, trials: Iterable[Trial], sampler: Any) -> Any:
    """A study that knows what `trials` came to; failed ones came to nothing."""
    study = optuna.create_study(direction="minimize", sampler=sampler)
    study.add_trials([_told(optuna, space, trial) for trial in trials])
    return study


def _told(optuna: Any, space: Space, trial: Trial) -> Any:
    """A trial as Optuna keeps it."""
    states = optuna.trial.TrialState
    state = {
        "running": states.RUNNING,
        "finished": states.COMPLETE,
        "stopped": states.PRUNED,
        "failed": states.FAIL,
    }[trial.state]
    return optuna.trial.create_trial(
        state=state,
        value=trial.loss if trial.state == "finished" else None,
        params=trial.values,
        distributions=_distributions(optuna, space),
        intermediate_values=reached(trial),
    )


def _distributions(optuna: Any, space: Space) -> dict[str, Any]:
    return {name: _distribution(optuna, each) for name, each in space.swept.items()}


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    if isinstance(dimension, Choices):
        return optuna.distributions.CategoricalDistribution(dimension.values)
    numbers = optuna.distributions
    kind = numbers.IntDistribution if dimension.whole else numbers.FloatDistribution
    return kind(dimension.low, dimension.high, log=dimension.log)


def _every(space: Space) -> Iterable[Values]:
    """All that there is to try, where that can be counted; else nothing."""
    if space.size is None or space.size > COUNTABLE:
        return
    lists = [_all(dimension) for dimension in space.swept.values()]
    for values in itertools.product(*lists):
        yield dict(zip(space.swept, values, strict=True))


def _all(dimension: Dimension) -> Iterable[Value]:
    if isinstance(dimension, Choices):
        return dimension.values
    return range(int(dimension.low), int(dimension.high) + 1)


def _optuna() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies, while they load
            import optuna
    except ImportError as error:
        raise MissingExtraError("a sweep", "cluster") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
